"""How the canvas looks: its paper, its tools and their icons."""

INK = "#ff2f92"  # of a mask, see-through over its picture: a colour that photos and the course's pictures hardly have

CSS = """
.sdlab-canvas { --sdlab-paper: invert(1); display: flex; flex-wrap: wrap; gap: 1em 1.5em; align-items: flex-start; width: fit-content;
  padding: 1.1em; border: 1px solid var(--sdlab-line); border-radius: 12px; }
.sdlab-drawing { --sdlab-paper: invert(1); width: 26em; }
[data-jp-theme-light="false"] .sdlab-canvas, .vscode-dark .sdlab-canvas, html[theme="dark"] .sdlab-canvas { --sdlab-paper: none; }
[data-jp-theme-light="false"] .sdlab-drawing, .vscode-dark .sdlab-drawing, html[theme="dark"] .sdlab-drawing { --sdlab-paper: none; }
.sdlab-of-sketch.sdlab-drawing img { filter: var(--sdlab-paper); outline: 1px solid #8888; outline-offset: -1px; }
.sdlab-canvas .sdlab-paper { position: relative; flex: none; max-width: 100%; overflow: hidden; border-radius: 8px; cursor: crosshair;
  box-shadow: 0 0 0 1px var(--sdlab-line); touch-action: none; user-select: none; -webkit-user-select: none; -webkit-touch-callout: none; }
.sdlab-canvas .sdlab-paper > img, .sdlab-canvas canvas { position: absolute; inset: 0; width: 100%; height: 100%; pointer-events: none; }
.sdlab-canvas .sdlab-paper > img { border-radius: 0; }
.sdlab-of-sketch canvas { background: #000000; filter: var(--sdlab-paper); }
.sdlab-of-mask canvas { opacity: 0.6; filter: drop-shadow(0 0 1px #ffffff) drop-shadow(0 0 1px #ffffff); }
.sdlab-canvas .sdlab-hint { position: absolute; inset: auto 0 1em; margin: auto; width: fit-content; max-width: 90%; text-align: center;
  padding: 0.3em 0.9em; border-radius: 2em; background: #222831cc; color: #ffffff; font-size: 0.94em; pointer-events: none; }
.sdlab-canvas .sdlab-ring { position: absolute; left: 0; top: 0; border-radius: 50%; pointer-events: none; display: none;
  border: 1px solid #ffffff; box-shadow: 0 0 0 1px #000000aa, inset 0 0 0 1px #00000055; }
.sdlab-canvas .sdlab-paper:hover .sdlab-ring { display: block; }
.sdlab-canvas .sdlab-tools { flex: 0 0 13em; display: grid; gap: 0.85em; }
.sdlab-canvas .sdlab-row { display: grid; grid-auto-flow: column; grid-auto-columns: 1fr; gap: 0.4em; }
.sdlab-canvas button { display: flex; align-items: center; justify-content: center; gap: 0.45em; padding: 0.4em 0.3em; cursor: pointer;
  border: 1px solid var(--sdlab-line); border-radius: 8px; background: var(--sdlab-tint); }
.sdlab-canvas button:hover:not([aria-disabled="true"], [aria-pressed="true"]) { border-color: var(--sdlab-accent); }
.sdlab-canvas button[aria-pressed="true"] { border-color: transparent; background: var(--sdlab-accent); color: var(--sdlab-on-accent);
  font-weight: 600; }
.sdlab-canvas button[aria-disabled="true"] { opacity: 0.45; cursor: default; }
.sdlab-canvas .sdlab-history button { flex-direction: column; gap: 0.1em; font-size: 0.88em; }
.sdlab-canvas svg { flex: none; width: 1.25em; height: 1.25em; fill: none; stroke: currentColor; stroke-width: 2; stroke-linecap: round;
  stroke-linejoin: round; }
.sdlab-canvas label { display: grid; grid-template-columns: 1fr auto; font-weight: 600; }
.sdlab-canvas label span { font-weight: 400; font-variant-numeric: tabular-nums; }
.sdlab-canvas input[type="range"] { grid-column: 1 / -1; width: 100%; height: 1.8em; margin: 0; cursor: pointer; }
.sdlab-canvas .sdlab-result { display: grid; grid-template-columns: 5.6em 1fr; gap: 0.9em; align-items: center; margin: 0; }
.sdlab.sdlab-canvas .sdlab-result img { border-radius: 4px; box-shadow: 0 0 0 1px var(--sdlab-line); image-rendering: pixelated; }
.sdlab-canvas .sdlab-result img.sdlab-late { opacity: 0.4; }
.sdlab-canvas .sdlab-result figcaption { margin: 0; font-size: 0.88em; line-height: 1.35; }
"""

_ICONS = {
    "brush": "M15 4.5 19.5 9 9.5 19H5v-4.5z M12.5 7l4.5 4.5",
    "eraser": "M8.5 19.5 3.5 14.5 14 4l6.5 6.5-9 9z M8 10l6.5 6.5 M8.5 19.5H20",
    "undo": "M8 5 4 9l4 4 M4 9h10a5 5 0 0 1 0 10h-4",
    "redo": "M16 5l4 4-4 4 M20 9H10a5 5 0 0 0 0 10h4",
    "clear": "M4 7h16 M9 7V4h6v3 M6.5 7l1 13h9l1-13 M10.5 11v5 M13.5 11v5",
}


def _button(name, word, **more):
    """A button with an icon and a word."""
    attributes = "".join(f' {key.replace("_", "-")}="{value}"' for key, value in more.items())
    icon = f'<svg viewBox="0 0 24 24" aria-hidden="true"><path d="{_ICONS[name]}"/></svg>'
    return f'<button type="button" name="{name}"{attributes}>{icon}{word}</button>'


PAGE = f"""
<div class="sdlab sdlab-canvas" role="group">
  <div class="sdlab-paper" tabindex="0" role="img"><canvas></canvas><span class="sdlab-ring"></span><span class="sdlab-hint"></span></div>
  <div class="sdlab-tools">
    <div class="sdlab-row">{_button("brush", "Brush", aria_pressed="true")}{_button("eraser", "Eraser", aria_pressed="false")}</div>
    <label>brush size <span></span><input type="range" name="size" aria-label="brush size, in pixels of the picture"></label>
    <div class="sdlab-row sdlab-history">
      {_button("undo", "Undo", title="Ctrl+Z")}{_button("redo", "Redo", title="Ctrl+Shift+Z")}{_button("clear", "Clear")}</div>
    <figure class="sdlab-result"><img alt=""><figcaption aria-live="polite"></figcaption></figure>
  </div>
</div>
"""

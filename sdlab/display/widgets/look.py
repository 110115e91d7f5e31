"""How all widgets look, in light and dark themes, and how a picture comes into HTML."""

import base64
import io

EXACT_SIDE = 256  # pixels; larger pictures are compressed, so that a film of 25 does not make a notebook too large to open

LOOK = """
.sdlab {
  --sdlab-accent: #2563eb; --sdlab-on-accent: #ffffff; --sdlab-wrong: #b42318;
  --sdlab-line: color-mix(in srgb, currentColor 28%, transparent); --sdlab-tint: color-mix(in srgb, currentColor 6%, transparent);
  color: var(--jp-content-font-color1, var(--vscode-foreground, var(--colab-primary-text-color, inherit)));
  font: 16px/1.45 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; margin: 0.4em 0; max-width: 100%;
}
[data-jp-theme-light="false"] .sdlab, .vscode-dark .sdlab, html[theme="dark"] .sdlab {
  --sdlab-accent: #8ab4ff; --sdlab-on-accent: #10213f; --sdlab-wrong: #ff9a8d; color-scheme: dark;
}
.sdlab *, .sdlab { box-sizing: border-box; }
.sdlab img { display: block; width: 100%; height: auto; max-width: none; margin: 0; border-radius: 8px; }
.sdlab [hidden] { display: none; }
.sdlab figcaption { margin-top: 0.5em; font-size: 0.94em; font-variant-numeric: tabular-nums; text-align: start; }
.sdlab input, .sdlab select, .sdlab textarea, .sdlab button { font: inherit; color: inherit; accent-color: var(--sdlab-accent); }
.sdlab :focus-visible { outline: 3px solid var(--sdlab-accent); outline-offset: 2px; }
"""


def picture_url(image):
    """A PIL image as a data URL: PNG, and WebP where it is large."""
    file = io.BytesIO()
    kind = "png" if max(image.size) <= EXACT_SIDE else "webp"
    image.convert("RGB").save(file, kind, **({"quality": 90} if kind == "webp" else {}))
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"

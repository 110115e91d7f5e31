"""How all widgets look, in light and dark themes, and how a picture comes into HTML."""

import base64
import io

from PIL import Image

SHOWN_SIDE = 400  # pixels that a picture has at least when it is shown: browsers enlarge small ones with visible squares

LOOK = """
.sdlab {
  --sdlab-accent: #2563eb; --sdlab-on-accent: #ffffff; --sdlab-wrong: #b42318;
  --sdlab-line: color-mix(in srgb, currentColor 28%, transparent); --sdlab-tint: color-mix(in srgb, currentColor 6%, transparent);
  color: var(--jp-content-font-color1, var(--vscode-foreground, var(--colab-primary-text-color, inherit)));
  font: 16px/1.45 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; margin: 0.4em 0; padding: 5px; max-width: 100%;
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


def picture_url(image, side=SHOWN_SIDE):
    """A PIL image as a data URL, smoothly enlarged to at least `side` pixels; WebP, so that a film of 25 does not swell the notebook."""
    scale = -(-side // max(image.size))
    if scale > 1:
        image = image.convert("RGB").resize((image.width * scale, image.height * scale), Image.BICUBIC)
    file = io.BytesIO()
    image.convert("RGB").save(file, "WEBP", quality=90)
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"

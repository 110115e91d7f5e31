"""Cut the drawings that notebooks 10 to 13 learn from out of the sprites: `python -m pocket.world.sheet`.

Twelve things by five artists on one sheet, 32×32 pixels each on white, in `sdlab/assets/drawings/`. The stencil set is left out: without
colour most of its drawings are not told apart at 16 pixels.
"""

from pathlib import Path

from PIL import Image

from pocket.world import catalog
from pocket.world.sprites import PACKAGES
from sdlab.scratch.drawings import NAMES, SHEET, SIDE

ARTISTS = [name for name in PACKAGES if name != "fluent-emoji-high-contrast"]
MARGIN = 0.9  # the share of a cell that the longer side of a drawing takes


def cell(name, artist):
    """One drawing in the middle of a white square."""
    sprite = Image.fromarray(catalog.sprite(name, artist))
    scale = MARGIN * SIDE / max(sprite.size)
    sprite = sprite.resize((round(sprite.width * scale), round(sprite.height * scale)), Image.LANCZOS)
    square = Image.new("RGB", (SIDE, SIDE), "white")
    square.paste(sprite, ((SIDE - sprite.width) // 2, (SIDE - sprite.height) // 2), sprite)
    return square


def main():
    """Write the sheet, a row a thing and a column an artist, and who drew it."""
    sheet = Image.new("RGB", (len(ARTISTS) * SIDE, len(NAMES) * SIDE), "white")
    for row, name in enumerate(NAMES):
        for column, artist in enumerate(ARTISTS):
            sheet.paste(cell(name, artist), (column * SIDE, row * SIDE))
    SHEET.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(SHEET, optimize=True)
    source = (
        Path(catalog.DATA / "ATTRIBUTION.md").read_text(encoding="utf-8").replace("`sprites.zip` holds 128×128", "`sheet.png` holds 32×32")
    )
    (SHEET.parent / "ATTRIBUTION.md").write_text(
        source.replace("recompressed as WebP and otherwise unchanged", "on white"), encoding="utf-8"
    )


if __name__ == "__main__":
    main()

"""Render the things of the narrow world once more, twice as large: `python -m pocket.stages.large_sprites`.

In a picture of 256 pixels a thing is up to 240 pixels long. The sprites of `pocket.world.sprites` have 128, which enlarged would teach a
decoder that things are blurred. The result is `pocket/data/sprites-256.zip`, one WebP of 256×256 with transparency per sprite, of the same
drawings under the same names. Whoever needs a sprite asks `pocket.world.catalog.sprite`, which takes these where the drawing is large.
"""

import zipfile
from concurrent.futures import ThreadPoolExecutor

from pocket.stages.config import CPU
from pocket.world.catalog import LARGE_PACK, PACK, concepts
from pocket.world.sprites import PACKAGES, IconSet, fetch, render, solids

SIDE = 256


def drawings(modules, names):
    """The SVG texts of concepts by the names of their files in the pack: those that the small pack holds, and no others."""
    with zipfile.ZipFile(PACK) as pack:
        small = set(pack.namelist())
    found = {}
    for emoji_set in PACKAGES:
        icons, shapes = IconSet(modules / "@iconify-json" / emoji_set / "icons.json"), solids(emoji_set)
        for slug in (concepts()[name]["slug"] for name in names):
            file = f"{emoji_set}/{slug}.webp"
            if file in small:
                found[file] = shapes.get(slug) or icons.svg(slug)
    return found


def main():
    """Fetch, render and pack; prints how many and how large."""
    svgs = drawings(fetch(), CPU.mix.concepts)
    with ThreadPoolExecutor() as pool:
        pictures = dict(zip(svgs, pool.map(lambda svg: render(svg, SIDE), svgs.values()), strict=True))
    partial = LARGE_PACK.with_suffix(".partial")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as pack:
        for name, data in pictures.items():
            pack.writestr(name, data)
    partial.replace(LARGE_PACK)
    print(f"{len(pictures)} sprites, {LARGE_PACK.stat().st_size / 1e6:.1f} MB in {LARGE_PACK}")


if __name__ == "__main__":
    main()

"""Pictures in which nothing can be recognised, made from scenes: what the judge must answer "none of these" to.

Each takes a random generator and a side and gives a PIL RGB picture, or spoils a given one where its thing is. The flaws of
`pocket.world.filters` are milder: there a person still sees the thing.
"""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from scipy.ndimage import map_coordinates

from pocket.world.backgrounds import PAINTERS
from pocket.world.filters import STYLE_FILTERS
from pocket.world.words import COLOURS, STYLES


def _clouds(rng, side, grain):
    """A smooth random field, −1…1 or a little more, (side, side); `grain` is how many hills fit along a side."""
    coarse = rng.normal(0, 0.5, (grain + 3, grain + 3)).astype(np.float32)
    return np.asarray(Image.fromarray(coarse).resize((side, side), Image.BICUBIC))


def warp(rng, picture, where):
    """Bend what lies in the mask `where`, (side, side) in 0…1, until its shape is gone; the rest of the picture stays."""
    side, pixels = picture.width, np.asarray(picture, np.float32)
    reach = rng.uniform(0.16, 0.24) * side * where
    grain = int(rng.integers(4, 8))
    yy, xx = np.mgrid[:side, :side].astype(np.float32)
    y, x = yy + reach * _clouds(rng, side, grain), xx + reach * _clouds(rng, side, grain)
    bent = np.stack([map_coordinates(pixels[..., c], (y, x), order=1, mode="reflect") for c in range(3)], -1)
    return Image.fromarray(bent.clip(0, 255).astype(np.uint8))


def shuffle(rng, picture, box):
    """Cut a box (left, top, right, bottom) into 3 × 3 to 5 × 5 pieces and lay them anew, some turned."""
    count, (left, top, right, bottom) = int(rng.integers(3, 6)), box
    width, height = max(2, (right - left) // count), max(2, (bottom - top) // count)
    corners = [(left + i * width, top + j * height) for i in range(count) for j in range(count)]
    pieces = [picture.crop((x, y, x + width, y + height)) for x, y in corners]
    out = picture.copy()
    for piece, corner in zip(rng.permutation(len(pieces)), corners, strict=True):
        turned = pieces[piece].transpose([Image.FLIP_LEFT_RIGHT, Image.FLIP_TOP_BOTTOM, Image.ROTATE_180][rng.integers(3)])
        out.paste(turned, corner)
    return out if rng.random() < 0.5 else out.filter(ImageFilter.GaussianBlur(picture.width * rng.uniform(0.005, 0.015)))


def blur(rng, picture):
    """So far out of focus that only patches of colour are left."""
    return picture.filter(ImageFilter.GaussianBlur(picture.width * rng.uniform(0.07, 0.11)))


def blot(rng, scene, side):
    """The scene's background and style, and blots in place of its things."""
    colour = COLOURS[scene.background_colour] if scene.background_colour else (128, 128, 128)
    picture = PAINTERS[scene.background](rng, side, colour)
    if scene.style == "stencil":
        picture = Image.blend(STYLE_FILTERS["stencil"](rng, picture), Image.new("RGB", picture.size, (255, 255, 255)), 0.5)
    draw = ImageDraw.Draw(picture)
    x, y = rng.uniform(0.4, 0.6, 2) * side
    tones = [(30, 30, 30), (250, 250, 250)] if scene.style == "stencil" else list(COLOURS.values())
    for _ in range(rng.integers(2, 9)):
        angles = np.sort(rng.uniform(0, 6.283, int(rng.integers(5, 14))))
        reach = side * rng.uniform(0.06, 0.3) * rng.uniform(0.35, 1, len(angles))
        mid = np.array([x, y]) + rng.normal(0, 0.11, 2) * side
        outline = [tuple(mid + r * np.array([np.cos(a), np.sin(a)])) for a, r in zip(angles, reach, strict=True)]
        draw.polygon(outline, fill=tuple(int(v * rng.uniform(0.7, 1)) for v in tones[rng.integers(len(tones))]))
    if rng.random() < 0.7:
        picture = picture.filter(ImageFilter.GaussianBlur(side * rng.uniform(0.005, 0.03)))
    style = STYLES[scene.style].filter
    return STYLE_FILTERS[style](rng, picture) if style and scene.style != "stencil" else picture


def soften(mask, side):
    """A mask, bool (side, side), as weights 0…1 that fade beyond its rim."""
    wide = Image.fromarray((mask * 255).astype(np.uint8)).filter(ImageFilter.MaxFilter(5)).filter(ImageFilter.GaussianBlur(side / 24))
    return np.minimum(1, np.asarray(wide, np.float32) / 160)

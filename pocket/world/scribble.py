"""From a picture to what a hand would scribble of it: few, shaky, broken lines, or only a rough outline. White on black.

`lines` finds the edges; `scribble` draws them badly, in a new way each time, so that a model which learns from scribbles is not
disappointed by those of people.
"""

import numpy as np
from PIL import Image, ImageDraw
from scipy.ndimage import binary_dilation, binary_erosion, binary_fill_holes, label, map_coordinates
from skimage.feature import canny
from skimage.measure import approximate_polygon, find_contours

AROUND = np.ones((3, 3), bool)


def lines(things, blur=1.0):
    """The edges of things on nothing, an RGBA picture: bool (H, W).

    The outline, and what Canny (1986) finds inside on each channel. `blur` is in 64ths of the side.
    """
    pixels = np.asarray(things)
    inside = pixels[..., 3] > 127
    covered = Image.new("RGB", things.size, (128, 128, 128))
    covered.paste(things, mask=things)
    channels = np.moveaxis(np.asarray(covered) / 255, 2, 0)
    found = np.any(
        [canny(channel, blur * things.width / 64, 0.06, 0.14, mask=binary_erosion(inside, AROUND, 2)) for channel in channels], 0
    )
    return found | (inside & ~binary_erosion(inside, AROUND))


def strokes(drawn):
    """The connected lines of a drawing, bool (H, W), the longest first: a list of bool (H, W)."""
    numbers, count = label(drawn, AROUND)
    found = [numbers == i for i in range(1, count + 1)]
    return sorted(found, key=np.sum, reverse=True)


def outline(stroke, tolerance):
    """The silhouette of a closed line as a polygon, corners cut by up to `tolerance` pixels: bool (H, W), a pixel thick."""
    filled = np.pad(binary_erosion(binary_fill_holes(binary_dilation(stroke, AROUND)), AROUND), 1)
    paper = Image.new("1", stroke.shape[::-1])
    for contour in find_contours(filled.astype(float), 0.5):
        corners = approximate_polygon(contour, tolerance)[:, ::-1] - 1  # (x, y)
        ImageDraw.Draw(paper).line([tuple(corner.round()) for corner in corners], 1)
    return np.asarray(paper)


def shake(drawn, rng, most):
    """Move every line a little, up to `most` pixels, neighbours together, as an unsteady hand does."""
    height, width = drawn.shape
    field = rng.uniform(-most, most, (2, 6, 6)).astype(np.float32)
    dy, dx = (np.asarray(Image.fromarray(part).resize((width, height), Image.BICUBIC)) for part in field)
    yy, xx = np.mgrid[:height, :width]
    return map_coordinates(drawn.astype(np.float32), [yy + dy, xx + dx], order=1) > 0.4


def scribble(things, rng):
    """A scribble of things.

    Args:
        things: an RGBA picture, transparent where nothing is, as `pocket.world.scene.draw_apart` gives it.
        rng: a numpy Generator; decides how much is left out, and how badly the rest is drawn.

    Returns:
        uint8 (H, W), 255 where there is a line.
    """
    unit = things.width / 64
    found, shortest = strokes(lines(things, rng.uniform(1, 2))), rng.uniform(3, 14) * unit
    inner = [s for s in found[1:] if s.sum() >= shortest and rng.random() < 0.9]
    if not found:
        return np.zeros(things.size[::-1], np.uint8)
    if rng.random() < 0.5:  # a rough outline, with few lines inside or none
        inner = [s for s in inner if rng.random() < 0.3]
        found[0] = outline(found[0], rng.uniform(0.7, 2.5) * unit)
    drawn = np.any([found[0], *inner], 0)
    thickness = round(rng.choice([0, 1, 2], p=[0.35, 0.5, 0.15]) * unit)
    if thickness:
        drawn = binary_dilation(drawn, AROUND, thickness)
    return (255 * shake(drawn, rng, rng.uniform(0, 1.6) * unit)).astype(np.uint8)

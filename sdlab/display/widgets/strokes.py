"""Strokes, and the black and white picture that they make.

A stroke is `{"kind": kind, "points": [[x, y, radius], …]}` in pixels of the picture, x from its left edge and y from its upper one; the
kind is "paint", "erase", or "clear", which has no points and empties the paper.

The browser sends these, and not a picture of them: the picture is then made in one place and is the same on every machine, whatever a
browser smooths and however large its screen is; to undo is to leave one out, also in a notebook that is opened again; and they are small.
"""

import math
import numbers
from itertools import pairwise

from PIL import Image, ImageDraw

from sdlab.system.calls import brief

KINDS = ("paint", "erase", "clear")
FINEST, LARGEST = 8, 2048  # how often a pixel is divided each way, and how many pixels a side may have with that
COVERED = (
    112  # of 255: what part of a pixel a stroke covers to change it; just below a half, or thin lines between two pixels would be lost
)


def check_strokes(strokes, size):
    """Refuse what are no strokes on a picture of this size.

    Raises:
        TypeError: something of another kind.
        ValueError: a point further outside the picture than its own width or height, or a radius that is not above 0 or larger than it.
    """
    for stroke in strokes:
        if not isinstance(stroke, dict) or set(stroke) != {"kind", "points"} or stroke["kind"] not in KINDS:
            raise TypeError(f"a stroke is {brief(stroke)}: it must have a kind, one of {', '.join(KINDS)}, and points")
        if not isinstance(stroke["points"], list | tuple) or bool(stroke["points"]) == (stroke["kind"] == "clear"):
            raise TypeError(f"the points of a stroke are {brief(stroke['points'])}: give one or more to paint and to erase, none to clear")
        for point in stroke["points"]:
            _check_point(point, size)


def _check_point(point, size):
    if not isinstance(point, list | tuple) or len(point) != 3 or not all(map(_is_number, point)):
        raise TypeError(f"a point of a stroke is {brief(point)}: it must be three finite numbers, x, y and radius")
    x, y, radius = point
    width, height = size
    if not (-width <= x <= 2 * width and -height <= y <= 2 * height):
        raise ValueError(f"a stroke goes to ({x:g}, {y:g}), far outside the picture of {width}×{height} pixels: give x and y in its pixels")
    if not 0 < radius <= max(size):
        raise ValueError(f"a stroke has the radius {radius:g}: it must be above 0 and at most {max(size)}, the picture's longer side")


def _is_number(value):
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)


def paint(paper, strokes):
    """The paper with strokes on it, one after the other.

    Args:
        paper: a PIL picture of mode "L"; it stays as it is.
        strokes: as `check_strokes` wants them.

    Returns:
        A picture of mode "L". A pixel that a stroke covers by half or more is white, or black where it was erased; no greys are added.
    """
    cleared = max((number for number, stroke in enumerate(strokes, 1) if stroke["kind"] == "clear"), default=0)
    painted = Image.new("L", paper.size) if cleared else paper.copy()
    for stroke in strokes[cleared:]:
        box = _box(stroke["points"], paper.size)
        if box:
            painted.paste(255 if stroke["kind"] == "paint" else 0, box, _cover(stroke["points"], box, paper.size))
    return painted


def _box(points, size):
    """The pixels that a stroke can touch: left, top, right, bottom; None if it is outside the picture."""
    left, top = (max(0, math.floor(min(p[axis] - p[2] for p in points))) for axis in (0, 1))
    right, bottom = (min(size[axis], math.ceil(max(p[axis] + p[2] for p in points))) for axis in (0, 1))
    return (left, top, right, bottom) if left < right and top < bottom else None


def _cover(points, box, size):
    """What a stroke covers in its box: a disc at every point, and what lies between two discs."""
    fine = max(1, min(FINEST, LARGEST // max(size)))
    left, top, right, bottom = box
    cover = Image.new("L", ((right - left) * fine, (bottom - top) * fine))
    pen = ImageDraw.Draw(cover)
    # PIL counts from the centres of pixels, and what it fills reaches about a quarter of a pixel further than it is told.
    places = [((x - left) * fine - 0.5, (y - top) * fine - 0.5, max(0, radius * fine - 0.25)) for x, y, radius in points]
    for x, y, radius in places:
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), 255)
    for (x, y, radius), (to_x, to_y, to_radius) in pairwise(places):
        length = math.hypot(to_x - x, to_y - y)
        if length:
            across_x, across_y = (y - to_y) / length, (to_x - x) / length
            a, b = (across_x * radius, across_y * radius), (across_x * to_radius, across_y * to_radius)
            pen.polygon([(x + a[0], y + a[1]), (to_x + b[0], to_y + b[1]), (to_x - b[0], to_y - b[1]), (x - a[0], y - a[1])], 255)
    return cover.reduce(fine).point(lambda value: 255 if value >= COVERED else 0)

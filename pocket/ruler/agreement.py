"""How well a picture keeps to a sketch: the F1 of its edges and the sketch's lines."""

import numpy as np
from scipy.ndimage import binary_fill_holes, distance_transform_edt
from skimage.feature import canny

TOLERANCE = 2 / 128  # of the side


def dilate(drawn):
    """Where a line is at most `TOLERANCE` away, for a drawing, bool (H, W)."""
    return distance_transform_edt(~drawn) <= TOLERANCE * len(drawn) if drawn.any() else np.zeros_like(drawn)


def edges(picture):
    """The edges of a picture in −1…1, (3, H, W), by Canny (1986) on each channel: bool (H, W)."""
    return np.any([canny(channel, 1.0, 0.06, 0.14) for channel in picture.add(1).div(2).numpy()], 0)


def f1(found, drawn):
    """The harmonic mean of two shares: of the drawn lines with an edge nearby, and of the edges with a line nearby.

    Edges outside what the sketch encloses, and not near it, belong to the background, which a sketch leaves open; they do not count.
    Both are bool (H, W).
    """
    inside = binary_fill_holes(dilate(drawn))
    edge = found & inside
    if not edge.any() or not drawn.any():
        return 0.0
    recall, precision = dilate(found)[drawn].mean(), dilate(drawn)[edge].mean()
    return 2 * recall * precision / (recall + precision) if recall + precision else 0.0


def agreement(pictures, sketches):
    """The mean F1 of pictures in −1…1, (B, 3, H, W), with the lines of sketches, uint8 (B, 1, H, W)."""
    pairs = zip(pictures, sketches[:, 0].numpy() > 127, strict=True)
    return float(np.mean([f1(edges(picture), drawn) for picture, drawn in pairs]))

"""How a picture fills its place on a page: enlarged smoothly to a whole number of screen pixels, so that the page resamples nothing."""

import numpy as np
from PIL import Image


def fit(picture, width):
    """A picture as wide as its place, by the bicubic filter.

    Args:
        picture: a PIL picture, or an array (H, W) or (H, W, 3) in 0…255.
        width: in screen pixels.

    Returns:
        An array (height, width) or (height, width, 3), uint8; the height keeps the proportions.
    """
    if not isinstance(picture, Image.Image):
        picture = Image.fromarray(np.asarray(picture, np.uint8))
    if picture.mode not in ("L", "RGB"):
        picture = picture.convert("RGB")
    height = max(1, round(width * picture.height / picture.width))
    return np.asarray(picture.resize((width, height), Image.BICUBIC))

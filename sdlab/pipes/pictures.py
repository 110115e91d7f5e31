"""Pictures to begin with, as users have them → as a pipeline takes them: RGB, upright, and of exactly the size that is drawn.

What is changed on the way is said in a warning, each thing once: a first frame taken, a part cropped off, a transparent ground filled.
Left out: colour profiles; a picture is taken as sRGB.
"""

import os
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageColor, ImageOps, UnidentifiedImageError

from sdlab.system.calls import brief

MOST_PIXELS = 100_000_000  # of a file; more is a mistake, or an attack on the memory
FITS = ("crop", "pad", "stretch")


def read_picture(source, name="image"):
    """A picture from a file, an array or PIL, upright, its first frame; in whatever mode it is.

    Args:
        source: a path, a PIL picture, or an array of uint8, (H, W), (H, W, 3) or (H, W, 4).
        name: what messages call it.

    Raises:
        TypeError: no picture.
        OSError: the file is missing, damaged, or not a picture.
        ValueError: it has more pixels than `MOST_PIXELS`, or none.
    """
    picture = source
    if isinstance(source, str | os.PathLike):
        picture = _open(Path(source), name)
    elif isinstance(source, np.ndarray):
        picture = _from_array(source, name)
    elif not isinstance(source, Image.Image):
        raise TypeError(f"{name} is {brief(source)}: give a file, a PIL picture, or an array of uint8 (height, width, 3)")
    if min(picture.size) < 1:
        raise ValueError(f"{name} has the size {picture.size}: there is no pixel in it")
    if getattr(picture, "n_frames", 1) > 1:
        warnings.warn(f"{name} has {picture.n_frames} frames: the first is taken", stacklevel=3)
        picture.seek(0)
    try:
        upright = ImageOps.exif_transpose(picture)  # pixels are read only now
    except OSError as error:
        raise OSError(f"{name} is damaged ({error}): give one that other programs can open") from error
    if picture is not source:
        picture.close()
    return upright


def _open(path, name):
    try:
        picture = Image.open(path)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{name} is {str(path)!r}, and there is no such file: look at its name and folder") from error
    except UnidentifiedImageError as error:
        raise OSError(f"{name} is {str(path)!r}, which is no picture that can be read: give a PNG, JPEG or WebP") from error
    except Image.DecompressionBombError as error:
        raise ValueError(_too_large(name, path)) from error
    if picture.width * picture.height > MOST_PIXELS:
        raise ValueError(_too_large(name, path))
    return picture


def _too_large(name, path):
    return f"{name} is {str(path)!r} with more than {MOST_PIXELS:,} pixels: make it smaller first"


def _from_array(array, name):
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)):
        raise TypeError(f"{name} is an array of {array.dtype} and shape {array.shape}: it must be uint8 (height, width, 3)")
    return Image.fromarray(array)


def to_rgb(picture, background="white", name="image"):
    """The picture in RGB: 16 bits scaled to 8, and what is transparent filled with a colour.

    Args:
        picture: a PIL picture of any mode.
        background: a colour as PIL names it.
        name: what messages call it.
    """
    if picture.mode.startswith(("I", "F")):
        picture = _eight_bits(picture)
    if picture.has_transparency_data:
        clear = picture.convert("RGBA")
        if clear.getchannel("A").getextrema()[0] < 255:
            warnings.warn(f"{name} is transparent in places: they are filled with {background}", stacklevel=3)
        filled = Image.new("RGBA", clear.size, ImageColor.getrgb(background))
        return Image.alpha_composite(filled, clear).convert("RGB")
    return picture.convert("RGB")


def _eight_bits(picture):
    """Grey of 16 or 32 bits as 8. Pillow's own conversion cuts off everything above 255."""
    grey = np.asarray(picture, float)
    largest = 65535 if picture.mode.startswith("I") else max(1.0, grey.max())
    return Image.fromarray((grey / largest * 255).round().clip(0, 255).astype(np.uint8))


def fit(picture, width, height, how="crop", background="white", name="image"):
    """The picture in another size.

    Args:
        picture: a PIL picture.
        width: in pixels.
        height: in pixels.
        how: "crop" keeps its shape and cuts off what is too much, alike on both sides; "pad" keeps all of it between two bars of the
            background; "stretch" changes its shape.
        background: of "pad".
        name: what messages call it.

    Raises:
        ValueError: another `how`.
    """
    if how not in FITS:
        raise ValueError(f"fit is {brief(how)}: it must be one of {', '.join(FITS)}")
    if picture.size == (width, height):
        return picture
    scale = max(width / picture.width, height / picture.height)
    lost = 1 - width * height / (picture.width * picture.height * scale**2)
    if how == "stretch":
        return picture.resize((width, height), Image.LANCZOS)
    if how == "pad":
        return ImageOps.pad(picture, (width, height), Image.LANCZOS, background)
    if lost > 0.005:
        told = f"{picture.width}×{picture.height} and {width}×{height} are drawn"
        warnings.warn(f"{name} is {told}: {lost:.0%} of it is cut off at the sides, fit='pad' would keep all", stacklevel=3)
    return ImageOps.fit(picture, (width, height), Image.LANCZOS)


def prepare_picture(source, width, height, how="crop", background="white"):
    """A picture to begin with, as a pipeline takes it: RGB of width × height. Arguments and errors as of the three functions above."""
    picture = to_rgb(read_picture(source), background)
    return fit(picture, width, height, how, background)


def prepare_mask(source, width, height, how="crop"):
    """A mask as a pipeline takes it: black and white, mode "L", white where the picture is to be drawn anew; grey from 128 on is white.

    Raises:
        ValueError: it selects nothing; and as `read_picture`.
    """
    picture = read_picture(source, "mask")
    grey = fit(to_rgb(picture, "black", "mask").convert("L"), width, height, how, "black", "mask")
    values = np.asarray(grey)
    if ((values > 16) & (values < 239)).mean() > 0.1:
        warnings.warn("mask has greys: from 128 on they count as white, where the picture is drawn anew", stacklevel=2)
    mask = Image.fromarray(np.where(values >= 128, 255, 0).astype(np.uint8))
    if not mask.getbbox():
        raise ValueError("mask is black everywhere, so that nothing would be drawn anew: paint white what is to change")
    return mask

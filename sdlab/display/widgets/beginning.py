"""What a canvas begins with: nothing, a picture, or a drawing that ships."""

import warnings
from pathlib import Path

import numpy as np
from PIL import Image

from sdlab.assets import ASSETS
from sdlab.pipes.pictures import fit, read_picture, to_rgb
from sdlab.system.calls import brief

SKETCH, MASK = "sketch", "mask"
DRAWINGS = {file.stem: file for file in sorted((ASSETS / "sketches").glob("*.png"))}  # those that ship, by name


def begin(start, kind, size):
    """The paper as it is at first.

    Args:
        start: a file, a PIL picture, an array, the name of a drawing that ships, or None for nothing.
        kind: `SKETCH` or `MASK`. A mask knows two colours, white from grey 128 on; a sketch keeps its greys.
        size: width and height; what has another shape is fitted in between two black bars.

    Returns:
        A PIL picture of mode "L".

    Raises:
        TypeError, ValueError, OSError: as of `sdlab.canvas`.
    """
    if start is None:
        return Image.new("L", size)
    if isinstance(start, str) and start in DRAWINGS:
        start = DRAWINGS[start]
    elif isinstance(start, str) and not Path(start).suffix and not Path(start).exists():
        raise ValueError(f"start is {brief(start)}: no drawing ships under this name; choose one of {', '.join(DRAWINGS)}, or give a file")
    paper = fit(to_rgb(read_picture(start, "start"), "black", "start").convert("L"), *size, "pad", "black")
    if kind == SKETCH and np.asarray(paper).mean() > 127:
        warnings.warn("start is mostly white, and a sketch is white lines on black: turn it round with PIL.ImageOps.invert", stacklevel=4)
    return paper if kind == SKETCH else paper.point(lambda value: 255 if value >= 128 else 0)

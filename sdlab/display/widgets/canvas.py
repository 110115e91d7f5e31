"""Paper to draw on, for sketches and masks: `sdlab.canvas(pipe)` and `sdlab.canvas(photo)`.

Left out: drawing by keyboard alone, though every button is reached by it; a file as `start`, and `stroke`, are the ways there.
"""

import base64
import html
import io
import os
from pathlib import Path

import numpy as np
from PIL import Image
from traitlets import Float, Int, List, TraitError, Unicode, observe, validate

from sdlab.display.widgets.beginning import MASK, SKETCH, begin
from sdlab.display.widgets.canvas_look import CSS, INK
from sdlab.display.widgets.canvas_page import RENDER
from sdlab.display.widgets.keeping import keep
from sdlab.display.widgets.look import LOOK, picture_url
from sdlab.display.widgets.shown import Shown
from sdlab.display.widgets.strokes import check_strokes, paint
from sdlab.pipes import models
from sdlab.pipes.generation import Generation
from sdlab.pipes.pictures import read_picture, to_rgb
from sdlab.system.calls import brief, check_call

# How thick a line is at first, as a share of the longer side; a sketch's as the ControlNet knows them.
BRUSH = {SKETCH: 1 / 32, MASK: 1 / 8}
LARGEST_SHOWN, LARGEST_RESULT = 1024, 256  # pixels: of a photo below a mask, and of what is shown beside the paper
CALL = "sdlab.canvas(pipe) for a sketch, or sdlab.canvas(photo) for a mask"


class Canvas(Shown):
    """Paper to draw on. `sketch` or `mask` is what is on it, at any time, under the name that a recipe has for it.

    The browser sets `strokes` and `undone` itself, so that undoing works too where a notebook is opened again without its kernel; what the
    strokes make of the paper only Python says, and the browser shows that beside it.
    """

    kind, picture, beginning, result = (Unicode().tag(sync=True) for _ in range(4))
    size, strokes, undone = (List().tag(sync=True) for _ in range(3))
    brush = Float(1.0).tag(sync=True)  # the thickness of a line, in pixels of the picture
    heard = Int(0).tag(sync=True)  # how many strokes the result is of
    render = RENDER
    _css = LOOK + CSS

    def __init__(self, kind, start, picture=None):
        self._start, self._picture = start, picture
        self._painted = [], start
        super().__init__(kind=kind, size=list(start.size), brush=max(1.0, round(max(start.size) * BRUSH[kind], 1)))
        if start.getbbox():
            self.beginning = _png_url(Image.merge("LA", [Image.new("L", start.size, 255), start]))  # white, and clear where it is black
        if picture:
            self.picture = picture_url(_at_most(picture, LARGEST_SHOWN))
        self._tell()

    @property
    def sketch(self):
        """The sketch, as a ControlNet takes it: white lines on black, a PIL picture in RGB.

        Raises:
            AttributeError: a mask is drawn here.
        """
        self._refuse_unless(SKETCH, "sketch", "mask=canvas.mask")
        return self._paint().convert("RGB")

    @property
    def mask(self):
        """The mask: a PIL picture of mode "L" and of the size of the picture below, white where it is to be drawn anew.

        Raises:
            AttributeError: a sketch is drawn here.
        """
        self._refuse_unless(MASK, "mask", "sketch=canvas.sketch")
        return self._paint()

    @property
    def image(self):
        """The picture that the mask lies over, a PIL picture in RGB.

        Raises:
            AttributeError: a sketch is drawn here.
        """
        self._refuse_unless(MASK, "image", "sketch=canvas.sketch")
        return self._picture.copy()

    def stroke(self, points, size=None, erase=False):
        """Draw a line, as the pointer does.

        Args:
            points: pairs of x and y, in pixels of the picture from its left upper corner; one pair is a dot.
            size: how thick it is, in pixels; None means `brush`.
            erase: whether it takes away what is there.

        Raises:
            TypeError: no pairs of numbers.
            ValueError: a point far outside the picture, or a size that is not above 0.
        """
        try:
            pairs = [(float(x), float(y)) for x, y in points]
            radius = float(self.brush if size is None else size) / 2
        except (TypeError, ValueError) as error:
            given = f"points is {brief(points)} and size {brief(size)}"
            raise TypeError(f"{given}: give pairs of numbers and a number, as in canvas.stroke([(10, 20), (40, 20)], size=6)") from error
        self._add({"kind": "erase" if erase else "paint", "points": [[x, y, radius] for x, y in pairs]})

    def undo(self):
        """Take the last stroke back, or the last clearing; nothing where there is none."""
        if self.strokes:
            self.undone, self.strokes = [*self.undone, self.strokes[-1]], self.strokes[:-1]

    def redo(self):
        """Draw again what was last undone; nothing where there is none."""
        if self.undone:
            self.strokes, self.undone = [*self.strokes, self.undone[-1]], self.undone[:-1]

    def clear(self):
        """Take everything off the paper, also the drawing that it began with; `undo` brings it back."""
        self._add({"kind": "clear", "points": []})

    def save(self, path):
        """Keep what is on the paper as a PNG, to begin with it another time: `sdlab.canvas(pipe, start="fish.png")`.

        Args:
            path: a file ending in .png. Folders are made if they are not there.

        Returns:
            The path of the file. Where another picture has the name, the next free number is added, as in fish-2.png.

        Raises:
            TypeError: no path.
            ValueError: another ending.
            OSError: it cannot be written.
        """
        if not isinstance(path, str | os.PathLike):
            raise TypeError(f"path is {brief(path)}: give the name of a file, as in canvas.save('fish.png')")
        file = Path(path)
        if file.suffix.lower() != ".png" or not file.stem.strip("."):
            raise ValueError(f"path is {brief(path)}: it must end in .png, which keeps every pixel, as in canvas.save('fish.png')")
        return keep(self._paint(), file)

    def still(self):
        """What is on the paper, as HTML that needs no kernel."""
        width, height = self.size
        url = picture_url(_tint(self._picture, self._paint(), LARGEST_SHOWN) if self._picture else self._paint())
        return (
            f'<style>{LOOK}{CSS}</style><figure class="sdlab sdlab-drawing sdlab-of-{self.kind}">'
            f'<img alt="{html.escape(self.alt)}" src="{url}" style="width: {100 * min(1, width / height):.4g}%">'
            f"<figcaption>{html.escape(self._say())}</figcaption></figure>"
        )

    @validate("strokes", "undone")
    def _check(self, proposal):
        try:
            check_strokes(proposal["value"], self.size)
        except (TypeError, ValueError) as error:
            raise TraitError(str(error)) from error  # the only error after which a message from the browser changes nothing
        return proposal["value"]

    @observe("strokes")
    def _hear(self, _):
        self._tell()

    def _add(self, stroke):
        check_strokes([stroke], self.size)
        self.strokes, self.undone = [*self.strokes, stroke], []

    def _paint(self):
        """What is on the paper, mode "L". Of a drawing that goes on only what is new is painted."""
        strokes, picture = self._painted
        known = len(strokes) if self.strokes[: len(strokes)] == strokes else 0
        picture = paint(picture if known else self._start, self.strokes[known:])
        self._painted = list(self.strokes), picture
        return picture.copy()

    def _tell(self):
        """Show what the strokes make of the paper."""
        self.alt = f"a {self.kind}" if self._paint().getbbox() else f"a {self.kind} with nothing on it yet"
        self._renew_stills()  # first, so that whoever sees the result finds it in the page too
        self.result, self.heard = _png_url(_at_most(self._paint(), LARGEST_RESULT)), len(self.strokes)

    def _say(self):
        width, height = self.size
        kinds = [stroke["kind"] for stroke in self.strokes]
        drawn = kinds[::-1].index("clear") if "clear" in kinds else len(kinds)
        count = f"{drawn or 'no'} stroke{'' if drawn == 1 else 's'}"
        return f"{self.kind} of {width}×{height} pixels · {count}{' on a drawing' if self.beginning and drawn == len(kinds) else ''}"

    def _refuse_unless(self, kind, asked, instead):
        if self.kind != kind:
            raise AttributeError(f"canvas.{asked} was asked for, and a {self.kind} is drawn here: give {instead}")


@check_call(CALL)
def canvas(source=None, start=None):
    """Paper to draw on with mouse, pen or finger: a sketch for a ControlNet, or a mask over a picture.

    Args:
        source: a pipeline, such as `sdlab.load("pocket-scribble")`: a sketch of its native size is drawn, white lines on black. Or a
            picture (a file, a PIL picture, an array or a generation): a mask of its size is drawn over it, white where it is to be
            drawn anew. None means a sketch for the pocket model.
        start: what is on the paper at first: a file, a PIL picture or an array, white on black; or the name of a drawing that ships,
            "cat", "fish" or "house". None means nothing. It is fitted into the size.

    Returns:
        The widget. What is drawn is its `sketch` or its `mask`, a PIL picture, also where nobody can draw: then it is `start`. Exported
        pages show it as it is.

    Raises:
        TypeError: no pipeline and no picture.
        ValueError: a drawing does not ship under this name.
        OSError: a file that is missing or damaged.
    """
    if source is None or hasattr(source, "unet"):
        side = models.look_up("pocket-scribble").side if source is None else models.native_side(source)
        return Canvas(SKETCH, begin(start, SKETCH, (side, side)))
    picture = source.image if isinstance(source, Generation) else source
    if not isinstance(picture, str | os.PathLike | np.ndarray | Image.Image):
        raise TypeError(f"source is {brief(source)}: give a pipeline to draw a sketch, or a picture to draw a mask over; {CALL}")
    picture = to_rgb(read_picture(picture, "source"), name="source")
    return Canvas(MASK, begin(start, MASK, picture.size), picture)


def _at_most(picture, side):
    """The picture, made smaller if it is larger than that."""
    small = picture.copy()
    small.thumbnail((side, side))
    return small


def _tint(picture, mask, side):
    """The picture with the mask over it, as the paper shows it."""
    tinted = picture.copy()
    tinted.paste(Image.blend(picture, Image.new("RGB", picture.size, INK), 0.6), mask=mask)
    return _at_most(tinted, side)


def _png_url(picture):
    file = io.BytesIO()
    picture.save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"

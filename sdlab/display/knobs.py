"""A grid of pictures with knobs on its axes: one knob down the rows, another along the columns."""

import textwrap

import numpy as np
from PIL import Image

from sdlab.display.grids import lay_out
from sdlab.display.showing import differing
from sdlab.display.style import FAINT, INK
from sdlab.pipes.generation import Generation
from sdlab.system.calls import brief, check_call

CELL = 1.7  # inches a picture takes
ABOVE, BESIDE = 0.55, 0.75  # inches for the knobs' names and values


@check_call("sdlab.knob_grid(runs, rows='guidance', columns='steps')")
def knob_grid(runs, rows=None, columns=None, *, title=None, alt=None):
    """The pictures of a sweep over two knobs as a table: rows and columns carry the knobs' names and values.

    Args:
        runs: generations, in any order. Every image counts, with the seed of its own. What was not made stays an empty place.
        rows: the knob that changes from row to row; None means one in which the generations differ, if two do.
        columns: the knob that changes from column to column; None means one in which the generations differ.
        title: a heading over all.
        alt: what the figure shows, in words; default: the prompt, the knobs and their values.

    Returns:
        The matplotlib figure.

    Raises:
        TypeError: what is given is no list of generations.
        ValueError: the knobs are not among what differs, or more than two differ and none is named; or two pictures share a place.
    """
    pictures = every_image(runs, "sdlab.knob_grid([run, another])")
    rows, columns = _choose([recipe for recipe, _ in pictures], rows, columns)
    places, down, along = _places(pictures, rows, columns)
    first = next(iter(places.values()))
    blank = Image.new("RGB", first.size, "white")
    sheet = [places.get((row, column), blank) for row in down for column in along]
    prompt = "" if "prompt" in (rows, columns) else f"{pictures[0][0].prompt}: "
    told = [f"{name.replace('_', ' ')} {', '.join(map(_say, knob))}" for name, knob in ((rows, down), (columns, along)) if name]
    said = alt or f"{prompt}{len(places)} pictures over {' and '.join(told)}"
    figure = lay_out(sheet, [None] * len(sheet), len(along), CELL, title, said, BESIDE if rows else 0, ABOVE if columns else 0)
    _label(figure, rows, down, columns, along)
    return figure


def every_image(runs, example):
    """Every image of a list of generations, as pairs of a recipe of its own, whose seed is the image's, and the image.

    `example` is how the call is written.
    """
    if isinstance(runs, Generation | str | dict) or not hasattr(runs, "__iter__"):
        raise TypeError(f"runs is {brief(runs)}: give a list of generations, as in {example}")
    runs = list(runs)
    if not runs:
        raise ValueError("runs is empty: there must be at least one generation")
    wrong = [run for run in runs if not isinstance(run, Generation)]
    if wrong:
        raise TypeError(f"runs has {brief(wrong[0])}: it takes generations, as sdlab.generate returns them; for pictures use sdlab.grid")
    return [(run.recipe.but(seed=run.recipe.seed + i, images=1), image) for run in runs for i, image in enumerate(run.images)]


def _choose(recipes, rows, columns):
    """The names of the two knobs; None for rows where one is enough."""
    varied = differing(recipes)
    for name in (rows, columns):
        if name is not None and name not in recipes[0].to_dict():
            raise ValueError(f"{brief(name)} is no knob of a recipe: these generations differ in {', '.join(varied) or 'nothing'}")
    left = [name for name in varied if name not in (rows, columns)]
    if len(left) > (rows is None) + (columns is None):
        raise ValueError(f"these generations differ in {', '.join(varied)}: a grid has two knobs; give generations that differ in no more")
    if rows is None and len(left) > (columns is None):
        rows = left.pop(0)
    return rows, columns if columns is not None else left.pop(0) if left else None


def _places(pictures, rows, columns):
    """`{(row value, column value): picture}`, and the values of either knob in the order of their coming."""
    places = {}
    for recipe, image in pictures:
        place = tuple(getattr(recipe, name) if name else None for name in (rows, columns))
        if place in places:
            told = ", ".join(f"{name} {value}" for name, value in zip((rows, columns), place, strict=True) if name)
            raise ValueError(f"two pictures have the same {told or 'recipe'}: give one for each place of the grid")
        places[place] = image
    return places, list(dict.fromkeys(row for row, _ in places)), list(dict.fromkeys(column for _, column in places))


def _label(figure, rows, down, columns, along):
    """Write the knobs' names and values around the pictures, in the room that was left for them."""
    axes = np.array(figure.axes).reshape(len(down), len(along))
    if columns:
        for axis, value in zip(axes[0], along, strict=True):
            axis.set_title(_say(value), color=INK, pad=5)
        middle = (axes[0, 0].get_position().x0 + axes[0, -1].get_position().x1) / 2
        top = axes[0, 0].get_position().y1 + 0.3 / figure.get_size_inches()[1]
        figure.text(middle, top, columns.replace("_", " "), ha="center", va="bottom", fontsize=11, color=FAINT)
    if rows:
        for axis, value in zip(axes[:, 0], down, strict=True):
            axis.text(-0.05, 0.5, _say(value), transform=axis.transAxes, ha="right", va="center", color=INK)
        middle = (axes[0, 0].get_position().y1 + axes[-1, 0].get_position().y0) / 2
        figure.text(0.02, middle, rows.replace("_", " "), ha="left", va="center", rotation=90, fontsize=11, color=FAINT)


def _say(value):
    text = f"{value:g}" if isinstance(value, int | float) and abs(value) < 1e6 else str(value)
    return "\n".join(textwrap.wrap(text, 16)) or "(none)"

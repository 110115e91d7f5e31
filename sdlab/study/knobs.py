"""Knobs: base recipes and, for some of their ingredients, several values each → the recipes of a sweep."""

import difflib
import math
from collections.abc import Mapping, Set
from dataclasses import fields
from itertools import product

from sdlab.pipes.generation import as_recipe, prepare
from sdlab.pipes.recipe import Recipe
from sdlab.system.calls import brief

LARGEST_SWEEP = 10_000  # recipes; more is a slip, such as a range with a nought too many
FIELDS = [field.name for field in fields(Recipe)]
HOW = "as in sdlab.sweep(pipe, recipe, guidance=[2, 5, 7.5])"


def spread(bases, knobs, also=()):
    """Every base recipe with every combination of the knobs' values, the last knob turning fastest.

    Args:
        bases: a Recipe or a prompt, or a list of them.
        knobs: ingredient → its values, `{"guidance": [2, 5, 7.5]}`.
        also: further names that the caller takes, for a guess at what was meant.

    Raises:
        TypeError: a Recipe has no such ingredient, or what is given is no list of values.
        ValueError: nothing to sweep over, too much, or a value that a Recipe refuses.
    """
    values = {name: _values(name, given, also) for name, given in knobs.items()}
    several = not isinstance(bases, str | Recipe)
    bases = _listed("recipe", bases) if several else [bases]
    if not several and not values:
        raise ValueError(f"got one recipe and no values, so there is nothing to sweep over: give an ingredient several, {HOW}")
    size = len(bases) * math.prod(map(len, values.values()))
    if size > LARGEST_SWEEP:
        raise ValueError(f"this sweep has {size:,} recipes: it must have at most {LARGEST_SWEEP:,}, so give fewer values")
    bases = [as_recipe(base, {}) for base in bases]
    return [base.but(**dict(zip(values, chosen, strict=True))) for base in bases for chosen in product(*values.values())]


def complete_all(base, recipes, refiner, swept):
    """The recipes completed for the pipelines; what they cannot draw, or would draw all the same, is refused now.

    Args:
        base: the pipeline.
        recipes: from `spread`.
        refiner: what finishes its pictures, or None.
        swept: the names of the knobs.

    Raises:
        ValueError: as `prepare`, or a knob that this pipeline does not follow.
    """
    completed = [prepare(base, recipe, refiner) for recipe in recipes]
    for name in swept:
        for asked, drawn in zip(recipes, completed, strict=True):
            wanted, got = getattr(asked, name), getattr(drawn, name)
            if wanted is not None and wanted != got:
                told = "has none" if got is None else f"draws with {brief(got)}"
                raise ValueError(f"{name} cannot be {brief(wanted)} here, for this pipeline {told}: sweep with one that can")
    return completed


def _values(name, given, also):
    if name not in FIELDS:
        near = difflib.get_close_matches(name, [*FIELDS, *also], n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"choose from {', '.join(FIELDS)}"
        raise TypeError(f"a Recipe has no {name!r} to sweep over: {hint}")
    return _listed(name, given)


def _listed(name, given):
    """Values as a list. A set has no order, and a text would fall into letters; neither is a list of values."""
    if isinstance(given, str | bytes | Set | Mapping) or not hasattr(given, "__len__") or not hasattr(given, "__getitem__"):
        raise TypeError(f"{name} is {brief(given)}: a sweep takes a list of values, {HOW}")
    if not len(given):
        raise ValueError(f"{name} is {brief(given)}, so there is nothing to sweep over: give at least one value, {HOW}")
    if len(given) > LARGEST_SWEEP:
        raise ValueError(f"{name} has {len(given):,} values: a sweep has at most {LARGEST_SWEEP:,} recipes, so give fewer")
    return list(given)

"""Sweep: one Recipe, one knob, several values → several Generations. Every experiment of the course is one."""

import operator
from collections.abc import Sequence
from functools import cached_property

from tqdm.auto import tqdm

from sdlab.gallery.cache import Cache
from sdlab.gallery.keys import content_key, identify
from sdlab.pipes.generation import Generation, batch_of, generate_together, split_pair
from sdlab.study.knobs import complete_all, spread
from sdlab.system.calls import brief, check_call

GALLERY = "outputs/sweeps"
LARGEST_BATCH = 8  # pictures; what a kill can lose, and what makes the progress bar move
PIXELS_AT_ONCE = 512 * 512  # on a CPU: one picture of this size keeps all cores busy and fills the memory of a laptop


@check_call("sdlab.sweep(pipe, recipe, guidance=[2, 5, 7.5, 10])")
def sweep(pipe, recipe, *, gallery=GALLERY, batch=None, progress=True, **knobs):
    """Vary a recipe, one ingredient or several, with everything else fixed.

        runs = sdlab.sweep(pipe, lion, guidance=[2, 5, 7.5], seed=[1, 2, 3])    # a grid of 9: for each guidance, the three seeds
        sdlab.show(runs)

    Nothing is drawn yet: a Generation is made when it is first asked for, by an index, a loop or `show`. Pictures that were made before,
    from the same recipe by the same model and libraries, are taken from the gallery, and new ones are kept there as soon as they are
    made; so an interrupted sweep, made again, goes on where it stopped.

    Recipes that differ in prompts and seeds only go through the U-Net together. The pictures are those of `generate`, within one of 255
    levels in float32; in half precision fine details can differ, so compare pictures of one sweep there, or give `batch=1`.

    Args:
        pipe: as for `generate`.
        recipe: what is varied, a Recipe or a prompt; or a list of them, which are then the outermost knob.
        gallery: the folder where the pictures are; None to take none from there and to keep none.
        batch: pictures at most that are drawn together; a kill loses no more than these. Default: what the device and the size allow.
        progress: show a bar with the time left.
        knobs: ingredients of the Recipe, each with its values, `guidance=[2, 5, 7.5]`. Several make a grid, the last turning fastest.

    Returns:
        A `Sweep`, a sequence of Generations.

    Raises:
        TypeError: a Recipe has no such ingredient, or something of the wrong kind.
        ValueError: nothing to sweep over, a value that a Recipe refuses, or one that this pipeline does not follow.
        OSError: pictures are still to be made, and the gallery's folder cannot be written to.
    """
    base, refiner = split_pair(pipe)
    if batch is not None and (isinstance(batch, bool) or not isinstance(batch, int) or batch < 1):
        raise ValueError(f"batch is {brief(batch)}: it must be a whole number of pictures, 1 or more, or None")
    asked = spread(recipe, knobs, also=("gallery", "batch", "progress"))
    recipes = complete_all(base, asked, refiner, knobs)
    return Sweep((base, refiner), recipes, None if gallery is None else Cache(gallery), batch, bool(progress))


class Sweep(Sequence):
    """Generations that are made when they are first asked for; a length, indices, slices and loops as a list has them.

    Attributes:
        recipes: completed, in the order of the Generations.
    """

    def __init__(self, pair, recipes, cache, batch, progress):
        self.recipes = recipes
        self._pair, self._cache, self._largest, self._progress = pair, cache, batch, progress
        self._model = identify(*pair)
        self._keys, self._single = [], {}  # the keys of each recipe's images; key → recipe of that image
        for recipe in recipes:
            singles = {content_key(single, self._model): single for single in recipe.split()}
            self._keys.append(list(singles))
            self._single.update(singles)
        self._made = {}  # key → Generation of one image
        if cache and not all(cache.has(*item) for item in self._single.items()):
            cache.check()

    def __len__(self):
        return len(self.recipes)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return [self._get(position) for position in range(len(self))[index]]
        try:
            return self._get(range(len(self))[operator.index(index)])
        except TypeError as error:
            raise TypeError(f"index is {brief(index)}: give a whole number or a slice, such as runs[-1] or runs[:3]") from error
        except IndexError as error:
            raise IndexError(f"index is {brief(index)}: this sweep has {len(self)} Generations, from 0 to {len(self) - 1}") from error

    def __iter__(self):
        bar, missing = None, [key for key in self._batches if key not in self._made]
        if self._progress and missing:
            bar = tqdm(total=self.pictures, initial=len(self._made), unit="picture", desc="sweep", leave=False)
        try:
            for position in range(len(self)):
                yield self._get(position, bar)
        finally:
            if bar is not None:
                bar.close()

    def __repr__(self):
        return f"Sweep of {len(self)} from {brief(self.recipes[0].prompt)}: {len(self._made)} of {self.pictures} pictures made"

    @property
    def pictures(self):
        """How many different pictures it has; a recipe of several images has several, and equal recipes share theirs."""
        return len(self._single)

    def plan(self, processes=1):
        """What neither this sweep nor its gallery has, as lists of keys, each a batch for `draw`.

        Args:
            processes: how many are going to share the batches; there are then enough of them, where there are enough pictures.
        """
        shapes = {}
        for key, recipe in self._single.items():
            if not self._find(key):
                shapes.setdefault(batch_of(recipe), []).append(key)
        batches = []
        for shape, keys in shapes.items():
            size = min(self._largest or largest_batch(self._pair[0].device.type, shape), -(-len(keys) // processes))
            batches += [keys[start : start + size] for start in range(0, len(keys), size)]
        return batches

    def draw(self, keys):
        """Make the pictures of one batch and keep them.

        Raises:
            RuntimeError: the model is not what it was when the sweep was made.
            OSError: a picture cannot be kept.
        """
        if identify(*self._pair) != self._model:
            raise RuntimeError("the model has changed since this sweep was made, so its pictures would not belong together: sweep again")
        keys = [key for key in keys if key not in self._made]
        if not keys:
            return
        for key, made in zip(keys, generate_together(self._pair, [self._single[key] for key in keys]), strict=True):
            if self._cache:
                self._cache.keep(key, made)
            self._made[key] = made

    @cached_property
    def _batches(self):
        """Key → its batch, of all that had to be drawn when the first picture was missing."""
        return {key: batch for batch in self.plan() for key in batch}

    def _find(self, key):
        """Whether the picture is made; what the gallery has is taken from there."""
        if key not in self._made and self._cache and (found := self._cache.find(key, self._single[key])):
            self._made[key] = found
        return key in self._made

    def _get(self, position, bar=None):
        for key in self._keys[position]:
            if not self._find(key):
                self.draw(self._batches[key])
                if bar is not None:
                    bar.update(len(self._made) - bar.n)
        parts = [self._made[key] for key in self._keys[position]]
        first = parts[0]
        return Generation(
            self.recipes[position], [part.image for part in parts], sum(part.seconds for part in parts), first.device, first.dtype,
            max(part.peak_memory for part in parts), first.model_hash,
        )  # fmt: skip


def largest_batch(device, recipe):
    """How many pictures of a recipe's size are drawn together: where that is no faster, or wrong, one.

    Args:
        device: its kind. On a Mac batches have a history of wrong pictures (diffusers#363).
        recipe: completed.
    """
    fit = {"mps": 1, "cpu": PIXELS_AT_ONCE // (recipe.width * recipe.height)}.get(device, LARGEST_BATCH)
    return max(1, min(fit, LARGEST_BATCH))

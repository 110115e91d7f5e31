"""The Recipe: everything that decides a picture, checked when it is made, and the only thing that is saved."""

import dataclasses
import math
import numbers
import operator
from dataclasses import dataclass

from sdlab.pipes.pictures import FITS
from sdlab.pipes.samplers import SAMPLERS, is_known
from sdlab.pipes.source import Source
from sdlab.system.calls import brief, check_call

LARGEST_SEED = 2**63 - 1
MOST_IMAGES = 64
PICTURES = ("image", "mask", "sketch")  # ingredients that are pictures
NEEDED = {"strength": "image", "mask": "image", "sketch_scale": "sketch", "sketch_start": "sketch", "sketch_end": "sketch"}


@check_call("sdlab.Recipe('a lion wearing a crown', seed=42)")
@dataclass(frozen=True)
class Recipe:
    """Everything that decides a picture. What it leaves open, the model that draws it recommends.

    Args:
        prompt: what to draw.
        negative_prompt: what to steer away from.
        steps: denoising steps, at least 1; None means what the model recommends.
        guidance: guidance scale; 1 or less means the prompt alone, without steering; None means what the model recommends.
        seed: of the first image's noise; further images take the next seeds.
        width, height: in pixels, multiples of 8; None means the model's own size.
        images: how many, up to 64.
        sampler: a name from `sdlab.pipes.samplers.SAMPLERS`, or the class of a diffusers scheduler; None means the model's own.
        model: a name from the model table, or of a folder; filled in when a picture is made.
        refiner: the model that finishes what `model` began; filled in when a pair draws.
        handover: the share of the noise that is removed before the refiner takes over, between 0 and 1; with a refiner only.
        image: a picture to begin with: a file, a PIL picture or an array. It is fitted to width and height.
        strength: how much of it is drawn anew, 0 to 1: the share of the noise that it is covered with, and of the steps that are taken;
            None means 0.6, and 1 with a mask.
        mask: where the image is to be drawn anew: white on black, of any size; the rest of the image stays as it is.
        sketch: white lines on black that the picture is to follow; for a ControlNet.
        sketch_scale: how closely, 0 to 2; None means 1.
        sketch_start, sketch_end: the shares of the steps between which it is followed; None means 0 and 1.
        fit: how image and mask get the size that is drawn: "crop", "pad" or "stretch".

    Raises:
        TypeError: a value of the wrong kind.
        ValueError: a value out of range. The message names the value, the rule and the remedy.
        OSError: a picture that is missing or damaged.
    """

    prompt: str
    negative_prompt: str = ""
    steps: int | None = None
    guidance: float | None = None
    seed: int = 0
    width: int | None = None
    height: int | None = None
    images: int = 1
    sampler: str | None = None
    model: str | None = None
    refiner: str | None = None
    handover: float | None = None
    image: Source | None = None
    strength: float | None = None
    mask: Source | None = None
    sketch: Source | None = None
    sketch_scale: float | None = None
    sketch_start: float | None = None
    sketch_end: float | None = None
    fit: str = "crop"

    def __post_init__(self):
        for name in ("prompt", "negative_prompt"):
            if not isinstance(getattr(self, name), str):
                raise TypeError(f"{name} is {brief(getattr(self, name))}: it must be text, such as 'a lion wearing a crown'")
        if not self.prompt.strip():
            raise ValueError(f"prompt is {brief(self.prompt)}: it must say what to draw, such as 'a lion wearing a crown'")
        self._settle("seed", _whole, 0, LARGEST_SEED)
        self._settle("images", _whole, 1, MOST_IMAGES)
        if self.steps is not None:
            self._settle("steps", _whole, 1, 1000)
        if self.guidance is not None:
            self._settle("guidance", _real, 0, math.inf)
        if self.handover is not None:
            self._settle("handover", _real, 0, 1)
            if not 0 < self.handover < 1:
                raise ValueError(f"handover is {self.handover:g}: both models must have something to do; give a share such as 0.8")
        for name, most in (("strength", 1), ("sketch_scale", 2), ("sketch_start", 1), ("sketch_end", 1)):
            if getattr(self, name) is not None:
                self._settle(name, _real, 0, most)
        for name in PICTURES:
            if getattr(self, name) is not None:
                object.__setattr__(self, name, Source.of(getattr(self, name), name))
        self._check_together()
        for name in ("width", "height"):
            if getattr(self, name) is not None:
                self._settle(name, _whole, 8, 4096)
                _refuse_odd_side(name, getattr(self, name))
        for name in ("sampler", "model", "refiner"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, str):
                raise TypeError(f"{name} is {brief(value)}: it must be a name, or None for the model's own")
        if self.sampler is not None and not is_known(self.sampler):
            raise ValueError(f"sampler is {brief(self.sampler)}: choose one of {', '.join(SAMPLERS)}")

    def _check_together(self):
        """Refuse ingredients that mean nothing without others."""
        for name, wanted in NEEDED.items():
            if getattr(self, name) is not None and getattr(self, wanted) is None:
                raise ValueError(f"{name} was given and no {wanted}: {name} says what becomes of one, so give {wanted}= too")
        if self.sketch is not None and self.image is not None:
            raise ValueError("image and sketch were both given: a picture begins with one of them")
        if (self.sketch_start or 0) >= (1 if self.sketch_end is None else self.sketch_end):
            raise ValueError(f"sketch_start is {self.sketch_start}, which is not before sketch_end: no step would follow the sketch")
        if self.fit not in FITS:
            raise ValueError(f"fit is {brief(self.fit)}: it must be one of {', '.join(FITS)}")

    def _settle(self, name, check, low, high):
        object.__setattr__(self, name, check(name, getattr(self, name), low, high))

    def but(self, **changes):
        """The same recipe with some ingredients changed.

        Raises:
            TypeError: a Recipe has no such ingredient, or the value is of the wrong kind.
            ValueError: a value out of range.
        """
        known = [f.name for f in dataclasses.fields(self)]
        for name in changes:
            if name not in known:
                raise TypeError(f"a Recipe has no {name!r}: it has {', '.join(known)}")
        return dataclasses.replace(self, **changes)

    def split(self):
        """A recipe for each of the images: one image, and its own seed."""
        return [self.but(seed=self.seed + index, images=1) for index in range(self.images)]

    def to_dict(self):
        """The recipe as a plain dictionary, for JSON; pictures by their digests."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {name: value.to_dict() if isinstance(value, Source) else value for name, value in values.items()}

    @classmethod
    def from_dict(cls, values):
        """A recipe from `to_dict`'s dictionary; unknown keys are an error, not a surprise."""
        known = {f.name for f in dataclasses.fields(cls)}
        if not isinstance(values, dict):
            raise TypeError(f"{brief(values)} is not a Recipe's dictionary: give what Recipe.to_dict returned")
        unknown = sorted(map(str, set(values) - known))
        if unknown or "prompt" not in values:
            problem = f"unknown ingredients {brief(unknown)}" if unknown else "no prompt"
            raise ValueError(f"this is not a Recipe, it has {problem}: a Recipe has {', '.join(sorted(known))}")
        pictures = {name: Source.from_dict(values[name]) for name in PICTURES if values.get(name) is not None}
        return cls(**{**values, **pictures})


def _whole(name, value, low, high):
    """The value as an int, be it Python's, NumPy's or torch's."""
    if isinstance(value, list | tuple | range) and name == "seed":
        raise TypeError(
            f"seed is {brief(value)}: a recipe has one; images=3 takes three seeds in a row, and several are a sweep, "
            "sdlab.sweep(pipe, recipe, seed=[1, 2, 3])"
        )
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool):
        raise TypeError(f"{name} is {brief(value)}: it must be a whole number from {low} to {high}")
    if not low <= number <= high:
        raise ValueError(f"{name} is {brief(number)}: it must lie between {low} and {high}")
    return number


def _real(name, value, low, high):
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} is {brief(value)}: it must be a number, such as {7.5 if high > 1 else 0.8}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number) or not low <= number <= high:
        rule = f"{low} or more and finite, such as 7.5" if high == math.inf else f"between {low} and {high}"
        raise ValueError(f"{name} is {brief(value)}: it must be {rule}")
    return number


def _refuse_odd_side(name, side):
    if side % 8:
        near = max(8, round(side / 8) * 8)
        raise ValueError(f"{name} is {side}: it must be a multiple of 8, because the U-Net works on a smaller grid; try {near}")

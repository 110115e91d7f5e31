"""The Recipe: everything that decides a picture, checked when it is made, and the only thing that is saved."""

import dataclasses
import math
from dataclasses import dataclass

from sdlab.pipes.samplers import SAMPLERS

LARGEST_SEED = 2**63 - 1


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a picture.

    Args:
        prompt: what to draw.
        negative_prompt: what to steer away from.
        steps: denoising steps, at least 1.
        guidance: guidance scale; 1 or less means the prompt alone, without steering.
        seed: of the first image's noise; further images take the next seeds.
        width, height: in pixels, multiples of 8; None means the model's own size.
        images: how many.
        sampler: a name from `sdlab.pipes.samplers.SAMPLERS`; None means the model's own.
        model: a name from the model table, or a folder; filled in when a picture is made.

    Raises:
        TypeError: a value of the wrong kind.
        ValueError: a value out of range. The message names the value, the rule and the remedy.
    """

    prompt: str
    negative_prompt: str = ""
    steps: int = 25
    guidance: float = 7.0
    seed: int = 0
    width: int | None = None
    height: int | None = None
    images: int = 1
    sampler: str | None = None
    model: str | None = None

    def __post_init__(self):
        for name in ("prompt", "negative_prompt"):
            if not isinstance(getattr(self, name), str):
                raise TypeError(f"{name} is {getattr(self, name)!r}: it must be text, such as 'a lion wearing a crown'")
        if not self.prompt.strip():
            raise ValueError(f"prompt is {self.prompt!r}: it must say what to draw, such as 'a lion wearing a crown'")
        _whole("steps", self.steps, 1, 1000)
        _whole("seed", self.seed, 0, LARGEST_SEED)
        _whole("images", self.images, 1, 64)
        if isinstance(self.guidance, bool) or not isinstance(self.guidance, int | float):
            raise TypeError(f"guidance is {self.guidance!r}: it must be a number, such as 7.5")
        if not math.isfinite(self.guidance) or self.guidance < 0:
            raise ValueError(f"guidance is {self.guidance}: it must be 0 or more and finite, such as 7.5")
        for name in ("width", "height"):
            side = getattr(self, name)
            if side is None:
                continue
            _whole(name, side, 8, 4096)
            if side % 8:
                near = max(8, round(side / 8) * 8)
                raise ValueError(f"{name} is {side}: it must be a multiple of 8, because the U-Net works on a smaller grid; try {near}")
        if self.sampler is not None and self.sampler not in SAMPLERS:
            raise ValueError(f"sampler is {self.sampler!r}: choose one of {', '.join(SAMPLERS)}")

    def but(self, **changes):
        """The same recipe with some ingredients changed."""
        known = [f.name for f in dataclasses.fields(self)]
        for name in changes:
            if name not in known:
                raise TypeError(f"a Recipe has no {name!r}: it has {', '.join(known)}")
        return dataclasses.replace(self, **changes)

    def to_dict(self):
        """The recipe as a plain dictionary, for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values):
        """A recipe from `to_dict`'s dictionary; unknown keys are an error, not a surprise."""
        known = {f.name for f in dataclasses.fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown or "prompt" not in values:
            problem = f"unknown ingredients {unknown}" if unknown else "no prompt"
            raise ValueError(f"this is not a Recipe, it has {problem}: a Recipe has {', '.join(sorted(known))}")
        return cls(**values)


def _whole(name, value, low, high):
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} is {value!r}: it must be a whole number from {low} to {high}")
    if not low <= value <= high:
        raise ValueError(f"{name} is {value}: it must lie between {low} and {high}")

"""Scenes as photographs come: small ones enlarged, large ones cropped. What SDXL is told of it (Podell et al. 2023, section 2.2).

A real collection holds pictures too small for the model, and pictures of other shapes. SDXL keeps them all, and says to the model how large
each was and where it was cropped; in sampling one asks for a large one, cropped nowhere.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from pocket.world.scene import Inventor, Scene, draw

SMALL, CROPPED = 0.2, 0.25  # shares of the pictures
POOR, GOOD = 2.5, 6.0  # aesthetic scores of spoilt and of sound pictures; the values SDXL's refiner takes for negative and prompt


@dataclass(frozen=True)
class Framed:
    """A scene, the side in pixels it was photographed at, and the corner of the crop."""

    scene: Scene
    original: int
    top: int = 0
    left: int = 0


class Framer:
    """Invents framed scenes of a mix for pictures of `side` pixels."""

    def __init__(self, mix, side):
        self.invent, self.side = Inventor(mix), side

    def __call__(self, rng):
        """One random framed scene. `rng` is a numpy Generator."""
        scene, kind, side = self.invent(rng), rng.random(), self.side
        if kind < SMALL:
            return Framed(scene, round(side * rng.uniform(0.3, 0.9)))
        if kind < SMALL + CROPPED:
            original = round(side * rng.uniform(1.1, 1.5))
            return Framed(scene, original, *(int(corner) for corner in rng.integers(original - side + 1, size=2)))
        return Framed(scene, side)


def photograph(framed, rng, side, grain=1):
    """The picture of a framed scene, uint8 (side, side, 3): drawn at its own size, enlarged if too small, cropped if too large."""
    picture = draw(framed.scene, rng, framed.original, grain)
    if framed.original < side:
        return np.asarray(picture.resize((side, side), Image.BICUBIC))
    return np.asarray(picture)[framed.top : framed.top + side, framed.left : framed.left + side]


def tell(framed, side, wider=1):
    """What SDXL's base is told: original height and width, the crop's top and left, the height and width asked for: six numbers.

    They are pixels of the pictures as they are shown, `wider` times as many as those of the drawn ones.
    """
    return [wider * number for number in (framed.original, framed.original, framed.top, framed.left, side, side)]


def tell_refiner(framed, wider=1):
    """What its refiner is told: original height and width, the crop's top and left, and the aesthetic score: five numbers."""
    frame = [wider * number for number in (framed.original, framed.original, framed.top, framed.left)]
    return [*frame, POOR if framed.scene.flaw else GOOD]

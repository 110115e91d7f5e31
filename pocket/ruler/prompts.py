"""The fixed prompts that the model is measured on, the same for the same arguments; each says all that its scene holds."""

from dataclasses import replace

import numpy as np

from pocket.world.captions import say_plainly
from pocket.world.scene import Inventor, held_out_kind


def one_thing(mix, count=500, language="en"):
    """`count` pairs `(prompt, scene)`: one thing, one style, one background, and a colour for half of them."""
    return _word(_scenes(replace(_simplify(mix), colour=0.5), count, 20_26), language)


def unseen_style(mix, count=128):
    """The same without colours, each thing in a style that training never showed it in."""
    return _word(_scenes(replace(_simplify(mix), held_out=True), count, 20_27, kept_back="style"))


def two_things(mix, count=128):
    """Scenes of two things, joined by each of the relations."""
    return _word(_scenes(replace(_simplify(mix), two_things=1), count, 20_28, things=2))


def unseen_pairs(mix, count=128):
    """Scenes of two things that training never showed together."""
    return _word(_scenes(replace(_simplify(mix), two_things=1, held_out=True), count, 20_29, kept_back="pair"))


# Every prompt of the course, as the notebooks use it.
COURSE = (
    "A majestic lion wearing a crown, digital art, highly detailed",
    "A cyberpunk city at night with neon lights, rainy weather, reflections",
    "a beautiful mountain landscape with a lake, photorealistic",
    "a beautiful mountain landscape with a lake, oil painting Van Gogh",
    "a beautiful mountain landscape with a lake, japanese anime",
    "a beautiful mountain landscape with a lake, pencil sketch",
    "a beautiful mountain landscape with a lake, watercolor",
    "A portrait of a wizard casting a spell, fantasy art",
    "A futuristic robot in a garden, detailed, artistic",
    "An astronaut riding a green horse",
    "A majestic lion jumping from a big stone at night",
    "a red cube on top of a blue sphere",
)


def _simplify(mix):
    return replace(mix, two_things=0, colour=0, sized=0, placed=0, nothing=0, flaw=0)


def _scenes(mix, count, seed, things=1, kept_back=None):
    rng, invent, found = np.random.default_rng(seed), Inventor(mix), []
    while len(found) < count:
        scene = invent(rng)
        if len(scene.things) >= things and held_out_kind(scene) == kept_back:
            found.append(scene)
    return found


def _word(scenes, language="en"):
    return [(say_plainly(scene, language), scene) for scene in scenes]

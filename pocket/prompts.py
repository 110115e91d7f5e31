"""The fixed prompts that the model is measured on: one thing, one style, one background, and a colour for half of them."""

from dataclasses import replace

import numpy as np

from pocket import catalog
from pocket.words import BACKGROUNDS, STYLES
from pocket.world import Inventor


def fixed(mix, count, seed=20_26):
    """`count` pairs `(prompt, scene)`, the same for the same arguments; each prompt says all that its scene holds."""
    rng = np.random.default_rng(seed)
    invent = Inventor(replace(mix, two_things=0, sized=0, placed=0, nothing=0, flaw=0, colour=0.5))
    scenes = [invent(rng) for _ in range(count)]
    return [(_prompt(scene), scene) for scene in scenes]


def unseen(mix, count, seed=20_27):
    """The same for things in a style that training never showed them in."""
    known = set(Inventor(mix).names)
    held = sorted(pair for pair in catalog.held_out()["styles"] if pair[0] in known)
    rng = np.random.default_rng(seed)
    scenes = []
    for (_, scene), i in zip(fixed(replace(mix, colour=0), count, seed), rng.permutation(count), strict=True):
        concept, style = held[i % len(held)]
        scenes.append(replace(scene, things=(replace(scene.things[0], concept=concept, colour=None),), style=style))
    return [(_prompt(scene), scene) for scene in scenes]


def _prompt(scene):
    thing = scene.things[0]
    subject = f"{thing.colour} {thing.concept}" if thing.colour else thing.concept
    article = "an" if subject[0] in "aeiou" else "a"
    where = BACKGROUNDS[scene.background][0].format(c=scene.background_colour)
    return f"{article} {subject} {where}, {STYLES[scene.style].words[0]}"

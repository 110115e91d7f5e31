"""The fixed prompts that the model is measured on: one thing, one style, one background, and a colour for half of them."""

from dataclasses import replace

import numpy as np

from pocket.words import BACKGROUNDS, STYLES
from pocket.world import Inventor


def fixed(mix, count, seed=20_26):
    """`count` pairs `(prompt, scene)`, the same for the same arguments; each prompt says all that its scene holds."""
    rng = np.random.default_rng(seed)
    invent = Inventor(replace(mix, two_things=0, sized=0, placed=0, nothing=0, flaw=0, colour=0.5))
    pairs = []
    for _ in range(count):
        scene = invent(rng)
        thing = scene.things[0]
        subject = f"{thing.colour} {thing.concept}" if thing.colour else thing.concept
        article = "an" if subject[0] in "aeiou" else "a"
        where = BACKGROUNDS[scene.background][0].format(c=scene.background_colour)
        pairs.append((f"{article} {subject} {where}, {STYLES[scene.style].words[0]}", scene))
    return pairs

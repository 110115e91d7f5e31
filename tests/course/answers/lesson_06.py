"""Seeds."""

from functools import cache

import torch

from tests.course.exercises import STUB, Exercise

COSINE = "cosine = (x0 * x1).sum() / (x0.norm() * x1.norm())\n"
ANGLE = COSINE + "theta = torch.acos(cosine)\n"
ARC = "return (torch.sin((1 - t) * theta) * x0 + torch.sin(t * theta) * x1) / torch.sin(theta)"


def two_noises():
    return dict(zip(("start", "end"), torch.randn(2, 1, 4, 8, 8, generator=torch.Generator().manual_seed(42)), strict=True))


@cache
def draws(pipe):
    """The lesson's `draw`, with a single step, and its picture of seed 7."""

    def draw(generator, count=1):
        return pipe(["a robot"] * count, generator=generator, num_inference_steps=1, guidance_scale=1.0).images

    return {"draw": draw, "alone": draw(torch.Generator("cpu").manual_seed(7))}


EXERCISES = [
    Exercise(
        "06",
        "Spherical interpolation",
        given=two_noises,
        wrong={
            STUB: "it should stay the same, all the way",
            ANGLE + ARC.replace("x0", "x").replace("x1", "x0").replace("* x ", "* x1 "): "at t = 0 it should be x0",
            ANGLE + ARC.removesuffix(" / torch.sin(theta)"): "should be at (0.97, 0.26)",
            COSINE + "theta = cosine\n" + ARC: "it should stay the same",
            "theta = torch.acos((x0 * x1).sum())\n" + ARC: "at t = 0 it should be x0",
            "theta = torch.acos(torch.nn.functional.cosine_similarity(x0, x1))\n" + ARC: "should be at (0.97, 0.26)",
            "line = (1 - t) * x0 + t * x1\nreturn line / line.norm() * ((1 - t) * x0.norm() + t * x1.norm())": "should be at (0.97, 0.26)",
        },
    ),
    Exercise(
        "06",
        "The second picture",
        given=draws,
        uses=("seeded", "levels"),
        right=(
            "return draw([seeded(seed) for seed in seeds], len(seeds))",
            "pictures = []\nfor seed in seeds:\n    pictures += draw(seeded(seed))\nreturn pictures",
        ),
        wrong={
            STUB: "where does the generator stand",
            "return draw(seeded(seeds[0]), len(seeds))": "where does the generator stand",
            "generator = seeded(0)\nreturn [draw(generator)[0] for _ in seeds]": "no longer that of seed 7",
            "return [draw(seeded(seed)) for seed in seeds]": "take [0] of it",
            "return draw(seeded(seeds[0]))": "one picture for each seed",
            "for seed in seeds:\n    return [draw(seeded(seed))[0]]": "one picture for each seed",
        },
    ),
]

"""Styles."""

from functools import cache

import torch

from tests.course.exercises import STUB, Exercise

AFTER = "after = int(np.argmax(np.array(shares) >= 0.5))\n"
WAY = "low, high = shares[after - 1], shares[after]\nway = {}\nreturn steps[after - 1] + way * (steps[after] - steps[after - 1])"
FIRST = AFTER + "if after == 0:\n    return steps[0]\n"

TURNS = """
vectors = embed([first, then])

def change(pipe, step, time, values):
    values["prompt_embeds"][-1] = vectors[{}]
    return values

told = {{"callback_on_step_end": change, "callback_on_step_end_tensor_inputs": ["prompt_embeds"]}}
return draw(vectors[:1].clone(), [seed], **told)[0]
"""


@cache
def two_pure_styles(pipe):
    """The lesson's three pairs of prompts, and the pictures of each prompt."""
    pairs = [("oil painting", "pencil sketch"), ("cartoon", "watercolor"), ("pixel art", "stencil")]
    subjects = ["a lion on the beach", "a house in the snow", "a car in a garden"]
    prompts = [[f"{subject}, {style}" for style in pair] for subject, pair in zip(subjects, pairs, strict=True)]
    told = {"num_inference_steps": 25, "guidance_scale": 4.0}
    noises = [[torch.Generator().manual_seed(seed) for _ in range(2)] for seed in range(3)]
    pures = [pipe(both, generator=noise, **told).images for both, noise in zip(prompts, noises, strict=True)]
    return {"pipe": pipe, "steps": 25, "guidance": 4.0, "pairs": pairs, "prompts": prompts, "pures": pures, "titles": [None] * 9}


EXERCISES = [
    Exercise(
        "04",
        "The step of the decision",
        right=(FIRST + "return float(np.interp(0.5, shares[after - 1 : after + 1], steps[after - 1 : after + 1]))",),
        wrong={
            STUB: "20 is the first point above one half",
            AFTER + "return after": "10 here, and not 1",
            AFTER + "return (steps[after - 1] + steps[after]) / 2": "10 here, and not 5.0",
            AFTER + "return shares[after]": "10 here, and not 0.5",
            FIRST + WAY.format("(high - 0.5) / (high - low)"): "10 here, and not 0.0",
            FIRST + WAY.format("0.5"): "10 here, and not 5.0",
            FIRST + WAY.format("(0.5 - low) / high"): "not at 13",
            AFTER + WAY.format("(0.5 - low) / (high - low)"): "where the first point is above one half already",
            "return np.interp(0.5, shares, steps)": "the first time counts",
            "return np.interp(0.5, steps, shares)": "10 here, and not 0.025",
        },
    ),
    Exercise(
        "04",
        "Half and half",
        given=two_pure_styles,
        uses=("embed", "draw", "chances", "between", "belief"),
        between=True,
        right=(
            TURNS.format("(step + 1) // 2 % 2"),
            'return draw(embed([first + ", " + then.split(", ")[1]]), [seed])[0]',
        ),
        wrong={
            STUB: "as good as the first style alone",
            TURNS.format("1"): "as good as the second style alone",
            TURNS.format("int(step >= 12)"): "as good as the second style alone",
            TURNS.format("int(step >= 23)"): "as good as the first style alone",
            "return draw(embed([first, then]).mean(0)[None], [seed])[0]": "the judge believes in neither style",
        },
        slow=True,
    ),
]

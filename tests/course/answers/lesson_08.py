"""Image to image."""

import numpy as np
import torch
from PIL import Image

import sdlab
from sdlab.pipes import models, samplers
from tests.course.exercises import STUB, Exercise

AROUND = "around = clean if t is None else {}\nreturn mask * x + (1 - mask) * around"


def a_house(pipe):
    side = sdlab.native_side(pipe)
    return {"pipe": pipe, "house": sdlab.Recipe("a house", image=Image.new("RGB", (side, side), "green"))}


def a_hole(pipe):
    """A source and a mask as the lesson has them; two steps."""
    side, scheduler = sdlab.native_side(pipe), samplers.make("DDIM", pipe.scheduler.config)
    scheduler.set_timesteps(20)
    inside = np.zeros((side, side))
    inside[side // 4 : -side // 4, side // 4 : -side // 4] = 1
    known = {"pipe": pipe, "scheduler": scheduler, "inside": inside, "steps": 2, "guidance": models.recommend(pipe)[1]}
    known["clean"] = torch.randn(1, 4, *[pipe.unet.config.sample_size] * 2, generator=torch.Generator().manual_seed(1))
    return known | {"rocket": sdlab.Recipe("a rocket"), "tent": Image.new("RGB", (side, side), "green")}


EXERCISES = [
    Exercise(
        "08",
        "Enough steps",
        given=a_house,
        wrong={
            STUB: "40 for 20",
            "return wanted / strength": "yours are 33.3",
            "return int(wanted / strength)": "so round up",
            "return round(wanted / strength)": "so round up",
            "return int(wanted * strength)": "40 for 20",
            "return int(wanted / strength) + 1": "20 for 20",
            "from math import ceil\nreturn ceil(wanted / strength)": "one after the other instead of dividing",
            "return next(s for s in range(1, wanted) if int(s * strength) >= wanted)": "stopped with StopIteration",
        },
    ),
    Exercise(
        "08",
        "The surroundings",
        given=a_hole,
        uses=("seam",),
        between=True,
        wrong={
            STUB: "the source outside has no noise",
            AROUND.format("clean + noise"): "not as much as at t",
            AROUND.format("noise"): "not as much as at t",
            AROUND.format("scheduler.add_noise(x, noise, t)"): "not as much as at t",
            AROUND.format("scheduler.add_noise(noise, clean, t)"): "not as much as at t",
            AROUND.format("scheduler.add_noise(clean, noise, t)").replace("mask * x + (1 - mask)", "(1 - mask) * x + mask"): "inside",
            "return scheduler.add_noise(mask * x + (1 - mask) * clean, noise, t)": "inside of the mask",
            "return mask * x + (1 - mask) * scheduler.add_noise(clean, noise, t)": "if t is None",
            "if t is not None:\n    return mask * x + (1 - mask) * scheduler.add_noise(clean, noise, t)": "something is None",
        },
    ),
]

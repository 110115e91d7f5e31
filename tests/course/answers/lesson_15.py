"""Benchmark."""

from types import SimpleNamespace

import numpy as np
import torch

from sdlab.bench import projecting
from tests.course.exercises import STUB, Exercise

FIT = "per_step, per_picture = np.polyfit(steps, seconds, 1)\nreturn {}"


def measured():
    """Times of calls that scatter."""
    n = np.tile([10, 20, 30, 50], 3)
    seconds = 0.4 + 0.05 * n + np.random.default_rng(0).normal(0, 0.02, len(n))
    return {"n": n, "seconds": seconds, "fitted": projecting.fit(n, seconds)}


def a_black_lion():
    return {"bad": SimpleNamespace(latents=[torch.zeros(1, 4, 2, 2), torch.full((1, 4, 2, 2), torch.nan)])}


LOOP = "for step, values in enumerate(latents{}):\n    if {}:\n        return step\nreturn {}"
BAD = "not torch.isfinite(values).all()"

EXERCISES = [
    Exercise(
        "15",
        "What the source did",
        given=measured,
        right=("line = np.polynomial.Polynomial.fit(steps, seconds, 1).convert()\na, b = line.coef\nreturn pictures * (a + b * each)",),
        wrong={
            STUB: "this is the mean time",
            "return pictures * each * np.mean(seconds / steps)": "not 3.25",
            "return pictures * each * np.sum(seconds) / np.sum(steps)": "should take 2.5 s",
            FIT.format("pictures * per_step * each"): "not 1.5",
            FIT.format("per_picture + pictures * per_step * each"): "paid once per picture",
            FIT.format("1000 * pictures * (per_picture + per_step * each)"): "not 2.5e+03",
            FIT.format("pictures * (per_picture + per_step * each)").replace("per_step, per_picture", "per_picture, per_step"): "not 30",
            "b = (seconds[1] - seconds[0]) / (steps[1] - steps[0])\n"
            "return pictures * (seconds[0] + b * (each - steps[0]))": "fit the line to all calls",
        },
    ),
    Exercise(
        "15",
        "Where did it break?",
        given=a_black_lion,
        right=(LOOP.format(", 1", "torch.isnan(values).any() or torch.isinf(values).any()", "None"),),
        wrong={
            STUB: "the third step holds a NaN",
            LOOP.format("", BAD, "None"): "counted from 1",
            LOOP.format(", 1", "torch.isnan(values).any()", "None"): "infinite is not finite either",
            LOOP.format(", 1", "not torch.isfinite(values).any()", "None"): "one number among many",
            LOOP.format(", 1", "torch.isfinite(values).all()", "None"): "the answer is 1",
            LOOP.format(", 1", BAD, "0"): "the answer is None",
            LOOP.format(", 1", BAD, "len(latents)"): "the answer is None",
            f"return [step for step, values in enumerate(latents, 1) if {BAD}]": "the answer is [3]",
            f"return max(step for step, values in enumerate(latents, 1) if {BAD})": "not the last",
            LOOP.format(", 1", "float('nan') in values", "None"): "look for it",
        },
    ),
]

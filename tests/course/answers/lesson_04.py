"""Styles."""

from functools import cache

import torch

from tests.course.exercises import STUB, Exercise

AFTER = "after = int(np.argmax(np.array(shares) >= 0.5))\n"
WAY = "low, high = shares[after - 1], shares[after]\nway = {}\nreturn steps[after - 1] + way * (steps[after] - steps[after - 1])"
FIRST = AFTER + "if after == 0:\n    return steps[0]\n"

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
]

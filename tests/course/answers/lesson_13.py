"""Rivals and relatives."""

from sdlab.scratch import ddpm
from tests.course.exercises import STUB, Exercise

JUMPS = """
x0 = x
for number, level in enumerate(levels):
    t = torch.full((len(x),), level)
    if number:
        x = {again}
    x0 = denoise(x, t)
return {end}
"""
NOISY = "ddpm.q_sample(schedule, x0, {}, torch.randn_like(x))"


RIGHT = NOISY.format("t")


def jumps(again=RIGHT, end="x0"):
    return JUMPS.format(again=again, end=end)


def schedule():
    return {"schedule": ddpm.cosine(512)}


EXERCISES = [
    Exercise(
        "13",
        "The straight path",
        wrong={
            STUB: "at t = 1 the path is at the noise",
            "return (1 - t) ** 0.5 * x0 + t**0.5 * eps, eps - x0": "at 1.1",
            "return t * x0 + (1 - t) * eps, x0 - eps": "t = 0 the path is at the picture",
            "return (1 - t) * x0 + t * eps, x0 - eps": "the velocity is -3",
            "return (1 - t) * x0 + t * eps, t * (eps - x0)": "the velocity is -3",
            "return (1 - t**2) * x0 + t**2 * eps, eps - x0": "at 1.1",
            "return (1 - t) * x0 + t * eps": "two things are asked for",
        },
    ),
    Exercise(
        "13",
        "Jumps",
        given=schedule,
        right=(jumps(),),
        wrong={
            STUB: "without noise",
            jumps(again="x0"): "variance",
            jumps(again=NOISY.format("torch.full_like(t, levels[number - 1])")): "variance",
            jumps(again="x0 + (1 - schedule.abar[level]).sqrt() * torch.randn_like(x)"): "should have shrunk",
            jumps(end=RIGHT): "without noise",
            "levels = levels[:1]" + jumps(): "not [511]",
        },
    ),
]

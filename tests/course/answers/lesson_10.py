"""DDPM."""

from sdlab.scratch import ddpm, drawings
from tests.course.exercises import STUB, Exercise

STEP = "eps = (xt - abar_t**0.5 * x0) / (1 - abar_t) ** 0.5\nreturn abar_s**0.5 * x0 {} * eps {}"
KEPT = "(1 - abar_s - sigma**2) ** 0.5"


def drawings_and_noise():
    return {"sheet": drawings.originals(), "schedule": ddpm.cosine(512)}


EXERCISES = [
    Exercise(
        "10",
        "The closed form",
        wrong={
            STUB: "still x0",
            "return abar * x0 + (1 - abar) * eps": "square roots",
            "return abar**0.5 * eps + (1 - abar) ** 0.5 * x0": "changed places",
            "return abar**0.5 * x0 - (1 - abar) ** 0.5 * eps": "sign",
        },
    ),
    Exercise(
        "10",
        "From velocity to picture",
        given=drawings_and_noise,
        wrong={
            STUB: "off by",
            "return abar**0.5 * xt + (1 - abar) ** 0.5 * v": "off by",
            "return (xt - (1 - abar) ** 0.5 * v) / abar**0.5": "off by",
            "return (1 - abar) ** 0.5 * xt - abar**0.5 * v": "off by",
        },
    ),
    Exercise(
        "10",
        "One DDIM step",
        wrong={
            STUB: "there is still noise",
            STEP.format("+ (1 - abar_s) ** 0.5", "+ sigma * z"): "the variance 0.4 in all",
            STEP.format(f"+ {KEPT}", ""): "the variance 0.4 in all",
            STEP.format(f"- {KEPT}", "+ sigma * z"): "look at the signs",
            STEP.format(f"+ {KEPT}", "- sigma * z"): "sigma times",
        },
    ),
]

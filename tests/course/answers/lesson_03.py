"""Steps and samplers."""

import torch

from sdlab.pipes import samplers
from tests.course.exercises import STUB, Exercise

EPS = "eps = (x - abar**0.5 * x0) / (1 - abar) ** 0.5\n"


def one_call(pipe):
    """One call of the network, as the lesson notes it."""
    ddim = samplers.make("DDIM", pipe.scheduler.config)
    ddim.set_timesteps(25)
    x, *answers = torch.randn(3, 1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    return {"ddim": ddim, "calls": 0, "noted": [None, (x, ddim.timesteps[1], torch.cat(answers))]}


def menu(pipe):
    return {"pipe": pipe, "menu": ["DDIM", "Heun", "PNDM", "Euler a"]}


EXERCISES = [
    Exercise(
        "03",
        "One step by hand",
        given=one_call,
        uses=("step",),
        wrong={
            STUB: "the latents have not changed",
            "return x0": "a step to the same level should change nothing",
            "return abar_next**0.5 * x0 + (1 - abar_next) ** 0.5 * x": "a step to the same level should change nothing",
            EPS + "return abar_next * x0 + (1 - abar_next) * eps": "with the same two roots",
            EPS + "return abar**0.5 * x0 + (1 - abar) ** 0.5 * eps": "nothing but x0 should be left",
            EPS + "return (1 - abar_next) ** 0.5 * x0 + abar_next**0.5 * eps": "nothing but x0 should be left",
            EPS + "return abar_next**0.5 * x0 - (1 - abar_next) ** 0.5 * eps": "a step to the same level should change nothing",
            "eps = (x - abar * x0) / (1 - abar)\nreturn abar_next * x0 + (1 - abar_next) * eps": "check the two roots",
            EPS: "should return the next latents",
        },
    ),
    Exercise(
        "03",
        "A fair comparison",
        given=menu,
        right=('return {"Heun": (budget + 1) // 2, "PNDM": budget - 1}.get(sampler, budget)',),
        wrong={
            STUB: "evaluations, the budget is 9",
            'return budget // 2 if sampler == "Heun" else budget': "could take one step more",
            'return {"Heun": budget // 2, "PNDM": budget - 1}.get(sampler, budget)': "could take one step more",
            'return {"Heun": (budget + 1) // 2, "PNDM": budget + 1}.get(sampler, budget)': "10 steps of PNDM take 11 evaluations",
            'return {"Heun": (budget + 1) / 2, "PNDM": budget - 1}.get(sampler, budget)': "a whole number, an int",
            'return {"heun": (budget + 1) // 2, "pndm": budget - 1}.get(sampler, budget)': "evaluations, the budget is 9",
            'if sampler == "Heun":\n    return (budget + 1) // 2': "you allow None steps",
        },
    ),
]

"""The measurement behind notebook 03: its count of evaluations, its spacing, and what the lesson says of its file."""

import json

import numpy as np
import pytest
import torch

from benchmarks import steps
from sdlab.assets import ASSETS
from sdlab.lesson import read_results
from sdlab.study.metrics import latent_distance

CONFIG = {"_class_name": "DDIMScheduler", **json.loads((ASSETS / "pocket/scheduler/scheduler_config.json").read_text(encoding="utf-8"))}


@pytest.mark.parametrize(
    ("name", "budget", "expected"), [("DDIM", 10, 10), ("Heun", 10, 5), ("Heun", 5, 3), ("PNDM", 10, 9), ("UniPC", 20, 20), ("Heun", 1, 1)]
)
def test_steps_within_a_budget_of_evaluations(name, budget, expected):
    assert steps.steps_within(name, budget, CONFIG) == expected


def solve(name, count, deviation=0.5):
    """Solve for data from one normal distribution, where the best answer of a network is known: the numbers that `count` steps reach."""
    scheduler = steps.make(name, CONFIG)
    scheduler.set_timesteps(count)
    log_sigmas = ((1 - scheduler.alphas_cumprod) / scheduler.alphas_cumprod).sqrt().log().double().numpy()
    x = torch.tensor([[-1.5], [0.4], [1.2]]) * scheduler.init_noise_sigma
    for level in scheduler.timesteps:
        abar = 1 / (1 + np.exp(2 * np.interp(float(level), np.arange(1000), log_sigmas)))
        seen = scheduler.scale_model_input(x, level)
        x0 = seen * abar**0.5 * deviation**2 / (abar * deviation**2 + 1 - abar)
        eps = (seen - abar**0.5 * x0) / (1 - abar) ** 0.5
        x = scheduler.step(abar**0.5 * eps - (1 - abar) ** 0.5 * x0, level, x).prev_sample
    return x.double().numpy()


@pytest.mark.parametrize(("name", "order"), [("Euler Karras", 1), ("Heun Karras", 2), ("DPM++ 2M Karras", 2)])
def test_with_karras_spacing_every_solver_has_its_order(name, order):
    exact = solve("Heun Karras", 600)
    far = [np.abs(solve(name, count) - exact).max() for count in (10, 20)]
    assert np.log2(far[0] / far[1]) == pytest.approx(order, abs=0.6)


def test_the_last_jump_hides_the_order_when_levels_are_evenly_spaced():
    exact = solve("Heun Karras", 600)
    far = [np.abs(solve("Heun", count) - exact).max() for count in (10, 20)]
    assert np.log2(far[0] / far[1]) < 1.4


@pytest.fixture(scope="module")
def record():
    return read_results("03")


def far(record, name, budget):
    """The mean distance over the pictures."""
    [row] = [row for row in record["distances"] if (row["sampler"], row["budget"]) == (name, budget)]
    return float(np.mean(row["distance"]))


def slope(record, name, budgets=(20, 40, 70)):
    """The mean over the pictures of the slope; that of the lesson, or over other budgets."""
    rows = [row["distance"] for row in record["distances"] if row["sampler"] == name and row["budget"] in budgets]
    return np.polyfit(np.log(budgets), np.log(rows), 1)[0].mean()


def test_what_the_lesson_says_of_distances_holds(record):
    names = {row["sampler"] for row in record["distances"]}
    simple, best = {"DDIM", "Euler"}, "DPM++ 2M Karras"
    assert max(far(record, name, 5) for name in simple) < min(far(record, name, 5) for name in names - simple - {"Euler Karras"})
    assert far(record, best, 20) < 0.7 * min(far(record, name, 20) for name in names - {best})
    assert far(record, best, 5) > 2 * far(record, "DPM++ 2M", 5)
    for name in ("Heun", "PNDM", "UniPC"):
        assert far(record, name, 20) > far(record, "DDIM", 20)
    assert far(record, "Euler a", 40) > 0.7 * far(record, "Euler a", 10)
    assert far(record, "Euler a", 40) > 5 * far(record, "Euler", 40)


def test_what_the_lesson_says_of_the_first_steps_and_of_the_unfair_comparison_holds(record):
    latents = torch.tensor(record["exact"])
    latents = latents.view(4, 4, *[round((latents.numel() / 16) ** 0.5)] * 2)
    strangers = np.mean([latent_distance(latents[other][None], latents[mine][None]).item() for mine, other in enumerate((1, 0, 3, 2))])
    assert far(record, "DDIM", 10) < 0.7 * strangers
    assert far(record, "DDIM", 20) < 0.3 * strangers
    assert far(record, "Euler a", 40) > 0.7 * strangers
    others = [far(record, name, 10) for name in ("DDIM", "UniPC")]
    assert far(record, "Heun", 20) < min(others) < max(others) < far(record, "Heun", 10)


def test_what_the_lesson_says_of_slopes_holds(record):
    for name in ("Euler Karras", "DPM++ 2M"):
        assert slope(record, name) == pytest.approx(-1, abs=0.4)
    assert slope(record, "Heun Karras") < slope(record, "Euler Karras") - 0.7
    assert slope(record, "Heun Karras") < -2
    best = "DPM++ 2M Karras"
    assert slope(record, "Heun Karras") < slope(record, best) < slope(record, "Euler Karras")
    assert slope(record, best, (70, 100)) > slope(record, best) + 0.3  # it becomes flatter


def test_what_the_lesson_says_of_the_judge_holds(record):
    right = {
        (row["sampler"], row["budget"]): np.mean(np.all([row[head] for head in ("object", "style", "background")], axis=0))
        for row in record["accuracy"]
    }
    for name in ("DDIM", "Euler a", "DPM++ 2M"):
        assert right[name, 5] > right[name, 20] - 0.16
    for name in ("Heun", "PNDM", "DPM++ 2M Karras"):
        assert right[name, 5] < right[name, 20] - 0.25
    assert np.ptp([right[name, 20] for name in steps.JUDGED if name != "PNDM"]) < 0.16
    assert right["PNDM", 20] < right["DDIM", 20] - 0.2
    assert abs(right["DDIM", 20] - right["DDIM", 10]) < 0.11
    assert abs(right["DDIM", 50] - right["DDIM", 20]) < 0.11

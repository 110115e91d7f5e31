"""The report on guidance: its loop is the pipeline's where the pipeline can do the same, and its repairs do something."""

import json

import numpy as np
import pytest
import torch

import sdlab
from pocket.reports.guidance import SCALES, draw, make, settings
from pocket.reports.results import write_lines

PROMPTS, SEEDS, NUMBERS = ["a lion on the beach, cartoon", "a house at night, oil painting"], [3, 4], 1024


@pytest.fixture(scope="module")
def pipe():
    pipe = sdlab.load("pocket")
    pipe.set_progress_bar_config(disable=True)
    return pipe


def _levels(pictures, others):
    return max(np.abs(np.asarray(a, int) - np.asarray(b, int)).max() for a, b in zip(pictures, others, strict=True))


def _theirs(pipe, **more):
    generators = [torch.Generator("cpu").manual_seed(seed) for seed in SEEDS]
    return pipe(PROMPTS, num_inference_steps=3, generator=generators, **more).images


def test_every_setting_makes_a_guider_and_fits_into_json():
    for setting in settings(NUMBERS).values():
        assert make(**json.loads(json.dumps(setting))).num_conditions in (1, 2)
    assert len(settings(NUMBERS)) == len(SCALES) + 3


@pytest.mark.slow
@pytest.mark.parametrize("on_guess", [True, False])
def test_plain_guidance_is_the_pipelines(pipe, on_guess):
    ours = draw(pipe, PROMPTS, SEEDS, make("plain", guidance_scale=7.5), 3, on_guess)
    assert _levels(ours, _theirs(pipe, guidance_scale=7.5)) <= 1


@pytest.mark.slow
def test_rescaling_is_the_pipelines(pipe):
    ours = draw(pipe, PROMPTS, SEEDS, make(**settings(NUMBERS)["rescaled"]), 3, on_guess=False)
    assert _levels(ours, _theirs(pipe, guidance_scale=15.0, guidance_rescale=0.7)) <= 1


@pytest.mark.slow
def test_projected_guidance_that_keeps_everything_is_plain_and_its_momentum_counts(pipe):
    plain = draw(pipe, PROMPTS, SEEDS, make("plain", guidance_scale=5.0), 3)
    projected = settings(NUMBERS)["projected"] | {"guidance_scale": 4.0, "eta": 1.0, "adaptive_projected_guidance_rescale": 0.0}
    still = projected | {"adaptive_projected_guidance_momentum": None}
    assert _levels(draw(pipe, PROMPTS, SEEDS, make(**still), 3), plain) <= 1
    assert _levels(draw(pipe, PROMPTS, SEEDS, make(**projected), 3), plain) > 1


def test_the_file_has_a_line_per_entry(tmp_path):
    write_lines(tmp_path / "new" / "02.json", {"about": {"steps": 25}, "guidance 1": {"variety": [1.23456]}})
    text = (tmp_path / "new" / "02.json").read_text(encoding="utf-8")
    assert len(text.splitlines()) == 4
    assert json.loads(text)["guidance 1"] == {"variety": [1.2346]}

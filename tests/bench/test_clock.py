"""The clock: phases without a gap, the device waited for before every reading."""

from types import SimpleNamespace

import pytest
import torch

from sdlab.bench import clock
from sdlab.bench.clock import Sample, time_call

SHORT = {"prompt": "a lion", "num_inference_steps": 3, "guidance_scale": 4.0, "output_type": "pil"}


@pytest.fixture
def seconds(monkeypatch):
    """A clock that shows 0, 1, 3, 6, 10 …: every span is of another length."""
    shown = (number * (number + 1) / 2 for number in range(1000))
    monkeypatch.setattr(clock, "time", SimpleNamespace(perf_counter=lambda: next(shown)))


def test_the_phases_follow_each_other_and_add_up_to_the_total(pipe, seconds):
    found, images = time_call(pipe, torch.device("cpu"), **SHORT)
    assert (found.text, found.steps, found.decode) == (1, (2, 3, 4), 5)
    assert found.total == 15
    assert found.pictures == len(images) == 1


def test_a_batch_is_shared_out_among_its_pictures(pipe, seconds):
    found, images = time_call(pipe, torch.device("cpu"), **SHORT, num_images_per_prompt=2)
    assert found.pictures == len(images) == 2
    assert found.per_picture == 7.5
    assert found.step == 3


def test_every_evaluation_of_the_sampler_is_a_step(pipe, seconds):
    from sdlab.pipes import samplers

    own, pipe.scheduler = pipe.scheduler, samplers.make("Heun", pipe.scheduler.config)
    try:
        found, _ = time_call(pipe, torch.device("cpu"), **SHORT)
        assert len(found.steps) == len(pipe.scheduler.timesteps) == 5
    finally:
        pipe.scheduler = own


def test_the_pipeline_is_left_as_it_was_also_after_a_failure(pipe):
    before = dict(pipe.unet._forward_pre_hooks)
    time_call(pipe, torch.device("cpu"), **SHORT)
    with pytest.raises(ValueError):
        time_call(pipe, torch.device("cpu"), **SHORT | {"prompt": 5})
    assert pipe.unet._forward_pre_hooks == before


def test_on_a_mac_the_gpu_is_waited_for_before_the_clock_is_read(pipe, monkeypatch):
    """A stand-in for torch.mps keeps the order of calls; the pipeline itself computes on the CPU."""
    order = []
    monkeypatch.setattr(torch.mps, "synchronize", lambda: order.append("wait"))
    monkeypatch.setattr(clock, "time", SimpleNamespace(perf_counter=lambda: order.append("read") or len(order)))
    hook = pipe.unet.register_forward_hook(lambda *_: order.append("step"))
    try:
        time_call(pipe, torch.device("mps"), **SHORT)
    finally:
        hook.remove()
    assert order == ["wait", "read", *["wait", "read"], *["step", "wait", "read"] * 3, "wait", "read"]


def test_a_sample_comes_back_from_its_numbers():
    kept = Sample(1.0, (2.0, 3.0), 4.0, 2)
    assert Sample.from_dict(kept.to_dict()) == kept

"""Knobs measured on the real pocket model, small: what is counted, what fails, and that the baseline stays what it was."""

import numpy as np
import pytest
import torch
from PIL import Image

import sdlab
from sdlab.bench import comparing, preparing
from sdlab.bench.comparing import largest_difference, measure
from sdlab.bench.knobs import BASELINE, baseline, choose_knobs, list_knobs
from sdlab.bench.preparing import vary

CPU = torch.device("cpu")


@pytest.fixture
def own_pipe():
    """A pocket model that nobody else uses, for measuring sets it up."""
    return sdlab.load("pocket", device="cpu")


@pytest.fixture
def own(own_pipe):
    return baseline("cpu", 2, sdlab.native_side(own_pipe))


def test_samples_are_counted_and_paired(own_pipe, own):
    knobs = {BASELINE: own, "batch 2": own.but(batch=2), "words encoded once": own.but(reuse_words=True)}
    found = dict(measure(own_pipe, own, knobs, 3, CPU))
    assert list(found) == list(knobs)
    assert len(found[BASELINE].samples) == 3 and not found[BASELINE].against
    for name in ("batch 2", "words encoded once"):
        assert len(found[name].samples) == len(found[name].against) == 3
        assert found[name].first.total > 0 and found[name].memory.peak >= found[name].memory.before
        assert found[name].pixels <= 1  # the same picture, but for rounding
    assert {sample.pictures for sample in found["batch 2"].samples} == {2}
    assert {len(sample.steps) for entry in found.values() for sample in entry.samples} == {2}


def test_every_repeat_of_a_pair_draws_one_prompt_and_the_pair_alternates(own_pipe, own, monkeypatch):
    calls, real = [], comparing.time_call

    def noted(pipe, device, **arguments):
        calls.append((arguments["num_images_per_prompt"], arguments["prompt"].split()[1]))
        return real(pipe, device, **arguments)

    monkeypatch.setattr(comparing, "time_call", noted)
    list(measure(own_pipe, own, {"batch 2": own.but(batch=2)}, 3, CPU))
    pairs = [(1, "black"), (2, "black"), (2, "brown"), (1, "brown"), (1, "white"), (2, "white")]
    assert calls == [(1, "black"), (2, "black"), (2, "black"), *pairs]


def test_a_knob_that_fails_is_noted_and_the_next_one_follows(own_pipe, own, monkeypatch):
    def broken(pipe, extent, device):
        raise RuntimeError("no compiler found\nand a long trace")

    monkeypatch.setattr(preparing, "_compile", broken)
    monkeypatch.setattr(preparing.devices, "has_bf16", lambda device: False)
    knobs = {"compile whole": own.but(compile="whole"), "bfloat16": own.but(dtype="bfloat16"), "batch 2": own.but(batch=2)}
    found = dict(measure(own_pipe, own, knobs, 2, CPU))
    assert found["compile whole"].failed == "RuntimeError: no compiler found"
    assert found["bfloat16"].failed == "ValueError: cpu does not compute in bfloat16 itself, it only imitates it"
    assert found["batch 2"].failed is None and found["batch 2"].ratio.value > 0


def test_a_copy_that_does_not_fit_is_not_begun(own_pipe, own, monkeypatch):
    monkeypatch.setattr(preparing.devices, "free_memory", lambda device: 1000)
    [(_, entry)] = measure(own_pipe, own, {"bfloat16": own.but(dtype="bfloat16")}, 2, CPU)
    assert entry.failed.startswith("MemoryError: a second copy of the weights takes 0.0 GB")


def test_a_failing_baseline_is_an_error(own_pipe, own):
    odd = own.but(side=own.side + 1)
    with pytest.raises(ValueError):
        list(measure(own_pipe, odd, {BASELINE: odd}, 2, CPU))


def test_settings_change_a_copy_and_never_the_baseline(own_pipe, own):
    preparing.arrange(own_pipe, own, CPU)
    weights = own_pipe.unet.conv_in.weight.clone()
    processor = next(iter(own_pipe.unet.attn_processors.values()))
    new = vary(own_pipe, own, own.but(dtype="bfloat16", attention="sliced", channels_last=True, vae_tiling=True, vae_slicing=True), CPU)
    assert new.unet.dtype == new.vae.dtype == new.text_encoder.dtype == torch.bfloat16
    assert new.unet.conv_in.weight.is_contiguous(memory_format=torch.channels_last)
    assert new.vae.use_tiling and new.vae.use_slicing and new.vae.tile_sample_min_size == own.side // 2
    assert "Sliced" in type(next(iter(new.unet.attn_processors.values()))).__name__
    assert own_pipe.unet.dtype == torch.float32 and torch.equal(own_pipe.unet.conv_in.weight, weights)
    assert next(iter(own_pipe.unet.attn_processors.values())) is processor and not own_pipe.vae.use_tiling


def test_what_only_a_call_decides_needs_no_second_model(own_pipe, own):
    new = vary(own_pipe, own, own.but(batch=4, sampler="DPM++ 2M"), CPU)
    assert new.unet is own_pipe.unet
    assert "DPMSolver" in type(new.scheduler).__name__ and "DPMSolver" not in type(own_pipe.scheduler).__name__


def test_int8_weights_are_in_8_bits(own_pipe, own):
    new = vary(own_pipe, own, own.but(int8=True), CPU)
    layer = new.unet.mid_block.attentions[0].transformer_blocks[0].ff.net[2]
    weight = layer.weight() if callable(layer.weight) else layer.weight
    assert "int8" in str(weight.dtype) or "int8" in repr(weight)


def test_on_a_mac_the_text_encoder_stays_in_float32(own_pipe, own, monkeypatch):
    """As loading does it; the dtypes are looked at, for there is no such GPU here."""
    asked = []
    monkeypatch.setattr(torch.nn.Module, "to", lambda self, device, dtype: asked.append((type(self).__name__, device.type, dtype)))
    preparing._cast(own_pipe, torch.float16, torch.device("mps"))
    dtypes = {name: dtype for name, _, dtype in asked}
    assert {kind for _, kind, _ in asked} == {"mps"}
    assert dtypes == {"AutoencoderKL": torch.float16, "CLIPTextModel": torch.float32, "UNet2DConditionModel": torch.float16}


def test_the_baseline_is_what_the_first_notebook_did():
    gpu, cpu = baseline("cuda", 25, 512), baseline("cpu", 25, 512)
    assert (gpu.dtype, gpu.attention, cpu.dtype, cpu.attention) == ("float16", "sliced", "float32", "sdpa")
    for kind in ("cuda", "mps", "cpu"):
        knobs = list_knobs(kind, 25, 512)
        assert next(iter(knobs)) == BASELINE
        assert len(set(knobs.values())) == len(knobs)  # no knob that turns nothing
        assert not any("," in name for name in knobs)  # names are given with commas between them
        assert ("offload parts" in knobs) == (kind == "cuda")
    assert "half the steps" not in list_knobs("cpu", 1, 512)


def test_a_knob_that_does_not_exist_is_told_with_those_that_do():
    known = list_knobs("cpu", 25, 64)
    assert list(choose_knobs(["batch 4"], known)) == [BASELINE, "batch 4"]
    with pytest.raises(ValueError, match=r"knob 'fp8' does not exist here: choose among baseline; bfloat16"):
        choose_knobs(["fp8"], known)


def test_the_largest_difference_is_in_grey_levels():
    one = Image.fromarray(np.full((8, 8, 3), 100, np.uint8))
    other = one.copy()
    other.putpixel((3, 3), (100, 60, 100))
    assert largest_difference(one, other) == 40
    assert largest_difference(one, one.resize((4, 4))) is None

"""The limit: work counted on paper, a rate measured, and random weights in full size."""

from types import SimpleNamespace

import pytest
import torch

from sdlab.bench import limits, random_weights
from sdlab.bench.clock import Sample
from sdlab.bench.limits import count_work, measure_rate, share_of_limit
from sdlab.study import anatomy


def test_the_work_of_sd15_is_what_was_counted_before():
    """0.803 TFLOP of the U-Net at 512 pixels, twice with guidance; 2.51 of the decoder."""
    pipe = random_weights.assemble(anatomy.on_paper("sd15"))
    work = count_work(pipe, 512)
    assert work["step"] / 2e12 == pytest.approx(0.803, abs=0.001)
    assert work["decode"] / 1e12 == pytest.approx(2.51, abs=0.01)
    assert work["text"] / 2e12 == pytest.approx(0.0133, abs=0.0005)
    assert count_work(pipe, 256)["step"] < work["step"] / 4  # attention grows faster than the picture


def test_the_work_of_sdxl_counts_both_text_encoders():
    work = count_work(random_weights.assemble(anatomy.on_paper("sdxl")), 1024)
    assert work["step"] / 2e12 == pytest.approx(6.76, abs=0.01)
    assert work["text"] > 5 * 0.0133e12 * 2


def test_counting_leaves_the_pipeline_alone(pipe):
    before = pipe.unet.conv_in.weight.clone()
    assert all(count_work(pipe, 64).values())
    assert torch.equal(pipe.unet.conv_in.weight, before)


def test_a_rate_is_operations_over_the_fastest_time(monkeypatch):
    """With a clock by which a product of side 512 takes 1 ms, and 8 times as long for twice the side."""
    now, shapes = [0.0], []

    def read(device):
        return now[0]

    class Matrix:
        def __init__(self, side):
            self.side = side

        def to(self, dtype):
            return self

        def __matmul__(self, other):
            shapes.append(self.side)
            now[0] += 1e-3 * (self.side / 512) ** 3 * (2 if len(shapes) % 5 == 1 else 1)  # the first is slower

    monkeypatch.setattr(limits, "read_clock", read)
    monkeypatch.setattr(limits, "torch", SimpleNamespace(randn=lambda side, *_, **__: Matrix(side), float32=torch.float32))
    assert measure_rate("cpu", torch.float32, shortest=0.05) == pytest.approx(2 * 512**3 / 1e-3)
    assert sorted(set(shapes)) == [512, 1024, 2048]


def test_the_share_of_the_limit_counts_pictures_and_steps():
    work = {"text": 1e9, "step": 4e9, "decode": 1e9}
    sample = Sample(0.1, (0.4, 0.4), 0.1, pictures=2)
    assert share_of_limit(work, sample, rate=40e9) == pytest.approx(0.5)


def test_random_weights_draw_and_keep_their_size(monkeypatch):
    """With narrow layers, of the same code."""
    narrow = {"block_out_channels": (32, 64, 64, 64), "attention_head_dim": 4, "sample_size": 8, "cross_attention_dim": 32}
    monkeypatch.setattr(anatomy, "SD15_UNET", {**anatomy.SD15_UNET, **narrow})
    monkeypatch.setattr(anatomy, "SD_VAE", {**anatomy.SD_VAE, "block_out_channels": (32, 32, 32, 32)})
    small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    monkeypatch.setattr(anatomy, "CLIP_L", {**anatomy.CLIP_L, **small})
    pipe = random_weights.build("sd15", torch.float32)
    latents = pipe("a lion", num_inference_steps=2, output_type="latent").images
    assert latents.isfinite().all() and 0.1 < latents.std() < 10
    assert pipe("a lion", num_inference_steps=1).images[0].size == (64, 64)


def test_no_weights_are_made_up_for_others_or_where_they_do_not_fit(monkeypatch):
    with pytest.raises(ValueError, match="they are made for sd15 and sdxl"):
        random_weights.build("pocket", torch.float32)
    monkeypatch.setattr(random_weights.devices, "free_memory", lambda device: 2e9)
    with pytest.raises(MemoryError, match=r"the weights of sdxl take 6\.9 GB, and 2\.0 GB are free"):
        random_weights.build("sdxl", torch.float16)

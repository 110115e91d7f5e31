import numpy as np
import pytest
import torch

import sdlab
from sdlab.display import diagrams
from sdlab.study import anatomy


def test_the_real_models_have_their_published_sizes():
    millions = {name: {k: anatomy.parameters(m) / 1e6 for k, m in anatomy.on_paper(name).items()} for name in ("sd15", "sdxl")}
    assert millions["sd15"] == pytest.approx({"text_encoder": 123.06, "unet": 859.52, "vae": 83.65}, abs=0.01)
    assert millions["sdxl"]["unet"] == pytest.approx(2567.46, abs=0.01)
    assert millions["sdxl"]["text_encoder_2"] == pytest.approx(694.66, abs=0.01)


def test_only_models_on_paper_are_built():
    with pytest.raises(ValueError, match="'sd15' and 'sdxl'"):
        anatomy.on_paper("sd3")


def test_a_trace_begins_and_ends_at_the_latents_size(pipe):
    levels = anatomy.trace(pipe.unet)
    side = pipe.unet.config.sample_size
    assert (levels[0].height, levels[-1].height, levels[-1].channels) == (side, side, 4)
    assert min(level.height for level in levels) == side // 4
    assert sum(level.parameters for level in levels) < anatomy.parameters(pipe.unet)
    assert not pipe.unet.conv_in._forward_hooks


def test_watching_the_attention_does_not_change_the_picture(pipe, recipe):
    plain = sdlab.generate(pipe, recipe, progress=False)
    watched, maps = anatomy.word_maps(pipe, recipe)
    assert np.abs(np.asarray(plain.image, dtype=int) - np.asarray(watched.image, dtype=int)).max() <= 1
    assert list(maps) == ["a", "lion", "on", "the", "beach", ",", "cartoon"]
    assert all(m.shape == maps["lion"].shape and m.min() >= 0 and m.max() == 1 for m in maps.values())


def test_attention_weights_sum_to_one(pipe):
    with anatomy.watching(pipe.unet) as kept, torch.no_grad():
        side, width = pipe.unet.config.sample_size, pipe.unet.config.cross_attention_dim
        pipe.unet(torch.randn(2, 4, side, side), 500, torch.randn(2, 77, width))
    assert kept
    assert all(torch.allclose(w.sum(-1), torch.ones(w.shape[0]), atol=1e-4) for w in kept)


def test_word_maps_have_the_pictures_shape(pipe, recipe):
    run, maps = anatomy.word_maps(pipe, recipe.but(width=96, height=64, steps=2))
    height, width = maps["lion"].shape
    assert run.image.size == (96, 64)
    assert width * 2 == height * 3
    assert anatomy.grid_of(24, 64 / 96) == (4, 6) and anatomy.grid_of(24, 96 / 64) == (6, 4) and anatomy.grid_of(64, 1) == (8, 8)
    assert diagrams.words(run.image, maps) is not None

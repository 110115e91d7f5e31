"""The autoencoder of factor 8: what can be proved of it without its training."""

import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, StableDiffusionImg2ImgPipeline, StableDiffusionPipeline
from PIL import Image

from pocket.reports.blind import preferred
from pocket.reports.sharpness import agreement, decode, double, edge_strength, encode, likeness
from pocket.ruler.pictures import draw_true
from pocket.ruler.prompts import one_thing
from pocket.stages import enlarge, sharpen
from pocket.stages.config import CPU
from pocket.stages.enlarge import KEPT, freeze_inside, half, pictures_of_two_sides, unlikeness
from pocket.stages.large_sprites import LARGE_PACK
from pocket.stages.outer_level import grow
from pocket.stages.sharpen import Discriminator, balance, hinge
from pocket.world import catalog
from pocket.world.catalog import DATA
from pocket.world.scene import Inventor, Scene, Thing, draw
from sdlab.assets import ASSETS
from sdlab.scratch.autoencoder import psnr

TINY = replace(CPU, enlarge_batch=4)


@pytest.fixture(scope="module")
def small():
    torch.manual_seed(0)
    return AutoencoderKL(**CPU.vae).eval()


@pytest.fixture(scope="module")
def large(small):
    return grow(small).eval()


@pytest.fixture(scope="module")
def pictures():
    return next(pictures_of_two_sides(replace(CPU, enlarge_batch=8), 1))


def test_the_grown_autoencoder_is_a_stock_one_of_factor_8_over_4_channels(large):
    assert type(large) is AutoencoderKL
    latents = encode(large, torch.zeros(1, 3, 128, 128))
    assert latents.shape == (1, 4, 16, 16)
    assert decode(large, latents).shape == (1, 3, 128, 128)
    assert large.config.sample_size == 128


def test_its_weights_are_under_8_megabytes(large):
    assert 2 * sum(p.numel() for p in large.parameters()) <= 8e6


def test_a_doubled_picture_has_the_very_latents_of_its_half(small, large, pictures):
    halves = half(pictures)
    doubled = F.interpolate(halves, scale_factor=2, mode="nearest")
    assert torch.allclose(encode(large, doubled), encode(small, halves), atol=1e-4)


def test_any_picture_has_nearly_the_latents_of_its_half(small, large, pictures):
    found = agreement(encode(large, pictures), encode(small, half(pictures)))
    assert found["relative_error"] < 0.3  # of random weights, which see edges alone; of trained ones it is 0.08
    assert found["correlation"] > 0.95


def test_the_last_convolution_begins_with_the_old_features_doubled(small, large):
    seen = {}
    for name, vae in (("small", small), ("large", large)):
        vae.decoder.conv_out.register_forward_pre_hook(lambda _, given, name=name: seen.update({name: given[0]}))
    for vae in (small, large):
        decode(vae, torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(0)))
    assert torch.allclose(seen["large"], F.interpolate(seen["small"], scale_factor=2, mode="nearest"), atol=1e-4)


def test_the_stock_pipelines_draw_and_redraw_at_128_pixels_with_it(large):
    pipe = StableDiffusionPipeline.from_pretrained(ASSETS / "pocket", vae=large, dtype=torch.float32)
    again = StableDiffusionImg2ImgPipeline(**pipe.components, requires_safety_checker=False)
    for each in (pipe, again):
        each.set_progress_bar_config(disable=True)
    picture = pipe("a lion", num_inference_steps=1).images[0]
    assert picture.size == (128, 128)
    assert again("a lion", image=picture, strength=0.5, num_inference_steps=2).images[0].size == (128, 128)


def test_latents_keep_their_scale(small):
    scaled = AutoencoderKL(**CPU.vae, scaling_factor=0.7)
    assert grow(scaled).config.scaling_factor == 0.7


def test_a_narrow_autoencoder_is_refused_with_the_reason():
    narrow = AutoencoderKL(**CPU.vae | {"block_out_channels": (16, 32, 64)})
    with pytest.raises(ValueError, match="has 16 channels: 27 or more are needed"):
        grow(narrow)


def test_only_the_outer_level_of_the_encoder_is_trained(small):
    encoder = grow(small).encoder
    freeze_inside(encoder)
    trained = {name.split(".")[0] + name.split(".")[1][:1] for name, p in encoder.named_parameters() if p.requires_grad}
    assert trained == {"conv_inw", "conv_inb", "down_blocks0"}


def test_pictures_come_at_two_sides():
    stream = pictures_of_two_sides(TINY, 2)
    assert [next(stream).shape for _ in range(3)] == [(4, 3, 128, 128), (4, 3, 128, 128), (1, 3, 256, 256)]


@pytest.mark.parametrize("style", ["cartoon", "pencil sketch", "pixel art", "watercolor"])
def test_with_a_grain_of_two_a_picture_is_the_small_one_sharper(style):
    made = Scene((Thing("lion"),), style, "rain")

    def away(grain):
        halved = draw(made, 0, 128, grain).resize((64, 64), Image.BOX)
        return np.abs(np.asarray(halved, float) - np.asarray(draw(made, 0, 64), float)).mean()

    assert away(grain=2) < 0.95 * away(grain=1)


def test_pictures_of_128_pixels_are_drawn_from_the_small_sprites(monkeypatch):
    asked, read = [], catalog._sprite
    monkeypatch.setattr(catalog, "_sprite", lambda file, large: asked.append(large) or read(file, large))
    rng, invent = np.random.default_rng(0), Inventor(replace(CPU.mix, sized=0.5))
    for _ in range(60):
        draw(invent(rng), rng, 128)
    assert len(asked) > 60 and not any(asked)


def test_a_long_drawing_takes_the_large_sprite_and_is_sharper_for_it():
    made = Scene((Thing("lion", size="large"),), "flat design", "white")
    sprite = catalog.sprite("lion", "noto", 200)
    assert 128 < max(sprite.shape[:2]) <= 256
    assert max(catalog.sprite("lion", "noto").shape[:2]) <= 128
    fine, coarse = (np.asarray(p, float) for p in (draw(made, 0, 256), draw(made, 0, 128).resize((256, 256), Image.BICUBIC)))
    assert np.abs(fine - coarse).mean() < 8  # the same lion in the same place
    assert np.square(np.diff(fine, axis=1)).mean() > 1.1 * np.square(np.diff(coarse, axis=1)).mean()


def test_the_large_pack_is_small_and_holds_the_narrow_world():
    assert LARGE_PACK.stat().st_size <= 15e6
    with zipfile.ZipFile(LARGE_PACK) as pack, zipfile.ZipFile(catalog.DATA / "sprites.zip") as all_of_them:
        slugs = {catalog.concepts()[name]["slug"] for name in CPU.mix.concepts}
        assert set(pack.namelist()) == {f for f in all_of_them.namelist() if f.rpartition("/")[2].removesuffix(".webp") in slugs}


def test_the_error_sees_a_blur_that_the_squared_error_hardly_sees(pictures):
    soft = double(half(pictures))
    loss, square = unlikeness(soft, pictures)
    assert unlikeness(pictures, pictures)[0] == 0
    assert loss > 1.3 * square


def test_edges_are_stronger_in_sharp_pictures(pictures):
    assert edge_strength(double(half(pictures))) < 0.95 * edge_strength(pictures)
    stripes = torch.tensor([-1.0, 1.0]).repeat(3, 8, 4)[None]  # full range from column to column, none from row to row
    assert edge_strength(stripes) == pytest.approx(0.5)


def test_likeness_takes_any_features(pictures):
    found = likeness(pictures * 0.9, pictures, lambda x: F.avg_pool2d(x, 64).flatten(1))
    assert found["psnr_db"] > 20
    assert found["frechet"] > 0


def test_agreement_of_equal_latents_is_perfect():
    latents = torch.randn(2, 4, 8, 8)
    assert agreement(latents, latents) == {"relative_error": 0, "correlation": pytest.approx(1)}
    assert agreement(latents + 0.1 * torch.randn_like(latents), latents)["relative_error"] == pytest.approx(0.1, rel=0.2)


def test_the_discriminator_judges_patches_and_can_learn(pictures):
    torch.manual_seed(0)
    critic, halves = Discriminator(16), half(pictures)
    assert critic(pictures, halves).shape == (8, 1, 15, 15)
    assert hinge(torch.full((1,), 2.0), torch.full((1,), -2.0)) == 0
    optimizer = torch.optim.AdamW(critic.parameters(), 2e-3, betas=(0.5, 0.9))
    losses = []
    for _ in range(30):
        losses.append(hinge(critic(pictures, halves), critic(double(halves), halves)))
        optimizer.zero_grad()
        losses[-1].backward()
        optimizer.step()
    assert losses[-1] < 0.8 * losses[0]


def test_the_balance_lets_both_push_equally_hard():
    made = torch.randn(2, 3, 8, 8, requires_grad=True)
    error, liked = made.square().mean(), 100 * made.abs().mean()
    weight = balance(error, liked, made)
    pushes = [torch.autograd.grad(value, made, retain_graph=True)[0].norm() for value in (error, weight * liked)]
    assert torch.allclose(*pushes)


def test_both_stages_train_and_leave_the_encoder_inside_as_it_was(small, tmp_path):
    small.save_pretrained(tmp_path / "autoencoder" / "model")
    enlarge.train(TINY, tmp_path, minutes=0.03)
    enlarged = AutoencoderKL.from_pretrained(tmp_path / "enlarge" / "model")
    assert all(
        torch.equal(p, q) for p, q in zip(enlarged.encoder.mid_block.parameters(), small.encoder.mid_block.parameters(), strict=True)
    )
    assert not torch.equal(enlarged.encoder.conv_in.weight, grow(small).encoder.conv_in.weight)
    sharpen.train(TINY, tmp_path, minutes=0.06)
    sharpened = AutoencoderKL.from_pretrained(tmp_path / "sharpen" / "model")
    assert all(torch.equal(p, q) for p, q in zip(sharpened.encoder.parameters(), enlarged.encoder.parameters(), strict=True))
    assert not torch.equal(sharpened.decoder.conv_out.weight, enlarged.decoder.conv_out.weight)


def test_a_blind_look_counts_who_was_preferred():
    assert preferred("lr-rl", "lrlrr") == {"new": 3, "old": 1, "neither": 1}
    with pytest.raises(ValueError, match="2 answers for 3 pairs"):
        preferred("lr", "lrl")
    with pytest.raises(ValueError, match="give l, r or -"):
        preferred("lrx", "lrl")


@pytest.fixture(scope="module")
def shipped():
    return AutoencoderKL.from_pretrained(ASSETS / "pocket" / "vae", dtype=torch.float32).eval()


def test_the_shipped_autoencoder_has_stable_diffusions_factor_and_is_small(shipped):
    assert isinstance(shipped, AutoencoderKL)
    assert 2 ** (len(shipped.config.block_out_channels) - 1) == 8
    assert shipped.config.latent_channels == 4
    files = list((ASSETS / "pocket" / "vae").glob("*.safetensors"))
    assert sum(file.stat().st_size for file in files) <= 8e6


def test_the_shipped_autoencoder_speaks_of_the_old_ones_latents(shipped):
    """Of true pictures at both sides that it is used at, of doubled small ones, and of noise it never saw."""
    small = AutoencoderKL.from_pretrained(KEPT, dtype=torch.float32).eval()
    scenes = [scene for _, scene in one_thing(CPU.mix, 24)]
    for side in (128, 256):
        found = agreement(encode(shipped, true := draw_true(scenes[: 3072 // side], side, 5)), encode(small, half(true)))
        assert found["relative_error"] < 0.03 and found["correlation"] > 0.999
    drawn = draw_true(scenes, 64, 5)
    doubled = drawn.repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert agreement(encode(shipped, doubled), encode(small, drawn))["relative_error"] < 0.03


def test_the_shipped_decoder_draws_what_the_old_one_drew_and_more(shipped):
    small = AutoencoderKL.from_pretrained(KEPT, dtype=torch.float32).eval()
    true = draw_true([scene for _, scene in one_thing(CPU.mix, 48)], 128, 6)
    latents = encode(small, half(true))
    new, old = decode(shipped, latents), decode(small, latents)
    assert new.shape == true.shape
    assert psnr(F.mse_loss(new, true)) > psnr(F.mse_loss(double(old), true)) + 0.5
    assert abs(edge_strength(new) / edge_strength(true) - 1) < abs(edge_strength(double(old)) / edge_strength(true) - 1)
    assert psnr(F.mse_loss(half(new), old)) > 24  # the same picture


def test_no_weights_are_too_large_to_ship():
    files = [file for folder in (ASSETS, DATA) for file in folder.rglob("*.safetensors")]
    assert files and max(file.stat().st_size for file in files) <= 15e6
    assert sum(file.stat().st_size for file in files) <= 115e6

"""Scribbles, the measure of how well a picture keeps to one, and the ControlNet that learns from them."""

import numpy as np
import pytest
import torch
from diffusers import ControlNetModel, StableDiffusionPipeline
from PIL import Image, ImageDraw

from pocket.ruler import prompts
from pocket.ruler.agreement import agreement, f1
from pocket.ruler.pictures import draw_true
from pocket.stages import outer_hint
from pocket.stages.config import CPU
from pocket.stages.controlnet import Control, as_hint, begin, draw_with_scribble, early_timesteps, outline_things, place
from pocket.stages.denoising import timesteps
from pocket.world.captions import say
from pocket.world.scene import Inventor, draw, draw_apart
from pocket.world.scribble import lines, outline, scribble, shake, strokes
from pocket.world.stream import batches
from sdlab.assets import ASSETS

SIDE = 64


@pytest.fixture
def ring():
    things = Image.new("RGBA", (SIDE, SIDE))
    ImageDraw.Draw(things).ellipse((12, 12, 52, 52), fill="red")
    return things


def scenes(count):
    rng, invent = np.random.default_rng(0), Inventor(CPU.mix)
    return [invent(rng) for _ in range(count)]


def test_the_picture_of_a_scene_is_the_same_with_and_without_its_things_apart():
    for scene in scenes(20):
        picture, things = draw_apart(scene, 3, SIDE)
        assert np.array_equal(picture, draw(scene, 3, SIDE))
        assert (np.asarray(things)[..., 3].max() > 0) == bool(scene.things)


def test_the_lines_of_a_disc_are_its_rim(ring):
    yy, xx = np.nonzero(lines(ring))
    assert np.abs(np.hypot(yy - 32, xx - 32) - 20).max() < 1.6
    assert len(strokes(lines(ring))) == 1


def test_nothing_gives_an_empty_scribble():
    assert not scribble(Image.new("RGBA", (SIDE, SIDE)), np.random.default_rng(0)).any()


def test_an_outline_cuts_corners_by_what_it_may(ring):
    rim = lines(ring)
    fine, rough = outline(rim, 0.1), outline(rim, 4.0)
    assert f1(fine, rim) > 0.9
    assert 0 < rough.sum() < fine.sum()  # a chord is shorter than its arc


def test_shaking_moves_no_line_farther_than_asked(ring):
    rim, rng = lines(ring), np.random.default_rng(0)
    assert np.array_equal(shake(rim, rng, 0), rim)
    moved = shake(rim, rng, 1.6)
    yy, xx = np.nonzero(moved)
    assert not np.array_equal(moved, rim)
    assert np.abs(np.hypot(yy - 32, xx - 32) - 20).max() < 1.6 + 1.6 * 2**0.5 + 1


def test_scribbles_of_one_thing_differ_and_keep_to_it():
    for scene in prompts.one_thing(CPU.mix, 12):
        things = draw_apart(scene[1], 5, SIDE)[1]
        made = [scribble(things, np.random.default_rng(seed)) for seed in range(6)]
        assert {*np.unique(made)} <= {0, 255}
        assert len({m.tobytes() for m in made}) == 6
        assert np.array_equal(made[0], scribble(things, np.random.default_rng(0)))
        assert np.mean([f1(lines(things), m > 0) for m in made]) > 0.5


def test_agreement_is_one_with_itself_and_nothing_with_emptiness():
    empty, drawing = np.zeros((SIDE, SIDE), bool), np.zeros((SIDE, SIDE), bool)
    drawing[20:40, 20] = True
    assert f1(drawing, drawing) == 1
    assert f1(np.roll(drawing, 1, 1), drawing) == 1  # within the tolerance
    assert f1(np.roll(drawing, 3, 1), drawing) == 0
    assert f1(empty, drawing) == f1(drawing, empty) == 0


def test_true_pictures_agree_with_their_own_lines_best():
    shown = [scene for _, scene in prompts.one_thing(CPU.mix, 32)]
    pictures, sketches = draw_true(shown, SIDE, 1), outline_things(shown, SIDE, 1)
    own, chance = agreement(pictures, sketches), agreement(pictures.roll(1, 0), sketches)
    assert own > 0.85
    assert chance < own - 0.2


def test_a_placed_thing_is_whole_somewhere_and_nothing_is_said_of_it():
    rng, centres, extents = np.random.default_rng(0), [], []
    for scene in scenes(60):
        away = place(scene)
        if len(scene.things) != 1:
            assert away == scene
            continue
        assert say(place(away, None), np.random.default_rng(1)) == say(place(scene, None), np.random.default_rng(1))
        box = draw_apart(away, rng, SIDE)[1].getbbox()
        extents.append(max(box[2] - box[0], box[3] - box[1]))
        centres.append((box[0] + box[2]) / 2)
    assert min(extents) < 0.55 * SIDE < 0.75 * SIDE < max(extents)
    assert min(centres) < 0.4 * SIDE < 0.6 * SIDE < max(centres)


def test_early_timesteps_are_the_noisier_ones():
    torch.manual_seed(0)
    t = early_timesteps(4096, "cpu")
    assert t.float().mean() > timesteps(4096, "cpu").float().mean() + 100
    assert t.min() >= 0
    assert t.max() <= 999


def test_a_stream_can_carry_scribbles_beside_the_colours():
    pictures, _ = next(batches(CPU, 3, 0, paint=draw_with_scribble))
    assert pictures.shape == (3, 4, CPU.side, CPU.side)
    assert set(pictures[:, 3].unique().tolist()) == {0, 255}


def test_a_grown_control_does_with_a_sketch_what_the_small_one_did_with_its_half():
    torch.manual_seed(0)
    pipe = StableDiffusionPipeline.from_pretrained(ASSETS / "pocket", dtype=torch.float32)
    small = ControlNetModel.from_unet(pipe.unet, conditioning_embedding_out_channels=(16, 32, 64))
    for block in small.controlnet_down_blocks:
        torch.nn.init.normal_(block.weight, std=0.1)
    large = outer_hint.grow(small)
    sketch = torch.zeros(2, 1, 64, 64)
    sketch[0, :, 20:40, 12:14], sketch[1, :, 30:32, 8:50] = 1.0, 0.5
    sketch = torch.nn.functional.interpolate(sketch, scale_factor=2.0).expand(-1, 3, -1, -1)
    asked = torch.randn(2, 4, 16, 16), torch.tensor([700, 300]), torch.randn(2, 77, 128)
    with torch.no_grad():
        ours = large(*asked, sketch, return_dict=False)[0]
        theirs = small(*asked, sketch[:, :, ::2, ::2], return_dict=False)[0]
    for a, b in zip(ours, theirs, strict=True):
        assert (a - b).square().mean().sqrt() < 0.02 * b.std()  # but for one pixel out of sight, and the rim


def test_a_control_for_another_size_is_refused(tmp_path):
    pipe = StableDiffusionPipeline.from_pretrained(ASSETS / "pocket", dtype=torch.float32)
    widths = (16,) * (pipe.vae_scale_factor.bit_length() + 1)
    ControlNetModel.from_unet(pipe.unet, conditioning_embedding_out_channels=widths).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="shrinks sketches 16 times, the autoencoder pictures 8"):
        begin(pipe, tmp_path)
    narrow = ControlNetModel.from_unet(pipe.unet, conditioning_embedding_out_channels=(8, 16))
    with pytest.raises(ValueError, match="8 channels: 9 or more"):
        outer_hint.grow(narrow)


def test_an_untrained_control_changes_nothing_and_only_it_learns():
    torch.manual_seed(0)
    pipe = StableDiffusionPipeline.from_pretrained(ASSETS / "pocket", dtype=torch.float32)
    pipe.unet.requires_grad_(False)
    control = Control(begin(pipe, None), pipe)
    assert {id(p) for p in control.parameters()} == {id(p) for p in control.controlnet.parameters()}
    latents, t, ids = torch.randn(2, 4, 16, 16), torch.tensor([900, 300]), pipe.tokenizer(["", "a lion"], padding="max_length")
    ids = torch.tensor(ids.input_ids)
    hint = as_hint(torch.randint(0, 2, (2, 1, 16 * pipe.vae_scale_factor, 16 * pipe.vae_scale_factor)).mul(255).byte())
    context = pipe.text_encoder(ids).last_hidden_state
    with torch.no_grad():
        plain = pipe.unet(latents, t, context).sample
    loss = control(latents, t, ids, hint, plain)
    assert loss < 1e-10  # every added convolution begins at zero
    control(latents, t, ids, hint, plain + 1).backward()
    assert all(p.grad is None for p in pipe.unet.parameters())
    assert control.controlnet.controlnet_mid_block.weight.grad.abs().max() > 0

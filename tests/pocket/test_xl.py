"""The pocket XL and its refiner: what they begin with, what they are told, and that they learn."""

import json
from collections import Counter
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline

from pocket.ruler import prompts
from pocket.ruler.pictures import draw_true
from pocket.shipping.ship import refuse_worse
from pocket.shipping.xl import XL, refuse_idle_refiner
from pocket.stages import xl
from pocket.stages.config import CPU
from pocket.stages.denoising import tokenize
from pocket.stages.grow import TIME_WIDTH, grow_architecture, transplant
from pocket.stages.refiner import TOLD, last_timesteps, narrow
from pocket.stages.refiner import assemble as with_refiner
from pocket.stages.retell import retell
from pocket.stages.xl import DenoiserXL, enlarge
from pocket.world.framing import Framed, Framer, photograph, tell, tell_refiner
from pocket.world.scene import Scene, Thing, draw
from sdlab.assets import ASSETS

SIDE = 128


@pytest.fixture(scope="module")
def small():
    return StableDiffusionPipeline.from_pretrained(ASSETS / "pocket", dtype=torch.float32)


@pytest.fixture(scope="module")
def base(small):
    torch.manual_seed(0)
    second, unet = xl.grow(small, CPU)
    return xl.assemble(small.vae, small.text_encoder, second, small.tokenizer, unet)


@pytest.fixture(scope="module")
def refiner(base):
    settings = base.text_encoder_2.config
    return with_refiner(narrow(base.unet, settings.hidden_size, settings.projection_dim + TOLD * TIME_WIDTH), base)


def test_a_framed_scene_is_enlarged_cropped_or_left_alone():
    scene = Scene((Thing("lion"),), "flat design", "white")
    whole = photograph(Framed(scene, SIDE), 5, SIDE)
    assert np.array_equal(whole, draw(scene, 5, SIDE))
    assert np.array_equal(photograph(Framed(scene, 160, 32, 10), 5, SIDE), np.asarray(draw(scene, 5, 160))[32:, 10:138])
    small = photograph(Framed(scene, 48), 5, SIDE)
    assert small.shape == whole.shape
    assert np.abs(np.diff(small.astype(int), axis=0)).max() < np.abs(np.diff(whole.astype(int), axis=0)).max()


def test_frames_are_told_in_sdxls_order():
    rng, framer, kinds = np.random.default_rng(0), Framer(replace(CPU.mix, flaw=0.5), SIDE), Counter()
    for _ in range(400):
        framed = framer(rng)
        original, _, top, left, height, width = tell(framed, SIDE)
        assert (height, width) == (SIDE, SIDE)
        assert max(top, left) <= max(0, original - SIDE)
        assert tell(framed, SIDE, 2) == [2 * number for number in tell(framed, SIDE)]  # in pixels of pictures twice as wide
        assert tell_refiner(framed, 2)[:4] == tell(framed, SIDE, 2)[:4]
        assert tell_refiner(framed) == [original, original, top, left, 2.5 if framed.scene.flaw else 6.0]
        kinds[(original > SIDE) - (original < SIDE)] += 1
    assert 50 < kinds[-1] < 120
    assert 60 < kinds[1] < 140


@torch.no_grad()
def test_a_grown_unet_begins_with_what_the_small_one_knows(small):
    """Before any training, where noise is strong, it is about as good on large pictures as the small one is on small ones."""
    torch.manual_seed(0)
    big = grow_architecture(small.unet, small.text_encoder.config.hidden_size + 24, 16 + 6 * TIME_WIDTH)
    transplant(small.unet, big)
    pairs, losses = prompts.one_thing(CPU.mix, 12), []
    words = small.text_encoder(tokenize(small.tokenizer, [text for text, _ in pairs], "cpu")).last_hidden_state
    for unet, side, context in ((small.unet, 64, words), (big, SIDE, torch.cat([words, torch.randn(12, 77, 24)], -1))):
        x0 = small.vae.encode(draw_true([scene for _, scene in pairs], side, 1)).latent_dist.mean
        t, eps = torch.full((12,), 850), torch.randn_like(x0)
        noisy, target = small.scheduler.add_noise(x0, eps, t), small.scheduler.get_velocity(x0, eps, t)
        added = {"text_embeds": torch.randn(12, 16), "time_ids": 100 * torch.rand(12, 6)}
        losses.append((unet(noisy, t, context, added_cond_kwargs=added).sample - target).square().mean().item())
    assert losses[1] < 1.2 * losses[0] < 0.8


def test_training_computes_what_the_stock_pipelines_compute(base, refiner):
    """The words and the numbers of `DenoiserXL` are those that diffusers hands to the U-Net."""
    prompt = "a lion on the beach, watercolor"
    ids = torch.tensor(base.tokenizer([prompt], padding="max_length").input_ids)
    seen = []
    for pipe, first, numbers in ((base, base.text_encoder, [SIDE, SIDE, 0, 0, SIDE, SIDE]), (refiner, None, [SIDE, SIDE, 0, 0, 6.0])):
        words, caption = DenoiserXL(pipe.unet, pipe.text_encoder_2, first).words(ids)
        theirs, _, pooled, _ = pipe.encode_prompt(prompt, do_classifier_free_guidance=False)
        assert torch.equal(words, theirs)
        assert torch.equal(caption, pooled)
        hook = pipe.unet.register_forward_pre_hook(lambda _, __, named: seen.append(named["added_cond_kwargs"]), with_kwargs=True)
        pipe.set_progress_bar_config(disable=True)
        more = {"height": SIDE, "width": SIDE} if pipe is base else {"image": torch.zeros(1, 3, SIDE, SIDE), "strength": 1.0}
        pipe(prompt, num_inference_steps=1, guidance_scale=1.0, output_type="latent", **more)
        hook.remove()
        assert seen[-1]["time_ids"].flatten().tolist() == numbers


def test_the_refiner_shares_what_it_does_not_train(base, refiner):
    assert refiner.vae is base.vae
    assert refiner.text_encoder_2 is base.text_encoder_2
    assert refiner.config.requires_aesthetics_score
    words = torch.randn(1, 77, base.text_encoder_2.config.hidden_size)
    silent = torch.zeros(1, 77, base.text_encoder.config.hidden_size)
    added = {"text_embeds": torch.randn(1, base.text_encoder_2.config.projection_dim)}
    x, t = torch.randn(1, 4, 32, 32), torch.tensor([100])
    with torch.no_grad():
        theirs = base.unet(x, t, torch.cat([silent, words], -1), added_cond_kwargs={**added, "time_ids": torch.rand(1, 6)}).sample
        ours = refiner.unet(x, t, words, added_cond_kwargs={**added, "time_ids": torch.rand(1, 5)}).sample
    assert torch.allclose(ours, theirs, atol=1e-5)  # as long as neither makes anything of its numbers


def test_the_refiner_learns_the_last_fifth_of_the_noise():
    t = last_timesteps(4096, "cpu")
    assert t.min() >= 0
    assert 190 < t.max() < 200


def test_an_enlarged_configuration_costs_no_more_memory():
    big = enlarge(CPU)
    assert (big.side, big.batch) == (2 * CPU.side, CPU.batch // 2)
    assert big.pool * big.side**2 <= 2 * CPU.pool * CPU.side**2


@pytest.mark.slow
@pytest.mark.parametrize("which", ["base", "refiner"])
def test_a_few_updates_lower_the_loss(base, refiner, which):
    from sdlab.scratch.muon import Muon, groups

    torch.manual_seed(0)
    pipe = base if which == "base" else refiner
    denoiser = DenoiserXL(pipe.unet, pipe.text_encoder_2, pipe.text_encoder)
    ids = torch.tensor(base.tokenizer(["a lion", "a red car"], padding="max_length").input_ids)
    numbers = torch.tensor([[SIDE, SIDE, 0, 0, SIDE, SIDE]] * 2 if which == "base" else [[SIDE, SIDE, 0, 0, 6.0]] * 2, dtype=torch.float32)
    noisy, t, target = torch.randn(2, 4, 32, 32), torch.tensor([150, 60]), torch.randn(2, 4, 32, 32)
    optimizer, losses = Muon(groups(denoiser), lr=1e-3), []
    for _ in range(8):
        loss = denoiser(noisy, t, ids, numbers, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]


def test_the_kept_evaluation_says_that_the_refiner_refines_and_that_telling_matters():
    """The shipped evaluation, not a run: what the lesson on SDXL will say."""
    found = json.loads((XL.assets / "evaluation.json").read_text(encoding="utf-8"))
    assert found["prompts"] >= 128
    for ways in found["sets"].values():
        for detail in ("frechet of quarters", "fine error"):
            assert ways["true pictures"][detail] < ways["base and refiner"][detail] < ways["base"][detail]
        assert ways["base and refiner"]["accuracy"]["object"] > ways["base"]["accuracy"]["object"] - 0.08  # it costs a few things
    sharp = [row["drawn"] for row in found["told"] if row["told"].startswith("original") and row["measured"] == "sharpness"]
    assert len(sharp) == 3
    assert sharp == sorted(sharp)  # the larger the original, the sharper
    losses = {row["told"]: row["true pictures"] for row in found["told"] if row["measured"].startswith("loss")}
    assert losses["how it was cropped"] < losses["the opposite corner"] < 0.9 * losses["not cropped"]  # it hears size and corner


def test_neither_a_worse_xl_nor_an_idle_refiner_is_shipped():
    results = json.loads((XL.assets / "evaluation.json").read_text(encoding="utf-8"))
    refuse_worse(XL, results)
    refuse_idle_refiner(results)
    worse, idle = deepcopy(results), deepcopy(results)
    worse["sets"]["one thing"]["base and refiner"]["accuracy"]["object"] -= 0.01
    idle["sets"]["one thing"]["base and refiner"]["frechet of quarters"] = results["sets"]["one thing"]["base"]["frechet of quarters"]
    with pytest.raises(SystemExit, match="a worse one is not shipped"):
        refuse_worse(XL, worse)
    with pytest.raises(SystemExit, match="train the refiner longer"):
        refuse_idle_refiner(idle)


@pytest.mark.parametrize(("expert", "told"), [("base", xl.TOLD), ("refiner", TOLD)])
def test_told_of_pictures_twice_as_wide_it_hears_what_it_heard_before(expert, told, request):
    """What a pipeline tells unasked is the same; of other sizes and crops most is kept, and what it hears beside them all is as it was."""
    unet = request.getfixturevalue(expert).unet
    layer, side = unet.add_embedding.linear_1, 128
    before, changed = deepcopy(layer), deepcopy(unet)
    errors = retell(changed, told, side)
    assert len(errors) == told // 2 * 2 and max(errors[:4]) < 0.8

    def hear(layer, numbers):
        return layer(torch.cat([torch.ones(layer.in_features - told * TIME_WIDTH), unet.add_time_proj(torch.tensor(numbers)).flatten()]))

    last = [6.0] if told == 5 else [float(side)] * 2
    for frame, most in (((side, side, 0, 0), 0.01), ((90, 90, 0, 0), 0.7), ((170, 170, 20, 40), 0.9)):
        doubled = [2.0 * number for number in frame] + (last if told == 5 else [2.0 * number for number in last])
        asked = hear(before, [*map(float, frame), *last])
        now, unchanged = ((hear(one, doubled) - asked).square().mean().sqrt() for one in (changed.add_embedding.linear_1, before))
        assert now < most * unchanged

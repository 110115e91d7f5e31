"""The recipe in `pocket/`: what can be proved of it without hours of training."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL
from hypothesis import given, settings
from hypothesis import strategies as st

from pocket import catalog, prompts
from pocket import judge as judging
from pocket.autoencoder import fold_statistics, psnr
from pocket.config import CONFIGS, CPU
from pocket.diffusion import BEFORE, Pool, caption, timesteps
from pocket.evaluate import interval
from pocket.export import ASSETS, card, merit, training
from pocket.pipeline import scheduler
from pocket.stream import batches, to_unit
from pocket.tokenizer import corpus, learn
from pocket.words import STYLES
from pocket.world import Scene, Thing
from sdlab.muon import Muon, groups, orthogonalize


@pytest.fixture(scope="module")
def tokenizer():
    return learn(corpus(count=3000), 1500)


def test_the_tokenizer_has_clips_layout(tokenizer):
    ids = tokenizer("a lion on the beach", padding="max_length").input_ids
    assert len(ids) == 77
    assert ids[0] == tokenizer.bos_token_id
    assert ids[6:] == [tokenizer.eos_token_id] * 71
    assert tokenizer.eos_token_id == len(tokenizer) - 1 > 2
    assert tokenizer.tokenize("A Lion") == ["a</w>", "lion</w>"]


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=30))
def test_any_text_can_be_tokenized(text):
    tokenizer = learn(["a lion"], 514)
    ids = tokenizer(text, truncation=True).input_ids
    assert all(0 <= i < len(tokenizer) for i in ids)
    assert tokenizer.eos_token_id not in ids[:-1]  # nothing is unknown: there is a piece for every byte


def test_newton_schulz_orthogonalizes():
    torch.manual_seed(0)
    for shape in ((3, 20, 60), (2, 64, 16)):
        values = torch.linalg.svdvals(orthogonalize(torch.randn(shape)).float())
        assert values.min() > 0.5
        assert values.max() < 1.4


def test_muon_is_torchs_muon_on_matrices():
    torch.manual_seed(0)
    ours, theirs = torch.nn.Linear(24, 40, bias=False), torch.nn.Linear(24, 40, bias=False)
    theirs.load_state_dict(ours.state_dict())
    start = ours.weight.detach().clone()
    mine = Muon(groups(ours), lr=0.01, weight_decay=0.1)
    reference = torch.optim.Muon(theirs.parameters(), lr=0.01, weight_decay=0.1, momentum=0.95, adjust_lr_fn="match_rms_adamw")
    for _ in range(5):
        x = torch.randn(256, 24)  # of full rank: bf16 noise fills a null space differently
        for layer, optimizer in ((ours, mine), (theirs, reference)):
            optimizer.zero_grad()
            layer(x).square().sum().backward()
            optimizer.step()
    moved = ours.weight - start, theirs.weight - start  # the products are in bf16, so they agree to a few parts in a hundred
    assert (moved[0] - moved[1]).norm() < 0.05 * moved[1].norm()


def test_muons_other_half_is_adamw_without_decay():
    torch.manual_seed(0)
    ours = torch.nn.Parameter(torch.randn(7))
    theirs = torch.nn.Parameter(ours.detach().clone())
    mine = Muon([{"params": [ours], "matrices": False}], lr=0.01)
    reference = torch.optim.AdamW([theirs], lr=0.01, betas=(0.9, 0.99), weight_decay=0)
    for step in range(6):
        for p, optimizer in ((ours, mine), (theirs, reference)):
            p.grad = (p.detach() - step).sin()
            optimizer.step()
    assert torch.allclose(ours, theirs, atol=1e-6)


def test_folding_the_statistics_changes_latents_but_no_picture():
    torch.manual_seed(0)
    vae = AutoencoderKL(**CPU.vae).eval()
    pictures = torch.rand(32, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        vae.quant_conv.bias.add_(3.0)
        vae.quant_conv.weight.mul_(5.0)
        before = vae.decode(vae.encode(pictures).latent_dist.mean).sample
        first = vae.encode(pictures).latent_dist
        relative = first.std.mean((0, 2, 3)) / first.mean.std((0, 2, 3))
        fold_statistics(vae, pictures)
        posterior = vae.encode(pictures).latent_dist
        after = vae.decode(posterior.mean).sample
    assert torch.allclose(posterior.mean.mean((0, 2, 3)), torch.zeros(4), atol=1e-3)
    assert torch.allclose(posterior.mean.std((0, 2, 3)), torch.ones(4), atol=1e-3)
    assert torch.allclose(before, after, atol=1e-3)
    assert torch.allclose(posterior.std.mean((0, 2, 3)), relative, rtol=1e-3)
    assert vae.config.scaling_factor == 1.0


def test_psnr_of_a_known_error():
    assert psnr(0.04) == pytest.approx(20.0)


def test_timesteps_are_stratified_and_favour_the_middle():
    t = timesteps(20_000, "cpu", torch.Generator().manual_seed(0)).float()
    assert 0 <= t.min() < 5
    assert 995 < t.max() <= 999
    middle = ((t > 250) & (t < 750)).float().mean()
    assert 0.55 < middle < 0.75  # 0.5 if uniform
    assert t.mean() == pytest.approx(500, abs=8)


def test_velocity_and_noise_invert_each_other():
    schedule, x0 = scheduler(), torch.randn(6, 4, 8, 8)
    eps, t = torch.randn_like(x0), torch.tensor([0, 100, 300, 600, 900, 999])
    noisy, v = schedule.add_noise(x0, eps, t), schedule.get_velocity(x0, eps, t)
    abar = schedule.alphas_cumprod[t][:, None, None, None]
    assert torch.allclose(abar.sqrt() * noisy - (1 - abar).sqrt() * v, x0, atol=1e-5)


def test_the_pool_refreshes_at_the_asked_pace():
    class Vae:
        made = 0

        def encode(self, pictures):
            type(self).made += len(pictures)
            return type("Out", (), {"latent_dist": type("Dist", (), {"sample": lambda self: torch.zeros(len(pictures), 4, 2, 2)})()})()

    stream = iter(lambda: (torch.zeros(8, 3, 4, 4, dtype=torch.uint8), ["scene"] * 8), None)
    pool = Pool(stream, Vae(), size=64, batch=8, reuse=4, device=torch.device("cpu"))
    at_start = Vae.made
    for _ in range(40):
        latents, scenes = pool.draw(np.random.default_rng(0))
        assert latents.shape == (8, 4, 2, 2)
        assert len(scenes) == 8
    assert Vae.made - at_start == 40 * 8 // 4
    assert len(pool.scenes) == 64


def test_batches_repeat_with_their_seed_and_fit_the_autoencoder():
    (a, scenes_a), (b, scenes_b) = next(batches(CPU, 4, 1, 2)), next(batches(CPU, 4, 1, 2))
    assert (a == b).all()
    assert scenes_a == scenes_b
    assert (next(batches(CPU, 4, 1, 3))[0] != a).any()
    assert a.shape == (4, 3, CPU.side, CPU.side)
    assert -1 <= to_unit(a).min() < to_unit(a).max() <= 1


@pytest.mark.parametrize("config", CONFIGS.values(), ids=list(CONFIGS))
def test_the_fixed_prompts_are_fixed_and_judged_by_what_they_say(config):
    pairs = prompts.fixed(config.mix, 60)
    assert pairs == prompts.fixed(config.mix, 60)
    truth = judging.labels(config, [s for _, s in pairs])
    names = judging.classes(config)
    for (prompt, _), row in zip(pairs, truth.tolist(), strict=True):
        assert names["object"][row[0]] in prompt
        if row[3] < len(names["colour"]) - 1:
            assert names["colour"][row[3]] in prompt


def test_accuracy_of_a_judge_that_knows_the_truth():
    pairs = prompts.fixed(CPU.mix, 40)
    scenes = [s for _, s in pairs]
    truth = judging.labels(CPU, scenes)

    class Oracle(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.at, self.p = 0, torch.nn.Parameter(torch.zeros(1))

        def forward(self, x):
            rows = truth[: len(x)]
            return {h: torch.nn.functional.one_hot(rows[:, i], 200).float() for i, h in enumerate(judging.HEADS)}

    assert set(judging.accuracy(Oracle(), CPU, torch.zeros(40, 3, 8, 8), scenes).values()) == {1.0}


def test_a_killed_training_resumes(tmp_path):
    """Kill a training with SIGKILL, start it again, and see it go on instead of from the start."""
    code = (
        "from dataclasses import replace; from pathlib import Path; from pocket import autoencoder, config; from sdlab import loop;"
        "c = replace(config.CPU, vae={**config.CPU.vae, 'block_out_channels': (8, 8, 8)}, vae_batch=2);"
        "run = loop.Run.__init__;"
        "loop.Run.__init__ = lambda s, *a, **k: run(s, *a, **{**k, 'save_minutes': 0.02});"
        f"autoencoder.train(c, Path({str(tmp_path)!r}), MINUTES)"
    )

    def start(minutes):
        return subprocess.Popen(
            [sys.executable, "-c", code.replace("MINUTES", str(minutes))], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    checkpoint = tmp_path / "autoencoder" / "checkpoint"
    first = start(5)
    deadline = time.monotonic() + 120
    while not checkpoint.exists() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert checkpoint.exists(), first.kill() or first.communicate()[0]
    time.sleep(1.0)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    second = start(0.06)
    output, _ = second.communicate(timeout=200)
    assert second.returncode == 0, output
    assert "resumed at step" in output
    assert int(output.split("resumed at step ")[1].split(",")[0]) > 0
    assert AutoencoderKL.from_pretrained(tmp_path / "autoencoder" / "model").config.scaling_factor == 1.0


def test_the_shipped_numbers_are_those_of_the_card():
    results = json.loads((ASSETS / "evaluation.json").read_text())
    card = (ASSETS / "README.md").read_text()
    assert 0 < merit(results) <= 1
    for head in judging.HEADS:
        assert f"| {head} | {results['accuracy'][head]:.0%} (" in card


def test_the_kept_judge_knows_true_pictures():
    judge = judging.load(CPU, judging.kept(CPU).parent)
    assert judge is not None
    pictures, scenes = next(batches(CPU, 256, 31, mix=judging.alone(CPU.mix)))
    scores = judging.accuracy(judge, CPU, to_unit(pictures), scenes)
    assert min(scores["object"], scores["style"], scores["background"]) > 0.88


def test_a_model_that_continues_another_tells_both_stories(tmp_path):
    def log(stage, minutes, samples):
        (tmp_path / stage).mkdir(exist_ok=True)
        (tmp_path / stage / "log.jsonl").write_text(json.dumps({"step": 1, "minutes": minutes, "samples": samples}) + "\n")

    for stage, minutes, samples in (("autoencoder", 22, 300), ("judge", 10, 200), ("diffusion", 75, 1000)):
        log(stage, minutes, samples)
    first = training(tmp_path)
    assert first["diffusion"] == [{"minutes": 75, "samples": 1000}]
    assert first["autoencoder"] == {"minutes": 22, "samples": 300}
    (tmp_path / "diffusion" / BEFORE).write_text(json.dumps({**first, "notes": ["The world was plainer."]}))
    log("diffusion", 105, 3000)
    log("autoencoder", 1, 1)  # another one, which is not the model's
    second = training(tmp_path)
    assert second["autoencoder"] == first["autoencoder"]
    assert [run["samples"] for run in second["diffusion"]] == [1000, 3000]
    results = json.loads((ASSETS / "evaluation.json").read_text())
    text = card(CPU, second, results, "two CPU cores")
    assert "75 min with 1,000 samples, then 105 min with 3,000 samples, 4,000 in all." in text
    assert "The world was plainer." in text


def test_unseen_prompts_ask_for_what_training_never_shows():
    pairs = prompts.unseen(CPU.mix, 80)
    assert pairs == prompts.unseen(CPU.mix, 80)
    held = catalog.held_out()["styles"]
    assert all((scene.things[0].concept, scene.style) in held for _, scene in pairs)
    assert all(scene.things[0].concept in text and STYLES[scene.style].words[0] in text for text, scene in pairs)
    assert len({(s.things[0].concept, s.style) for _, s in pairs}) > 20


def test_an_interval_holds_the_share_and_narrows():
    few, many = (torch.tensor([1.0, 0.0, 1.0, 1.0] * n) for n in (5, 100))
    (low, high), (low_many, high_many) = interval(few), interval(many)
    assert low < 0.75 < high
    assert low < low_many < 0.75 < high_many < high
    assert interval(torch.ones(10)) == [1.0, 1.0]


def test_captions_are_in_the_languages_asked_for():
    rng, scene = np.random.default_rng(0), Scene((Thing("lion"),), "cartoon", "beach")
    said = [caption(scene, rng, replace(CPU, portuguese=0.5)) for _ in range(400)]
    assert 20 < said.count("") < 65
    assert 130 < sum("leão" in text for text in said) < 230
    assert not [text for text in (caption(scene, rng, CPU) for _ in range(100)) if "leão" in text]

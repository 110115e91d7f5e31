"""The recipe in `pocket/`: what can be proved of it without hours of training."""

import hashlib
import json
import math
import shutil
import time
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from transformers import CLIPTextConfig, CLIPTextModel

from pocket.reports.base import interval
from pocket.reports.nearest import training_pictures
from pocket.ruler import first_judge, prompts
from pocket.ruler import judge as judging
from pocket.ruler.pictures import draw_shown
from pocket.shipping.base import BASE, STAGES
from pocket.shipping.base import main as export
from pocket.shipping.card import card
from pocket.stages import autoencoder, diffusion
from pocket.stages.autoencoder import fold_statistics
from pocket.stages.config import CONFIGS, CPU
from pocket.stages.denoising import caption, timesteps
from pocket.stages.exam import Shown
from pocket.stages.exam import labels as strict_labels
from pocket.stages.pipeline import scheduler
from pocket.stages.pool import Pool
from pocket.stages.story import BEFORE, STORY, hand_on, tell
from pocket.stages.tokenizer import corpus, end_tokens, learn, move_embeddings
from pocket.world import catalog
from pocket.world.captions import read, say_plainly
from pocket.world.scene import Scene, Thing, held_out_kind
from pocket.world.stream import batches, to_unit
from sdlab.assets import ASSETS
from sdlab.scratch.muon import Muon, groups, orthogonalize
from sdlab.study.judge import FOLDER, HEADS, WEIGHTS, load_judge, opinion
from sdlab.training.run import Run


def test_the_tokenizer_has_clips_layout(tokenizer):
    ids = tokenizer("a lion on the beach", padding="max_length").input_ids
    assert len(ids) == 77
    assert ids[0] == tokenizer.bos_token_id
    assert ids[6:] == [tokenizer.eos_token_id] * 71
    assert tokenizer.eos_token_id == len(tokenizer) - 1 > 2
    assert tokenizer.tokenize("A Lion") == ["a</w>", "lion</w>"]


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=30))
def test_any_text_can_be_tokenized(byte_tokenizer, text):
    assume("<|" not in text)  # who writes an end token means one
    ids = byte_tokenizer(text, truncation=True).input_ids
    assert all(0 <= i < len(byte_tokenizer) for i in ids)
    assert byte_tokenizer.eos_token_id not in ids[:-1]  # nothing is unknown: there is a piece for every byte


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
    pictures = torch.rand(8, 3, 64, 64) * 2 - 1
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


@pytest.mark.parametrize("centre", [-0.4, 0.0, 0.3])
def test_timesteps_are_stratified_and_favour_the_middle(centre):
    t = timesteps(20_000, "cpu", torch.Generator().manual_seed(0), centre).float()
    assert 0 <= t.min() < 5
    assert 995 < t.max() <= 999
    middle = ((t > 250) & (t < 750)).float().mean()
    assert 0.6 < middle < 0.8  # 0.5 if uniform
    assert t.median() == pytest.approx(0.8 * 1000 / (1 + math.exp(-centre)) + 100, abs=20)  # a fifth is uniform, with its median at 500


def test_velocity_and_noise_invert_each_other():
    schedule, x0 = scheduler(), torch.randn(6, 4, 8, 8)
    eps, t = torch.randn_like(x0), torch.tensor([0, 100, 300, 600, 900, 999])
    noisy, v = schedule.add_noise(x0, eps, t), schedule.get_velocity(x0, eps, t)
    abar = schedule.alphas_cumprod[t][:, None, None, None]
    assert torch.allclose(abar.sqrt() * noisy - (1 - abar).sqrt() * v, x0, atol=1e-5)


def test_the_pool_refreshes_at_the_asked_pace():
    class Vae:
        made, config = 0, AutoencoderKL(block_out_channels=(8, 8), norm_num_groups=4).config  # shrinks pictures twice

        def encode(self, pictures):
            type(self).made += len(pictures)
            return type("Out", (), {"latent_dist": type("Dist", (), {"sample": lambda self: torch.zeros(len(pictures), 4, 2, 2)})()})()

    stream = iter(lambda: (torch.zeros(8, 3, 4, 4, dtype=torch.uint8), ["scene"] * 8), None)
    pool = Pool(stream, Vae(), size=64, batch=8, reuse=4, device=torch.device("cpu"), side=2)
    at_start = Vae.made
    for _ in range(40):
        latents, _, scenes = pool.draw(np.random.default_rng(0))
        assert latents.shape == (8, 4, 2, 2)
        assert len(scenes) == 8
    assert Vae.made - at_start == 40 * 8 // 4
    assert len(pool.scenes) == 64


def test_pictures_of_half_the_side_are_learned_with_the_latents_that_they_have():
    """The autoencoder of factor 8 was made so that a picture has the latents of its half: a small one is its own half, doubled."""
    vae = AutoencoderKL.from_pretrained(ASSETS / "pocket" / "vae", dtype=torch.float32)
    seen = []
    vae.encoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    stream = iter(lambda: (torch.randint(0, 256, (2, 3, CPU.side, CPU.side), dtype=torch.uint8), ["scene"] * 2), None)
    pool = Pool(stream, vae, size=12, batch=2, reuse=1, device=torch.device("cpu"), side=CPU.unet["sample_size"])
    assert pool.draw(np.random.default_rng(0))[0].shape == (2, 4, 16, 16)
    assert seen[0].shape[-1] == CPU.shown == CPU.wider * CPU.side
    assert torch.equal(seen[0][:, :, ::2, ::2], seen[0][:, :, 1::2, 1::2])


def test_batches_repeat_with_their_seed_and_fit_the_autoencoder():
    (a, scenes_a), (b, scenes_b) = next(batches(CPU, 4, 1, 2)), next(batches(CPU, 4, 1, 2))
    assert (a == b).all()
    assert scenes_a == scenes_b
    assert (next(batches(CPU, 4, 1, 3))[0] != a).any()
    assert a.shape == (4, 3, CPU.side, CPU.side)
    assert -1 <= to_unit(a).min() < to_unit(a).max() <= 1


@pytest.mark.parametrize("config", CONFIGS.values(), ids=list(CONFIGS))
def test_the_fixed_prompts_are_fixed_and_judged_by_what_they_say(config):
    pairs = prompts.one_thing(config.mix, 60)
    assert pairs == prompts.one_thing(config.mix, 60)
    truth, names = first_judge.labels(config, [s for _, s in pairs]), first_judge.classes(config)
    assert all(names["object"][i] in text for (text, _), i in zip(pairs, truth["object"].argmax(1).tolist(), strict=True))
    for (text, _), colour in zip(pairs, truth["colour"].tolist(), strict=True):
        assert colour == first_judge.NOT_ASKED or names["colour"][colour] in text


def test_the_sets_of_prompts_ask_for_what_they_say():
    held = catalog.held_out()
    one_thing, styles, known, pairs = (
        [scene for _, scene in invent(CPU.mix, count=40)]
        for invent in (prompts.one_thing, prompts.unseen_style, prompts.two_things, prompts.unseen_pairs)
    )
    assert {len(s.things) for s in one_thing + styles} == {1}
    assert {len(s.things) for s in known + pairs} == {2}
    assert all((s.things[0].concept, s.style) in held["styles"] for s in styles)
    assert all(frozenset(t.concept for t in s.things) in held["pairs"] for s in pairs)
    assert not any(held_out_kind(s) for s in one_thing + known)
    assert {s.relation for s in known} == {"wearing", "riding", "next to", "on top of", "holding"}
    assert len({(s.things[0].concept, s.style) for s in styles}) > 20


def test_portuguese_prompts_ask_for_the_same_scenes():
    english, portuguese = prompts.one_thing(CPU.mix, 30), prompts.one_thing(CPU.mix, 30, language="pt")
    assert [s for _, s in english] == [s for _, s in portuguese]
    assert not {t for t, _ in english} & {t for t, _ in portuguese}


def test_a_plain_caption_says_everything_and_is_read_back():
    for text, scene in prompts.one_thing(CPU.mix, 60) + prompts.two_things(CPU.mix, 60):
        again = read(text, np.random.default_rng(0))
        assert replace(again, relation=scene.relation) == scene, text
    scene = Scene((Thing("apple", "green"), Thing("books")), "watercolor", "plain", "orange", "next to")
    assert say_plainly(scene) == "a green apple next to books on an orange background, watercolor"
    assert say_plainly(scene, "pt") == "uma maçã verde ao lado de livros em fundo laranja, aquarela"


def _perfect(judge, scenes, **wrong):
    """The opinion of a judge that knows the truth, but for the heads in `wrong`."""
    exam = [Shown(scene) for scene in scenes]
    truth = strict_labels(judge.classes, exam)
    found = {"object": truth["object"].clone()}
    for head in HEADS[1:]:
        found[head] = torch.nn.functional.one_hot(truth[head].clamp(min=0), 20).float()
    return {**found, **wrong}


def test_accuracy_of_a_judge_that_knows_the_truth():
    scenes, judge = [s for _, s in prompts.one_thing(CPU.mix, 40) + prompts.two_things(CPU.mix, 40)], load_judge()
    assert judging.accuracy(judge, _perfect(judge, scenes), scenes) == {"object": 1.0, "style": 1.0, "background": 1.0, "colour": 1.0}
    other = 1 - _perfect(judge, scenes)["style"]  # its first 1 is at a style that is not the scene's
    assert judging.accuracy(judge, _perfect(judge, scenes, style=other), scenes)["style"] == 0


def test_a_judge_that_knows_other_things_is_none(tmp_path):
    assert judging.find_folder(CPU, tmp_path) == FOLDER
    assert judging.find_folder(CONFIGS["gpu"], tmp_path) is None


def test_a_text_encoder_that_moves_to_another_vocabulary_keeps_what_it_knew(tokenizer):
    torch.manual_seed(0)
    wider = learn(corpus(portuguese=0.5, count=3000), 2200)
    text = CLIPTextModel(CLIPTextConfig(vocab_size=len(tokenizer), **end_tokens(tokenizer), **CPU.text)).eval()
    sentence = "a lion on the beach, watercolor"
    assert tokenizer.tokenize(sentence) == wider.tokenize(sentence)
    ids = [t(sentence, padding="max_length", return_tensors="pt").input_ids for t in (tokenizer, wider)]
    old = text.get_input_embeddings().weight.detach().clone()
    with torch.no_grad():
        before = text(ids[0])
        again = move_embeddings(text, tokenizer, wider).eval()
        after = again(ids[1])
    assert torch.equal(before.last_hidden_state, after.last_hidden_state)
    assert torch.equal(before.pooler_output, after.pooler_output)  # found at the end-of-text entry, which has another number now
    word = next(e for e in wider.get_vocab() if e.endswith("</w>") and e not in tokenizer.get_vocab())
    pieces = [piece.id for piece in tokenizer.backend_tokenizer.model.tokenize(word.removesuffix("</w>"))]
    assert len(pieces) > 1
    new = again.get_input_embeddings().weight[wider.get_vocab()[word]]
    assert torch.allclose(new, old[pieces].mean(0), atol=1e-6)


def train_little(folder, minutes, save_minutes=3):
    """The first stage with a tiny autoencoder."""
    config = replace(CPU, vae={**CPU.vae, "block_out_channels": (8, 8, 8)}, vae_batch=2)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(autoencoder, "Run", partial(Run, save_minutes=save_minutes, precision="no"))
        patch.setattr(autoencoder, "held_out_psnr", lambda *_: 20.0)  # and does not measure it
        autoencoder.train(config, folder, minutes)


@pytest.mark.slow
def test_a_killed_training_resumes(tmp_path, start_processes):
    """Kill a training with SIGKILL, start it again, and see it go on instead of from the start."""
    checkpoint = tmp_path / "autoencoder" / "checkpoint"
    [(first, said)] = start_processes(train_little, tmp_path, 5, 0.005)
    deadline = time.monotonic() + 120
    while not checkpoint.exists() and time.monotonic() < deadline and first.is_alive():
        time.sleep(0.05)
    assert checkpoint.exists(), said.read_text(encoding="utf-8")
    time.sleep(0.5)
    first.kill()
    first.join()
    [(second, said)] = start_processes(train_little, tmp_path, 0.02)
    second.join(120)
    output = said.read_text(encoding="utf-8")
    assert second.exitcode == 0, output
    assert int(output.split("resumed at step ")[1].split(",")[0]) > 0
    assert AutoencoderKL.from_pretrained(tmp_path / "autoencoder" / "model").config.scaling_factor == 1.0


def test_the_shipped_numbers_are_those_of_the_card_and_of_the_shipped_judge():
    results = json.loads((ASSETS / "pocket" / "evaluation.json").read_text(encoding="utf-8"))
    rows = (ASSETS / "pocket" / "README.md").read_text(encoding="utf-8").splitlines()
    assert 0 < BASE.merit(results) <= 1
    assert results["judge"] == hashlib.sha256((FOLDER / WEIGHTS).read_bytes()).hexdigest()[:12]
    for name, measured in results["sets"].items():
        row = next(line for line in rows if line.startswith(f"| {name} |"))
        assert all(f"| {share:.0%} (" in row for share in measured["accuracy"].values())


def test_a_model_measured_by_another_judge_is_not_compared(tmp_path):
    results = json.loads((ASSETS / "pocket" / "evaluation.json").read_text(encoding="utf-8"))
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "evaluation.json").write_text(json.dumps({**results, "judge": "another"}), encoding="utf-8")
    with pytest.raises(SystemExit, match=r"measured by judge .* cannot be compared.*pocket\.reports\.base"):
        export("cpu", tmp_path, "two CPU cores", ASSETS / "pocket", False)


def test_a_worse_model_is_not_shipped(tmp_path):
    results = json.loads((ASSETS / "pocket" / "evaluation.json").read_text(encoding="utf-8"))
    for measured in results["sets"].values():
        measured["accuracy"]["object"] -= 0.01
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "evaluation.json").write_text(json.dumps(results), encoding="utf-8")
    with pytest.raises(SystemExit, match="a worse one is not shipped"):
        export("cpu", tmp_path, "two CPU cores", ASSETS / "pocket", False)


def test_the_judge_knows_true_pictures():
    judge, scenes = load_judge(), [s for _, s in prompts.one_thing(CPU.mix, 256)]
    scores = judging.accuracy(judge, opinion(judge, draw_shown(CPU, scenes, 31)), scenes)
    assert min(scores["object"], scores["style"], scores["background"]) > 0.9


def test_a_model_that_continues_another_tells_both_stories(tmp_path):
    def log(stage, minutes, samples):
        (tmp_path / stage).mkdir(exist_ok=True)
        (tmp_path / stage / "log.jsonl").write_text(
            json.dumps({"step": 1, "minutes": minutes, "samples": samples}) + "\n", encoding="utf-8"
        )

    for stage, minutes, samples in (("autoencoder", 22, 300), ("enlarge", 20, 200), ("sharpen", 70, 400), ("diffusion", 75, 1000)):
        log(stage, minutes, samples)
    first = tell(tmp_path, STAGES, diffusion={"portuguese": 0})
    assert first["diffusion"] == [{"minutes": 75, "samples": 1000, "portuguese": 0}]
    assert first["autoencoder"] == [{"minutes": 22, "samples": 300}]
    shipped = tmp_path / "shipped"
    (shipped / "unet").mkdir(parents=True)
    (shipped / STORY).write_text(json.dumps({**first, "notes": ["The world was plainer."]}), encoding="utf-8")
    for start in (shipped, shipped / "unet"):
        (tmp_path / "diffusion" / BEFORE).unlink(missing_ok=True)
        hand_on(start, tmp_path / "diffusion")
    log("diffusion", 105, 3000)
    log("autoencoder", 40, 700)
    second = tell(tmp_path, STAGES, diffusion={"portuguese": CPU.portuguese})
    assert second["sharpen"] == first["sharpen"]
    assert [run["samples"] for run in second["autoencoder"]] == [300, 700]
    assert [run["samples"] for run in second["diffusion"]] == [1000, 3000]
    results = json.loads((ASSETS / "pocket" / "evaluation.json").read_text(encoding="utf-8"))
    text = card(CPU, second, results, "two CPU cores")
    assert "75 min with 1,000 samples, then 105 min with 3,000 samples, 4,000 in all." in text
    assert "then grown, to shrink eight times over the same latents: 20 min with 200 samples; then sharpened: 70 min" in text
    assert "The world was plainer." in text
    assert "English and in the last run, 30% of them, in Portuguese" in text


def test_an_interval_holds_the_share_and_narrows():
    few, many = (torch.tensor([1.0, 0.0, 1.0, 1.0] * n) for n in (5, 100))
    (low, high), (low_many, high_many) = interval(few), interval(many)
    assert low < 0.75 < high
    assert low < low_many < 0.75 < high_many < high
    low, high = interval(torch.ones(10))
    assert 0.6 < low < 0.8 and high == 1.0  # ten of ten do not prove that it is always so


def test_captions_are_in_the_languages_asked_for():
    rng, scene = np.random.default_rng(0), Scene((Thing("lion"),), "cartoon", "beach")
    said = [caption(scene, rng, replace(CPU, portuguese=0.5)) for _ in range(400)]
    assert 20 < said.count("") < 65
    assert 130 < sum("leão" in text for text in said) < 230
    assert not [text for text in (caption(scene, rng, replace(CPU, portuguese=0)) for _ in range(100)) if "leão" in text]


def train_small(folder, batch, log_steps, minutes=1000):
    """The third stage with a tiny U-Net, until somebody stops it; returns its configuration."""
    small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "projection_dim": 32}
    recipe = replace(
        CPU, batch=batch, lr=6e-3, pool=96, vocabulary=700, text={**CPU.text, **small},
        unet={**CPU.unet, "block_out_channels": (16, 32, 32), "cross_attention_dim": 32},
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            diffusion, "Run", partial(Run, precision="no", log_steps=log_steps)
        )  # in bf16 a small backward pass takes ten times as long
        patch.setattr(diffusion.judging, "load", lambda *_: None)  # nothing is looked at
        patch.setattr(diffusion, "corpus", lambda portuguese: corpus(portuguese, count=1000))
        diffusion.train(recipe, folder, minutes)
    return recipe


@pytest.mark.slow
def test_what_a_run_was_trained_on_is_drawn_again_from_its_record(tmp_path, monkeypatch):
    shutil.copytree(ASSETS / "pocket" / "vae", tmp_path / "autoencoder" / "model")
    shown = []

    def listen(*asked):
        for pictures, scenes in batches(*asked):
            shown.append(pictures)
            yield pictures, scenes

    monkeypatch.setattr(diffusion, "batches", listen)
    recipe = train_small(tmp_path, batch=8, log_steps=2, minutes=0.05)
    assert len(shown) > 3  # more than the pool begins with
    assert torch.equal(training_pictures(tmp_path / "diffusion", recipe, 30), torch.cat(shown)[:30])
    with pytest.raises(ValueError, match="pictures, and 1,000,000 are wanted: give fewer with --training"):
        training_pictures(tmp_path / "diffusion", recipe, 1_000_000)
    with pytest.raises(ValueError, match="is a run of configuration 'cpu', not 'gpu': give --config cpu"):
        training_pictures(tmp_path / "diffusion", CONFIGS["gpu"], 8)
    with pytest.raises(FileNotFoundError, match="which says what the run was trained on: give --run"):
        training_pictures(tmp_path, recipe, 8)


@pytest.mark.slow
def test_two_processes_learn_like_one_with_the_doubled_batch(tmp_path, start_processes):
    """The loss curves of the first 36 updates, in processes as `accelerate launch` starts them on two GPUs."""
    curves = []
    for name, count, batch in (("one", 1, 8), ("two", 2, 4)):
        shutil.copytree(ASSETS / "pocket" / "vae", tmp_path / name / "autoencoder" / "model")
        log = tmp_path / name / "diffusion" / "log.jsonl"
        started = start_processes(train_small, tmp_path / name, batch, 12, count=count)
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline and not (log.exists() and len(log.read_text(encoding="utf-8").splitlines()) > 2):
            assert all(process.is_alive() for process, _ in started), [said.read_text(encoding="utf-8")[-2000:] for _, said in started]
            time.sleep(0.1)
        for process, _ in started:
            process.kill()
        curves.append([json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()][:3])
    one, two = curves
    assert [entry["step"] for entry in two] == [entry["step"] for entry in one] == [11, 23, 35]
    assert [entry["samples"] for entry in two] == [entry["samples"] for entry in one]  # the work of both is counted
    assert one[2]["loss"] < 0.9 * one[0]["loss"]
    assert [entry["loss"] for entry in two] == pytest.approx([entry["loss"] for entry in one], rel=0.1)

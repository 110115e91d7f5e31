"""LoRA: on true pipelines, killed and resumed, in parts and in processes, and read back without us."""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from typer.testing import CliRunner

import sdlab
from sdlab import cli
from sdlab.assets import ASSETS
from sdlab.pipes import loading
from sdlab.training.captioned import read_examples
from sdlab.training.examples import Examples
from sdlab.training.lora import Loss
from sdlab.training.lora_files import to_kohya
from sdlab.training.settings import OtherSettings

PROMPT = "a brown shoe"
SMALL = {"rank": 4, "alpha": 8, "batch": 2, "accumulation": 1, "lr": 1e-2}


@pytest.fixture(scope="module")
def pipe():
    """This file's own: a LoRA that is fused and taken off again leaves rounding errors, which tests of other files would notice."""
    return sdlab.load("pocket", device="cpu")


@pytest.fixture
def shoes(tmp_path):
    """Four pictures whose names are their captions."""
    where = tmp_path / "shoes"
    where.mkdir()
    rng = np.random.default_rng(0)
    for name in ("a-black-shoe", "a-brown-shoe", "a-white-shoe", "a-red-boot"):
        Image.fromarray(rng.integers(0, 255, (50, 70, 3), np.uint8)).save(where / f"{name}.png")
    return where


def weights(trained):
    return load_file(trained.file if hasattr(trained, "file") else trained)


def same(one, other, tolerance=0.0):
    assert one.keys() == other.keys()
    return all(torch.allclose(one[name], other[name], rtol=0, atol=tolerance) for name in one)


def draw(pipe, seed=0):
    return np.asarray(sdlab.generate(pipe, PROMPT, seed=seed, steps=3, progress=False).image, int)


def test_the_pipeline_is_as_it_was_and_the_lora_acts_when_it_is_loaded(pipe, shoes, tmp_path):
    before, plain = {name: value.clone() for name, value in pipe.unet.state_dict().items()}, draw(pipe)
    trained = sdlab.train_lora(pipe, shoes, tmp_path / "out", steps=8, validate=PROMPT, validate_steps=4, **SMALL)
    after = pipe.unet.state_dict()
    assert before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)
    assert all(value.requires_grad for value in pipe.unet.parameters()) and not pipe.unet.training
    assert trained.steps == 8 and trained.log[-1]["step"] == 8 and [file.name for file in trained.sheets] == [
        "validation-000004.png", "validation-000008.png"
    ]  # fmt: skip
    assert trained.parameters == sum(value.numel() for value in weights(trained).values())
    try:
        pipe.load_lora_weights(trained.file, adapter_name="shoes")
        assert np.abs(draw(pipe) - plain).max() > 8
        pipe.set_adapters("shoes", 0.0)
        assert np.abs(draw(pipe) - plain).max() <= 1
        pipe.set_adapters("shoes", 0.7)
        scaled = draw(pipe)
        pipe.fuse_lora(lora_scale=1.0)
        assert np.abs(draw(pipe) - scaled).max() <= 1
        pipe.unfuse_lora()
    finally:
        pipe.unload_lora_weights()
    assert np.abs(draw(pipe) - plain).max() <= 1


def test_a_bare_script_draws_what_was_drawn_while_training(pipe, shoes, tmp_path):
    trained = sdlab.train_lora(pipe, shoes, tmp_path / "out", steps=6, validate=PROMPT, validate_steps=6, **SMALL)
    recipe = sdlab.generate(pipe, PROMPT, progress=False).recipe
    script = f"""
import sys, torch
from diffusers import DiffusionPipeline
pipe = DiffusionPipeline.from_pretrained({str(ASSETS / "pocket")!r})
pipe.load_lora_weights({str(trained.file)!r})
pictures = [pipe({PROMPT!r}, num_inference_steps={recipe.steps}, guidance_scale={recipe.guidance},
                 generator=torch.Generator("cpu").manual_seed(seed)).images[0] for seed in (0, 1)]
for seed, picture in enumerate(pictures):
    picture.save(f"{{sys.argv[1]}}/{{seed}}.png")
assert "sdlab" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True, cwd=tmp_path, capture_output=True)
    apart = np.concatenate([np.asarray(Image.open(tmp_path / f"{seed}.png"), int) for seed in (0, 1)], 1)
    assert np.abs(apart - np.asarray(Image.open(trained.sheets[-1]), int)).max() <= 1


@pytest.fixture
def plain_steps(monkeypatch):
    """Steps along the gradient itself: Adam's are of one length, however small a gradient and whatever its sign by rounding."""
    monkeypatch.setattr(torch.optim, "AdamW", lambda parameters, lr: torch.optim.SGD(parameters, lr=lr))


def test_accumulation_is_a_larger_batch(pipe, shoes, tmp_path, plain_steps):
    whole = sdlab.train_lora(pipe, shoes, tmp_path / "whole", steps=3, **SMALL | {"batch": 8, "lr": 0.1})
    parts = sdlab.train_lora(pipe, shoes, tmp_path / "parts", steps=3, **SMALL | {"batch": 4, "accumulation": 2, "lr": 0.1})
    other = sdlab.train_lora(pipe, shoes, tmp_path / "other", steps=3, **SMALL | {"batch": 4, "lr": 0.1})
    assert same(weights(whole), weights(parts), 1e-5) and not same(weights(whole), weights(other), 1e-4)
    assert whole.log[-1]["loss"] == pytest.approx(parts.log[-1]["loss"], rel=1e-5)


def test_gradient_checkpointing_changes_nothing(pipe, shoes, tmp_path):
    plain = sdlab.train_lora(pipe, shoes, tmp_path / "plain", steps=2, **SMALL)
    saving = sdlab.train_lora(pipe, shoes, tmp_path / "saving", steps=2, gradient_checkpointing=True, **SMALL)
    assert same(weights(plain), weights(saving), 1e-5) and not pipe.unet.is_gradient_checkpointing


def train(pipe, shoes, out, steps=24, batch=2):
    torch.set_num_threads(1)  # a forked process has none of its parent's threads
    sdlab.train_lora(pipe, shoes, out, steps=steps, save_steps=3, keep=2, **SMALL | {"batch": batch})


def newest(out):
    """The step of the last checkpoint in a folder, or 0."""
    return max((int(place.name.removeprefix("checkpoint-")) for place in out.glob("checkpoint-??????")), default=0)


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_with_the_same_weights(pipe, shoes, tmp_path, start_processes):
    [(whole, said)] = start_processes(train, pipe, shoes, tmp_path / "whole")
    whole.join(300)
    assert whole.exitcode == 0, said.read_text(encoding="utf-8")
    seed = time.time_ns()
    rng, steps = random.Random(seed), []
    print("seed of the moments:", seed)  # shown where the test fails
    out = tmp_path / "killed"
    for _ in range(4):
        [(process, said)] = start_processes(train, pipe, shoes, out)
        before, deadline = newest(out), time.monotonic() + 120
        while newest(out) == before and process.is_alive() and time.monotonic() < deadline:
            time.sleep(0.005)
        process.join(rng.uniform(0, 0.5))
        process.kill()
        process.join()
        steps.append(newest(out))
    [(process, said)] = start_processes(train, pipe, shoes, out)
    process.join(300)
    assert process.exitcode == 0, said.read_text(encoding="utf-8")
    print("checkpoints at the kills:", steps)
    assert 0 < steps[0] < 24
    assert same(weights(tmp_path / "whole" / "pytorch_lora_weights.safetensors"), weights(out / "pytorch_lora_weights.safetensors"))
    logs = [
        [json.loads(line) for line in (place / "log.jsonl").read_text(encoding="utf-8").splitlines()] for place in (tmp_path / "whole", out)
    ]
    assert [(row["step"], row["loss"]) for row in logs[0]] == [(row["step"], row["loss"]) for row in logs[1]]
    assert sorted(place.name for place in out.glob("checkpoint*")) == ["checkpoint-000021", "checkpoint-000024"]


@pytest.mark.slow
def test_two_processes_do_what_one_does_with_twice_the_batch(pipe, shoes, tmp_path, start_processes, plain_steps):
    started = start_processes(train, pipe, shoes, tmp_path / "two", 4, 2, count=2)
    started += start_processes(train, pipe, shoes, tmp_path / "one", 4, 4)
    for process, said in started:
        process.join(300)
        assert process.exitcode == 0, said.read_text(encoding="utf-8")
    one, two = (weights(tmp_path / name / "pytorch_lora_weights.safetensors") for name in ("one", "two"))
    assert same(one, two, 1e-5)


def deltas(pipe, file):
    """What a LoRA file adds to each matrix."""
    pipe.load_lora_weights(file, adapter_name="it")
    try:
        layers = {name: module for name, module in pipe.unet.named_modules() if hasattr(module, "get_delta_weight")}
        return {name: module.get_delta_weight("it").detach().clone() for name, module in layers.items()}
    finally:
        pipe.unload_lora_weights()


def test_kohyas_form_is_read_back(pipe, shoes, tmp_path):
    trained = sdlab.train_lora(pipe, shoes, tmp_path / "out", steps=4, **SMALL | {"alpha": 6})
    file = to_kohya(trained.file, tmp_path / "kohya.safetensors")
    names = load_file(file)
    assert "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_out_0.lora_down.weight" in names
    assert {value.item() for name, value in names.items() if name.endswith(".alpha")} == {6.0}
    ours, back = deltas(pipe, trained.file), deltas(pipe, file)
    assert same(ours, back) and any(value.abs().max() > 1e-4 for value in ours.values())


def test_dora_is_read_back_and_has_no_kohya_form(pipe, shoes, tmp_path):
    trained = sdlab.train_lora(pipe, shoes, tmp_path / "out", steps=4, use_dora=True, validate=PROMPT, validate_steps=4, **SMALL)
    assert any("magnitude" in name for name in weights(trained))
    pipe.load_lora_weights(trained.file)
    again = sdlab.generate(pipe, PROMPT, progress=False).image
    pipe.unload_lora_weights()
    side = again.width
    assert np.abs(np.asarray(again, int) - np.asarray(Image.open(trained.sheets[0]), int)[:, :side]).max() <= 1
    with pytest.raises(ValueError, match="is a DoRA"):
        to_kohya(trained.file, tmp_path / "kohya.safetensors")


@pytest.fixture(scope="module")
def small_ones():
    """Stable Diffusion 1.5 and SDXL in the small, with random weights."""
    from docs.tools.anymodel import FAMILIES

    return {name: make() for name, make in FAMILIES.items()}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["small-sd15", "small-sdxl", "pocket-xl"])
def test_other_families_are_trained_and_read_back(small_ones, pair, shoes, tmp_path, name):
    pipe = pair[0] if name == "pocket-xl" else small_ones[name]
    trained = sdlab.train_lora(pipe, shoes, tmp_path / "out", steps=6, validate=PROMPT, validate_steps=6, **SMALL)
    plain = sdlab.generate(pipe, PROMPT, progress=False).image
    for file in (trained.file, to_kohya(trained.file, tmp_path / "kohya.safetensors")):
        pipe.load_lora_weights(file)
        try:
            image = np.asarray(sdlab.generate(pipe, PROMPT, progress=False).image, int)
        finally:
            pipe.unload_lora_weights()
        assert np.abs(image - np.asarray(Image.open(trained.sheets[0]), int)[:, : plain.width]).max() <= 1
    assert np.abs(image - np.asarray(plain, int)).max() > 1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["small-sd15", "small-sdxl", "pocket", "pocket-xl"])
def test_the_loss_is_the_one_that_the_model_was_trained_with(small_ones, pipe, pair, shoes, name):
    """By the equations, from the betas; and SDXL is told of sizes and crops."""
    chosen = {"pocket": pipe, "pocket-xl": pair[0], **small_ones}[name]
    side = sdlab.native_side(chosen)
    examples = Examples(chosen, read_examples(shoes, side)[0])
    drawn = examples.draw(3, 4, 0, 1000)
    [(latents, noise, times, told)] = examples.split(drawn, 0, 4, 4, "cpu")
    if "xl" in name:
        frame = [50, 70, 0, round((70 * side / 50 - side) / 2), side, side]
        assert told["added_cond_kwargs"]["time_ids"].tolist() == [frame] * 4
        assert told["added_cond_kwargs"]["text_embeds"].shape == (4, chosen.text_encoder_2.config.projection_dim)
    abar = torch.cumprod(1 - torch.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2, 0)[times][:, None, None, None]
    v = chosen.scheduler.config.prediction_type == "v_prediction"
    assert v == name.startswith("pocket")
    wanted = abar.sqrt() * noise - (1 - abar).sqrt() * latents if v else noise
    with torch.no_grad():
        guess = chosen.unet(abar.sqrt() * latents + (1 - abar).sqrt() * noise, times, **told).sample
        loss = Loss(chosen.unet, chosen.scheduler)(latents, noise, times, told)
    assert loss.item() == pytest.approx((guess - wanted).square().mean().item(), rel=1e-4)
    pixels = chosen.vae.decode(latents[:1] / chosen.vae.config.scaling_factor).sample
    assert pixels.shape[-1] == side


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"pipe": 3}, TypeError, "pipe is 3: give a text-to-image pipeline"),
        ({"rank": 0}, ValueError, "rank is 0: it must be 1 or more"),
        ({"rank": 2.5}, TypeError, "rank is 2.5: it must be a whole number"),
        ({"lr": float("nan")}, ValueError, "lr is nan: it must be more than 0 and finite"),
        ({"targets": "to_z"}, ValueError, "target 'to_z' is no matrix of this U-Net: the usual ones are to_q"),
        ({"images": "nowhere"}, FileNotFoundError, "nowhere is no folder"),
    ],
)
def test_what_cannot_be_is_told_in_a_sentence_and_leaves_nothing(pipe, shoes, tmp_path, change, error, said):
    with pytest.raises(error, match=said) as caught:
        sdlab.train_lora(**{"pipe": pipe, "images": shoes, "out": tmp_path / "out", "steps": 1} | change)
    assert "\n" not in str(caught.value) and not (tmp_path / "out").exists()
    assert not getattr(pipe.unet, "peft_config", None)


def test_refiners_other_schedulers_and_loaded_loras_are_refused(pipe, pair, shoes, tmp_path):
    with pytest.raises(TypeError, match="refiner"):
        sdlab.train_lora(pair[1], shoes, tmp_path / "out")
    before = pipe.scheduler
    pipe.scheduler = type(before).from_config(before.config, prediction_type="sample")
    try:
        with pytest.raises(ValueError, match="prediction_type is 'sample'"):
            sdlab.train_lora(pipe, shoes, tmp_path / "out")
    finally:
        pipe.scheduler = before
    trained = sdlab.train_lora(pipe, shoes, tmp_path / "out", steps=1, **SMALL)
    pipe.load_lora_weights(trained.file)
    try:
        with pytest.raises(ValueError, match=r"unload_lora_weights\(\)"):
            sdlab.train_lora(pipe, shoes, tmp_path / "out", steps=1, **SMALL)
    finally:
        pipe.unload_lora_weights()
    with pytest.raises(OtherSettings, match="rank was 4 and is now 5"):
        sdlab.train_lora(pipe, shoes, tmp_path / "out", steps=1, **SMALL | {"rank": 5})
    assert not getattr(pipe.unet, "peft_config", None)


def test_minutes_end_it_too(pipe, shoes, tmp_path, monkeypatch):
    monkeypatch.setenv("SDLAB_REHEARSAL", "0.5")
    trained = sdlab.train_lora(pipe, shoes, tmp_path / "out", minutes=10, **SMALL)
    assert 0 < trained.steps < 3000 and trained.file.exists()


@pytest.mark.slow
def test_an_old_torchao_is_told_with_the_remedy(shoes, tmp_path):
    """As Colab has it: peft raises where it meets a torchao below the version it wants."""
    fake = tmp_path / "site"
    (fake / "torchao").mkdir(parents=True)
    (fake / "torchao" / "__init__.py").touch()
    (fake / "torchao-0.10.0.dist-info").mkdir()
    (fake / "torchao-0.10.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: torchao\nVersion: 0.10.0\n", encoding="utf-8")
    code = f"import sdlab; sdlab.train_lora(sdlab.load('pocket', device='cpu'), {str(shoes)!r}, {str(tmp_path / 'out')!r}, steps=1)"
    path = {"PYTHONPATH": f"{fake}{':' if sys.platform != 'win32' else ';'}{Path(sdlab.__file__).parents[1]}"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **path})
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode and last.startswith("ImportError: peft cannot work beside this torchao"), last
    assert "pip uninstall -y torchao" in last


def test_the_command(pipe, shoes, tmp_path, monkeypatch):
    monkeypatch.setattr(loading, "load", lambda *_, **__: pipe)
    monkeypatch.chdir(tmp_path)
    arguments = ["lora", "--images", str(shoes), "--to", "out", "--steps", "2", "--accumulation", "1", "--rank", "2", "--kohya", "--json"]
    done = CliRunner().invoke(cli.app, arguments)
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout.strip().splitlines()[-1])
    assert all(Path(file).exists() for file in told["files"]) and len(told["files"]) == 2 and told["steps"] == 2
    for more, said in ((["--dora"], "kohya's form"), (["--targets", "to_z"], "to_z"), (["--images", "nowhere"], "no folder")):
        done = CliRunner().invoke(cli.app, [*arguments, *more])
        assert done.exit_code in (1, 2) and said in done.output and "Traceback" not in done.output

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import (
    ControlNetModel,
    DiffusionPipeline,
    StableDiffusionControlNetPipeline,
    StableDiffusionPipeline,
    StableDiffusionXLImg2ImgPipeline,
    StableDiffusionXLPipeline,
)

import sdlab
from pocket.reports.xl import refine
from pocket.ruler import prompts
from pocket.ruler.agreement import agreement
from pocket.ruler.pictures import sample
from pocket.stages.config import CPU
from pocket.stages.controlnet import as_hint, outline_things
from sdlab.assets import ASSETS
from sdlab.pipes import models


@pytest.fixture
def copy(tmp_path):
    return shutil.copytree(ASSETS / "pocket", tmp_path / "pocket")


def test_the_pocket_model_is_a_stock_pipeline(pipe):
    assert type(pipe) is StableDiffusionPipeline
    assert pipe.unet.dtype == torch.float32
    assert models.name_of(pipe) == "pocket"
    assert models.native_side(pipe) == models.MODELS["pocket"].side
    plain = DiffusionPipeline.from_pretrained(ASSETS / "pocket")  # as the card says, with no code of ours
    assert plain("a lion", num_inference_steps=1, guidance_scale=7.0).images[0].size == (models.native_side(pipe),) * 2
    assert all(torch.equal(a.float(), b) for a, b in zip(plain.unet.parameters(), pipe.unet.parameters(), strict=True))


SHIPPED = sorted(ASSETS.glob("pocket*/"))


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: folder.name)
def test_shipped_weights_are_small_and_safe(folder):
    files = list(folder.rglob("*"))
    assert all(f.stat().st_size < 15e6 for f in files if f.is_file())
    assert not [f for f in files if f.suffix in (".bin", ".pt", ".ckpt", ".pkl")]
    assert {"README.md", "LICENSE", "evaluation.json"} <= {f.name for f in files}


def test_all_weights_together_are_small():
    sizes = {folder.name: sum(f.stat().st_size for f in folder.rglob("*.safetensors")) for folder in SHIPPED}
    assert sizes["pocket"] <= 60e6
    assert sum(sizes.values()) <= 110e6


@torch.no_grad()
def test_a_sketch_becomes_a_picture_that_keeps_to_it():
    pipe = sdlab.load("pocket-scribble", device="cpu")
    assert type(pipe) is StableDiffusionControlNetPipeline
    assert type(pipe.controlnet) is ControlNetModel
    assert models.name_of(pipe) == "pocket-scribble"
    assert models.native_side(pipe) == models.MODELS["pocket-scribble"].side
    texts, scenes = map(list, zip(*prompts.one_thing(CPU.mix, 16), strict=True))
    lines = outline_things(scenes, CPU.side, 1)
    pictures = sample(pipe, texts, steps=10, image=list(as_hint(lines)))
    assert agreement(pictures, lines) > agreement(pictures, lines.roll(1, 0)) + 0.1


@pytest.fixture(scope="module")
def pair():
    return sdlab.load("pocket-xl", device="cpu")


def test_base_and_refiner_are_stock_and_share_what_they_can(pair):
    base, refiner = pair
    assert type(base) is StableDiffusionXLPipeline
    assert type(refiner) is StableDiffusionXLImg2ImgPipeline
    assert refiner.vae is base.vae
    assert refiner.text_encoder_2 is base.text_encoder_2
    assert [models.name_of(pipe) for pipe in pair] == ["pocket-xl"] * 2
    assert [models.native_side(pipe) for pipe in pair] == [models.MODELS["pocket-xl"].side] * 2
    assert models.fingerprint(base) != models.fingerprint(refiner)


@torch.no_grad()
def test_the_refiner_goes_on_where_the_base_stopped(pair):
    """Base and refiner together end nearer to the base's own picture than to another one, and not at it."""
    base, refiner = pair
    texts = [text for text, _ in prompts.one_thing(CPU.mix, 8)]
    alone, together = sample(base, texts, 10), refine(base, refiner, texts, 10, 4.0)
    assert together.shape == (8, 3, 128, 128)
    apart = (together - alone).abs().mean().item()
    assert 0.001 < apart < 0.3 * (together - alone.roll(1, 0)).abs().mean().item()


def test_a_recipe_is_drawn_by_the_base(pair, tmp_path):
    run = sdlab.generate(pair[0], sdlab.Recipe("a lion on the beach, cartoon", seed=3, steps=4, guidance=4.0), progress=False)
    assert run.image.size == (128, 128)
    [file] = sdlab.save(run, tmp_path)
    assert sdlab.reproduce(file).image.tobytes() == run.image.tobytes()


def test_no_negative_prompt_is_none_at_all(pair):
    """What SDXL hears in place of a negative prompt: zeros, which are not the words of an empty one."""
    pipe = StableDiffusionXLPipeline(**pair[0].components, force_zeros_for_empty_prompt=True, add_watermarker=False)
    recipe = sdlab.Recipe("a lion on the beach, cartoon", seed=3, steps=2, guidance=4.0)
    noise = {"generator": torch.Generator().manual_seed(3), "num_inference_steps": 2, "guidance_scale": 4.0}
    assert sdlab.generate(pipe, recipe, progress=False).image.tobytes() == pipe(recipe.prompt, **noise).images[0].tobytes()


def test_the_environment_names_the_model(monkeypatch):
    monkeypatch.setenv("SDLAB_MODEL", "pokcet")
    with pytest.raises(ValueError, match=r"model 'pokcet' is not in the model table .* did you mean 'pocket'"):
        sdlab.load()


@pytest.mark.parametrize("name", ["pocket-scribble", "pocket-xl"])
def test_the_environment_names_a_text_to_image_model(monkeypatch, name):
    monkeypatch.setenv("SDLAB_MODEL", name)
    with pytest.raises(ValueError, match=rf"SDLAB_MODEL is '{name}', .* choose one of pocket, sd15, sdxl; sdlab.load\('{name}'\)"):
        sdlab.load()


def test_a_name_like_nothing_lists_the_table():
    with pytest.raises(ValueError, match="choose one of pocket, pocket-scribble, pocket-xl, sd15, sdxl"):
        sdlab.load("zzz")


def test_a_missing_part_is_named(copy):
    shutil.rmtree(copy / "vae")
    with pytest.raises(OSError, match="vae missing") as caught:
        sdlab.load(str(copy), device="cpu")
    assert caught.value.__cause__ is not None


def test_a_damaged_weights_file_is_an_error_not_a_picture(copy):
    weights = next((copy / "unet").glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(OSError, match="damaged or incomplete"):
        sdlab.load(str(copy), device="cpu")


def test_a_real_model_without_network_says_what_to_do():
    with pytest.raises(OSError, match=r"connect to the network for a first download of 2.7 GB, or use the pocket model"):
        sdlab.load("sd15", device="cpu", local_files_only=True)


def test_every_row_of_the_table_ships_or_is_pinned():
    for model in models.MODELS.values():
        assert model.licence
        if model.commit:
            assert len(model.commit) == 40
            assert model.gigabytes
        else:
            assert (Path(model.source) / "README.md").exists()
            assert not model.gigabytes


def test_a_missing_part_of_a_controlnet_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(models.MODELS, "pocket-scribble", replace(models.MODELS["pocket-scribble"], source=str(tmp_path)))
    with pytest.raises(OSError, match=r"config.json missing.*install sdlab again"):
        sdlab.load("pocket-scribble", device="cpu")


def test_a_missing_part_of_a_refiner_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(models.MODELS, "pocket-xl", replace(models.MODELS["pocket-xl"], refiner=str(tmp_path)))
    with pytest.raises(OSError, match=rf"{tmp_path} cannot be read \(model_index.json, unet missing\): install sdlab again"):
        sdlab.load("pocket-xl", device="cpu")


def test_fingerprints_tell_models_apart(pipe):
    first = models.fingerprint(pipe)
    weight = next(pipe.unet.parameters())
    with torch.no_grad():
        weight.view(-1)[0] += 1
        assert models.fingerprint(pipe) != first
        weight.view(-1)[0] -= 1

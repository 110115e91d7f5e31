import errno
import importlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import httpx
import numpy as np
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
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError
from PIL import Image

import sdlab
from pocket.reports.xl import refine
from pocket.ruler import prompts
from pocket.ruler.agreement import agreement
from pocket.ruler.pictures import sample
from pocket.stages.config import CPU
from pocket.stages.controlnet import as_hint, outline_things
from sdlab.assets import ASSETS
from sdlab.pipes import memory, models, samplers
from sdlab.pipes.hub import explain
from sdlab.pipes.loading import choose_dtypes, settle_dtypes
from sdlab.pipes.tasks import pipeline_for
from sdlab.study import anatomy


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


@pytest.mark.slow
@torch.no_grad()
def test_a_sketch_becomes_a_picture_that_keeps_to_it():
    pipe = sdlab.load("pocket-scribble", device="cpu")
    assert type(pipe) is StableDiffusionControlNetPipeline
    assert type(pipe.controlnet) is ControlNetModel
    assert models.name_of(pipe) == "pocket-scribble"
    assert models.native_side(pipe) == models.MODELS["pocket-scribble"].side
    texts, scenes = map(list, zip(*prompts.one_thing(CPU.mix, 16), strict=True))
    lines = outline_things(scenes, CPU.shown, 1)
    pictures = sample(pipe, texts, steps=10, image=list(as_hint(lines)))
    assert agreement(pictures, lines) > agreement(pictures, lines.roll(1, 0)) + 0.1


def test_base_and_refiner_are_stock_and_share_what_they_can(pair):
    base, refiner = pair
    assert type(base) is StableDiffusionXLPipeline
    assert type(refiner) is StableDiffusionXLImg2ImgPipeline
    assert refiner.vae is base.vae
    assert refiner.text_encoder_2 is base.text_encoder_2
    assert refiner.tokenizer_2 is base.tokenizer_2
    assert [models.name_of(pipe) for pipe in pair] == ["pocket-xl", "pocket-xl-refiner"]
    assert [models.native_side(pipe) for pipe in pair] == [models.MODELS["pocket-xl"].side] * 2
    assert models.fingerprint(base) != models.fingerprint(refiner)


@pytest.mark.slow
@torch.no_grad()
def test_the_refiner_goes_on_where_the_base_stopped(pair):
    """Base and refiner together end nearer to the base's own picture than to another one, and not at it."""
    base, refiner = pair
    texts = [text for text, _ in prompts.one_thing(CPU.mix, 8)]
    alone, together = sample(base, texts, 10), refine(base, refiner, texts, 10, 4.0)
    assert together.shape == (8, 3, 256, 256)
    apart = (together - alone).abs().mean().item()
    assert 0.001 < apart < 0.3 * (together - alone.roll(1, 0)).abs().mean().item()


def test_the_shipped_xl_draws_the_same_whether_or_not_a_package_for_watermarks_is_there(monkeypatch):
    for family in ("pipeline_stable_diffusion_xl", "pipeline_stable_diffusion_xl_img2img", "pipeline_stable_diffusion_xl_inpaint"):
        module = importlib.import_module(f"diffusers.pipelines.stable_diffusion_xl.{family}")
        monkeypatch.setattr(module, "is_invisible_watermark_available", lambda: True)
        monkeypatch.setattr(module, "StableDiffusionXLWatermarker", object, raising=False)
    base = sdlab.load("pocket-xl", device="cpu")
    image = Image.new("RGB", (256, 256))
    for recipe in (
        sdlab.Recipe("a lion"),
        sdlab.Recipe("a lion", image=image, strength=0.5),
        sdlab.Recipe("a lion", image=image, mask=image),
    ):
        assert pipeline_for(base, recipe).watermark is None


def test_a_recipe_is_drawn_by_the_base(pair, tmp_path):
    run = sdlab.generate(pair[0], sdlab.Recipe("a lion on the beach, cartoon", seed=3, steps=4, guidance=4.0), progress=False)
    assert run.image.size == (256, 256)
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


@pytest.mark.parametrize("name", ["pocket-scribble", "pocket-xl-refiner"])
def test_the_environment_names_a_text_to_image_model(monkeypatch, name):
    monkeypatch.setenv("SDLAB_MODEL", name)
    with pytest.raises(
        ValueError,
        match=rf"SDLAB_MODEL is '{name}', .* choose one of pocket, pocket-xl, sd15, sd-turbo, lcm-lora-sd15, sdxl; sdlab.load\('{name}'\)",
    ):
        sdlab.load()


def test_a_name_like_nothing_lists_the_table():
    with pytest.raises(
        ValueError, match="choose one of pocket, pocket-scribble, pocket-xl, pocket-xl-refiner, sd15, sd-turbo, lcm-lora-sd15, sdxl"
    ):
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
    with pytest.raises(OSError, match=r"HF_HUB_OFFLINE forbids a download; unset it to fetch 2.7 GB once, or use the pocket model"):
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


def test_a_missing_part_of_a_refiner_is_named(tmp_path, monkeypatch, pair):
    monkeypatch.setitem(models.MODELS, "pocket-xl-refiner", replace(models.MODELS["pocket-xl-refiner"], source=str(tmp_path)))
    with pytest.raises(OSError, match=rf"{tmp_path} cannot be read \(model_index.json, unet missing\): install sdlab again"):
        sdlab.load("pocket-xl-refiner", device="cpu", base=pair[0])


def test_an_own_base_must_be_the_right_one(pipe):
    with pytest.raises(ValueError, match=r"base is 'pocket', but 'pocket-xl-refiner' stands on 'pocket-xl': give base=sdlab.load"):
        sdlab.load("pocket-xl-refiner", base=pipe)
    with pytest.raises(ValueError, match="model 'sd15' stands on no other: leave base out"):
        sdlab.load("sd15", base=pipe)
    with pytest.raises(TypeError, match="base is 3: it must be a pipeline"):
        sdlab.load("pocket-scribble", base=3)


def test_a_controlnet_shares_its_base_and_leaves_its_dtype(pipe):
    half = sdlab.load("pocket", device="cpu", dtype=torch.bfloat16)
    steered = sdlab.load("pocket-scribble", device="cpu", dtype=torch.bfloat16, base=half)
    assert steered.unet is half.unet and steered.vae is half.vae
    parts = (half.unet, half.vae, half.text_encoder, steered.controlnet)
    assert {p.dtype for part in parts for p in part.parameters()} == {torch.bfloat16}


@pytest.mark.parametrize("ask", [str, Path, lambda folder: f"{folder}/"])
def test_a_folder_is_loaded_and_named_by_its_name(copy, ask):
    pipe = sdlab.load(ask(copy), device="cpu")
    assert type(pipe) is StableDiffusionPipeline
    assert models.name_of(pipe) == copy.name
    run = sdlab.generate(pipe, "a lion", steps=1, progress=False)
    assert run.recipe.model == "pocket" and str(copy.parent) not in str(run.recipe)


@pytest.mark.parametrize("name", ["./nowhere", "/nowhere/at/all", "a/b/c", "~/nowhere", "../nowhere", "C:\\models\\sd"])
def test_a_path_to_nothing_is_told_at_once(name):
    with pytest.raises(ValueError, match="is not in the model table and no such folder exists"):
        sdlab.load(name)


def test_a_pickled_checkpoint_is_refused(tmp_path):
    (tmp_path / "model.ckpt").write_bytes(b"80")
    with pytest.raises(ValueError, match=r"no .safetensors file: convert it first, for other formats can run programs"):
        sdlab.load(tmp_path / "model.ckpt")


def test_a_hub_id_of_the_table_is_its_row_and_others_are_loaded_as_they_are():
    assert models.look_up("stabilityai/sd-turbo") is models.MODELS["sd-turbo"]
    assert models.look_up("someone/their-model").source == "someone/their-model"
    with pytest.raises(OSError, match=r"model someone/their-model could not be loaded: it is not in the cache"):
        sdlab.load("someone/their-model", device="cpu", local_files_only=True)


@pytest.mark.parametrize("wrong", [3, "", "  ", ["pocket"], b"pocket"])
def test_what_is_no_name_is_told(wrong):
    with pytest.raises((TypeError, ValueError)) as caught:
        models.look_up(wrong)
    assert "pocket" in str(caught.value) and "\n" not in str(caught.value)


def test_a_wrong_dtype_or_argument_of_load_is_told():
    with pytest.raises(TypeError, match=r"dtype is 'float16': it must be one of torch's, such as torch.float16"):
        sdlab.load("pocket", dtype="float16")
    with pytest.raises(TypeError, match=r"unexpected keyword argument 'devise': did you mean 'device'\?; it is called as sdlab.load"):
        sdlab.load("pocket", devise="cpu")


def test_the_table_says_what_is_here():
    table = sdlab.list_models()
    assert [name for name, _ in table] == list(models.MODELS)
    said = repr(table).splitlines()
    assert len(said) == 1 + len(table)
    assert "ships with the course" in next(line for line in said if line.startswith("pocket "))
    assert "2.7 GB to download" in next(line for line in said if line.startswith("sd15"))
    assert table._repr_html_().count("<tr>") == len(said)


@pytest.mark.parametrize(("name", "side"), [("sd15", 512), ("sdxl", 1024)])
def test_the_memory_in_the_table_is_what_the_estimate_gives_for_the_published_architecture(name, side):
    for dtype, told in zip((torch.float16, torch.float32), models.MODELS[name].memory, strict=True):
        parts = {part: module.to(dtype) for part, module in anatomy.on_paper(name).items()}
        if models.MODELS[name].half_vae and dtype == torch.float16:
            parts["vae"].register_to_config(force_upcast=False)  # as that one is
        drawn = SimpleNamespace(components=parts, unet=parts["unet"], vae=parts["vae"], vae_scale_factor=8)
        needs = memory.measure_needs(drawn, side)
        assert memory.estimate("full", needs, dtype == torch.float16) / 1e9 == pytest.approx(told, abs=0.06)


def test_the_samplers_in_the_table_are_those_of_the_models_that_ship(pipe, pair):
    for own, name in ((pipe, "pocket"), *zip(pair, ("pocket-xl", "pocket-xl-refiner"), strict=True)):
        published = json.loads((ASSETS / name / "scheduler" / "scheduler_config.json").read_text(encoding="utf-8"))
        assert models.MODELS[name].sampler == samplers.name_of(own.scheduler)
        assert type(own.scheduler).__name__ == published["_class_name"]


def test_models_that_ship_are_here_and_those_of_the_hub_only_when_cached(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert models.is_here("pocket-xl-refiner")
    assert not models.is_here("sd15")
    row = models.MODELS["sd15"]
    snapshot = tmp_path / f"models--{row.source.replace('/', '--')}" / "snapshots" / row.commit
    (snapshot / "unet").mkdir(parents=True)
    (snapshot / "model_index.json").write_text("{}", encoding="utf-8")
    assert not models.is_here("sd15")  # a download that broke off
    (snapshot / "unet" / "diffusion_pytorch_model.fp16.safetensors").touch()
    assert models.is_here("sd15")


def test_on_a_mac_the_text_encoder_stays_exact(pipe):
    """Before torch 2.13 half precision draws another prompt there: pytorch#195910."""
    mac = torch.device("mps")
    assert choose_dtypes(torch.device("cuda"), torch.float16) is torch.float16
    assert choose_dtypes(mac, torch.float32) is torch.float32
    mixed = DiffusionPipeline.from_pretrained(ASSETS / "pocket", dtype=choose_dtypes(mac, torch.bfloat16))
    assert (mixed.text_encoder.dtype, mixed.unet.dtype, mixed.vae.dtype) == (torch.float32, torch.bfloat16, torch.bfloat16)
    settle_dtypes(mixed)
    recipe = sdlab.Recipe("a lion on the beach, cartoon", seed=3, steps=6)
    ours, exact = (np.asarray(sdlab.generate(p, recipe, progress=False).image, float) for p in (mixed, pipe))
    assert np.abs(ours - exact).mean() < 6  # the same picture, rounded


def test_the_cause_of_a_failed_download_decides_the_remedy(monkeypatch):
    """Errors as huggingface_hub and the system raise them, wrapped as diffusers wraps them."""
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    request = httpx.Request("GET", "https://huggingface.co")
    cases = {
        "the disk is full; free 2.7 GB": OSError(errno.ENOSPC, "No space left on device"),
        "the Hub is out of reach; connect to the network": httpx.ConnectError("[Errno -2] Name or service not known"),
        "the proxy refused; check HTTPS_PROXY": httpx.ProxyError("403 Forbidden"),
        "want a form to be filled in": GatedRepoError("403", response=httpx.Response(403, request=request)),
        "the Hub knows no such model": RepositoryNotFoundError("404", response=httpx.Response(404, request=request)),
        "a new kind of trouble": RuntimeError("a new kind of trouble\nand its long story"),
    }
    for remedy, cause in cases.items():
        wrapped = OSError("Can't load the model")
        wrapped.__cause__ = cause
        said = explain("sd15", models.MODELS["sd15"], wrapped if "new kind" not in remedy else cause)
        assert remedy in said and "\n" not in said, said
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert "HF_HUB_OFFLINE forbids a download" in explain("sd15", models.MODELS["sd15"], OSError("not cached"))


def test_fingerprints_tell_models_apart(pipe):
    first = models.fingerprint(pipe)
    weight = next(pipe.unet.parameters())
    with torch.no_grad():
        weight.view(-1)[0] += 1
        assert models.fingerprint(pipe) != first
        weight.view(-1)[0] -= 1

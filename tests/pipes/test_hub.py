"""Models from the Hub: what is fetched, and what is said when that fails. A stand-in plays the Hub, the client is the real one."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

import sdlab
from sdlab.pipes.first_load import announce
from tests.pipes.hub_stand_in import Fault, HubStandIn

REPO = "studio/tiny"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A folder with a Stable Diffusion in the small, in float32 and as variant fp16, its U-Net in two shards."""
    torch.manual_seed(0)
    tokenizer = sdlab.load("pocket", device="cpu").tokenizer
    text = CLIPTextConfig(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, vocab_size=len(tokenizer))
    blocks = {"block_out_channels": (32, 32), "norm_num_groups": 8}
    pipe = StableDiffusionPipeline(
        vae=AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2, latent_channels=4, **blocks
        ),
        text_encoder=CLIPTextModel(text), tokenizer=tokenizer, scheduler=DDIMScheduler(steps_offset=1, clip_sample=False),
        unet=UNet2DConditionModel(
            sample_size=8, in_channels=4, out_channels=4, layers_per_block=1, cross_attention_dim=32, attention_head_dim=8, **blocks,
            down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        ),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("repo")
    pipe.save_pretrained(folder, max_shard_size="1MB")
    pipe.save_pretrained(folder, variant="fp16", max_shard_size="1MB")
    return folder


@pytest.fixture(scope="module")
def server():
    with HubStandIn() as hub:
        yield hub


@pytest.fixture(scope="module")
def process(server, tmp_path_factory):
    """The client's process, and its cache."""
    home = tmp_path_factory.mktemp("home")
    told = {
        "HF_ENDPOINT": server.url, "HF_HOME": str(home), "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1", "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    program = [sys.executable, str(Path(__file__).with_name("hub_client.py"))]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **told}) as running:
        assert json.loads(running.stdout.readline()) == "ready"
        yield running, home
        running.stdin.close()


@pytest.fixture
def hub(server, process, tiny):
    """The server with one repository and no faults, and `hub.ask(…)`, which lets the client act; its cache is empty at first."""
    running, home = process
    shutil.rmtree(home / "hub", ignore_errors=True)
    server.repos, server.faults, server.asked[:] = {REPO: tiny}, [], []
    server.cache = home / "hub"

    def ask(model=REPO, **more):
        running.stdin.write(json.dumps({"model": model, **more}) + "\n")
        running.stdin.flush()
        return json.loads(running.stdout.readline())

    server.ask = ask
    return server


def test_a_model_is_fetched_once_and_then_taken_from_the_cache(hub):
    first = hub.ask(draw=True)
    assert first["class"] == "StableDiffusionPipeline", first
    assert hub.asked
    assert f"studio/tiny is fetched from the Hub once: its weights into {hub.cache}" in first["heard"]
    weights = [path for method, path in hub.asked if method == "GET" and path.endswith(".safetensors")]
    assert weights and not [path for path in weights if ".fp16" in path]
    assert len(weights) == len(set(weights))
    hub.asked.clear()
    again = hub.ask(draw=True, local_files_only=True)
    assert again["pixels"] == first["pixels"] and not hub.asked
    assert "is fetched" not in hub.ask()["heard"]


def test_a_disk_without_room_is_told_before_the_download(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "not" / "there" / "yet"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    huge = replace(sdlab.MODELS["sd15"], gigabytes=1e9)
    with pytest.raises(OSError, match=r"model sd15 takes 1e\+09 GB, and .* GB left: free some, or set HF_HOME"):
        announce("sd15", huge)


def test_the_first_load_says_the_licence_and_what_it_forbids(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    announce("sd15", sdlab.MODELS["sd15"])
    said = capsys.readouterr().err
    assert "2.7 GB into" in said and "licence CreativeML OpenRAIL-M: free, but not for what harms" in said
    assert all(model.terms for model in sdlab.MODELS.values() if model.commit)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault(401, times=9), "no such model, or your token may not see it"),
        (Fault(403, times=9), "its authors want a form to be filled in"),
        (Fault(404, times=9), "no such model, or your token may not see it"),
        (Fault(429, times=99, wait=1), "asked too often; try again in 1 seconds"),
        (Fault(500, times=99), "trouble of its own (status 500)"),
        (Fault("cut", r"unet.*safetensors", times=99, methods=("GET",)), "broke off"),
        (Fault("short", r"unet.*safetensors", times=99, methods=("GET",)), "broke off"),
        (Fault("damaged", r"unet.*-00001-of.*safetensors", times=9), "came damaged"),
    ],
    ids=lambda value: str(value.kind) if isinstance(value, Fault) else "",
)
def test_every_fault_is_told_in_one_sentence_and_a_second_try_succeeds(hub, fault, said):
    hub.faults = [fault]
    failed = hub.ask()
    assert failed.get("error", {}).get("type") == "OSError", failed
    assert said in failed["error"]["says"], failed
    assert "\n" not in failed["error"]["says"] and failed["causes"]
    hub.faults = []
    assert hub.ask().get("class") == "StableDiffusionPipeline"


def test_a_connection_that_breaks_once_is_no_fault(hub):
    hub.faults = [Fault("cut", r"vae.*safetensors$", methods=("GET",))]
    assert hub.ask().get("class") == "StableDiffusionPipeline"


def test_after_a_download_broke_off_what_came_whole_is_not_fetched_twice(hub):
    hub.faults = [Fault("short", r"unet.*safetensors$", times=99, methods=("GET",))]
    assert "not fetched twice" in hub.ask()["error"]["says"]
    whole = {"/".join(file.parts[-2:]) for file in hub.cache.rglob("snapshots/*/*/*.*") if file.exists()}
    assert whole
    hub.faults = []
    hub.asked.clear()
    assert hub.ask().get("class") == "StableDiffusionPipeline"
    fetched = {"/".join(path.split("/")[-2:]) for method, path in hub.asked if method == "GET" and path.endswith(".safetensors")}
    assert any(path.startswith("unet/") for path in fetched) and not fetched & whole


def test_a_slow_hub_is_waited_for(hub):
    hub.faults = [Fault("slow", times=99)]
    assert hub.ask().get("class") == "StableDiffusionPipeline"


def test_without_a_network_the_sentence_comes_at_once_and_the_cache_is_enough(hub):
    with hub.out_of_reach():
        failed = hub.ask()
        assert "the Hub is out of reach; connect to the network" in failed["error"]["says"]
        assert failed["seconds"] < 5
    assert hub.ask().get("class") == "StableDiffusionPipeline"
    with hub.out_of_reach():
        again = hub.ask()
        assert again.get("class") == "StableDiffusionPipeline", again
        assert again["seconds"] < 5


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has a disk that is always full")
def test_a_full_disk_is_told_and_nothing_half_is_left(hub):
    failed = hub.ask(full=True)
    assert "the disk is full; free some gigabytes" in failed["error"]["says"], failed
    assert not list(hub.cache.rglob("*.incomplete"))
    assert hub.ask().get("class") == "StableDiffusionPipeline"


def test_weights_that_are_pickles_only_are_refused(hub, tiny, tmp_path):
    folder = shutil.copytree(tiny, tmp_path / "pickles")
    for file in folder.rglob("*.safetensors*"):
        file.unlink()
    for part in ("unet", "vae", "text_encoder"):
        (folder / part / ("pytorch_model.bin" if part == "text_encoder" else "diffusion_pytorch_model.bin")).write_bytes(b"pickle")
    hub.repos["studio/pickles"] = folder
    failed = hub.ask("studio/pickles")
    assert "it has no weights as safetensors, and other formats can run programs" in failed["error"]["says"], failed
    assert not [path for method, path in hub.asked if method == "GET" and path.endswith(".bin")]


def test_a_repository_without_its_unet_is_told(hub, tiny, tmp_path):
    folder = shutil.copytree(tiny, tmp_path / "lacking")
    shutil.rmtree(folder / "unet")
    hub.repos["studio/lacking"] = folder
    failed = hub.ask("studio/lacking")
    assert failed["error"]["type"] == "OSError" and "\n" not in failed["error"]["says"]
    assert "unet" in failed["error"]["says"], failed


@pytest.fixture(scope="module")
def published(tiny, tmp_path_factory):
    """The models of the table under their own ids, in the small: `{id: folder}`."""
    place = tmp_path_factory.mktemp("published")
    base = sdlab.load("pocket-xl", device="cpu")
    refiner = sdlab.load("pocket-xl-refiner", device="cpu", base=base)
    base.save_pretrained(place / "sdxl", variant="fp16")
    refiner.save_pretrained(place / "sdxl-refiner", variant="fp16")
    base.vae.save_pretrained(place / "sdxl-vae-fp16-fix")
    return {sdlab.MODELS["sd15"].source: tiny} | {sdlab.MODELS[folder.name].source: folder for folder in place.iterdir()}


def _fetched(hub):
    return {"/".join(path.split("/")[-2:]) for method, path in hub.asked if method == "GET" and path.endswith(".safetensors")}


def test_a_row_of_the_table_is_fetched_at_its_commit_and_in_half_precision(hub, published):
    hub.repos |= published
    found = hub.ask("sd15", draw=True)
    assert found.get("name") == "sd15", found
    assert all(".fp16" in file for file in _fetched(hub))
    asked = [path for _, path in hub.asked if "stable-diffusion-v1-5" in path]
    assert asked and all(sdlab.MODELS["sd15"].commit in path for path in asked if "/resolve/" in path)
    hub.asked.clear()
    assert hub.ask("sd15").get("name") == "sd15" and not _fetched(hub)


def test_an_id_that_is_gone_leads_to_what_took_its_place(hub, published):
    hub.repos |= published
    found = hub.ask("runwayml/stable-diffusion-v1-5")
    assert found.get("name") == "sd15", found
    assert any("has moved: its owners took it off the Hub in 2024" in said for said in found["warned"])


def test_in_half_precision_the_xl_takes_the_autoencoder_that_does_not_overflow(hub, published):
    hub.repos |= published
    assert "sdxl-vae-fp16-fix" in hub.ask("sdxl", dtype="float16")["vae"]
    assert "sdxl-vae-fp16-fix" not in hub.ask("sdxl", dtype="float32")["vae"]


def test_where_that_autoencoder_is_out_of_reach_the_xl_keeps_its_own_and_says_so(hub, published):
    hub.repos |= {source: folder for source, folder in published.items() if "vae" not in source}
    found = hub.ask("sdxl", dtype="float16")
    assert found.get("name") == "sdxl", found
    assert any("so the model's own decodes in float32" in said for said in found["warned"])


def test_a_refiner_borrows_what_its_base_has(hub, published):
    hub.repos |= published
    assert hub.ask("sdxl").get("name") == "sdxl"
    hub.asked.clear()
    assert hub.ask("sdxl-refiner").get("name") == "sdxl-refiner"
    assert _fetched(hub) == {"unet/diffusion_pytorch_model.fp16.safetensors"}


def test_an_autoencoder_alone_is_refused():
    with pytest.raises(ValueError, match=r"'sdxl-vae-fp16-fix' is an autoencoder and draws nothing alone: sdlab\.load\('sdxl'\) takes it"):
        sdlab.load("sdxl-vae-fp16-fix")

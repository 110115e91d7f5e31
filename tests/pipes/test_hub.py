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
from diffusers import AutoencoderKL, AutoencoderTiny, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from peft import LoraConfig, get_peft_model_state_dict
from transformers import CLIPConfig, CLIPImageProcessor, CLIPTextConfig, CLIPTextModel

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
def with_checker(tiny, tmp_path_factory):
    """The tiny model with a safety checker of the true kind, small and untrained."""
    small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = CLIPConfig(text_config=small, vision_config={**small, "image_size": 16, "patch_size": 8}, projection_dim=8)
    pipe = StableDiffusionPipeline.from_pretrained(tiny)
    pipe.register_modules(
        safety_checker=StableDiffusionSafetyChecker(config),
        feature_extractor=CLIPImageProcessor(size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16}),
    )
    pipe.register_to_config(requires_safety_checker=True)
    place = tmp_path_factory.mktemp("checked")
    pipe.save_pretrained(place)
    pipe.save_pretrained(place, variant="fp16")
    return place


@pytest.fixture(scope="module")
def published(with_checker, tmp_path_factory):
    """The models of the table under their own ids, in the small: `{id: folder}`."""
    place = tmp_path_factory.mktemp("published")
    base = sdlab.load("pocket-xl", device="cpu")
    refiner = sdlab.load("pocket-xl-refiner", device="cpu", base=base)
    base.save_pretrained(place / "sdxl", variant="fp16")
    refiner.save_pretrained(place / "sdxl-refiner", variant="fp16")
    base.vae.save_pretrained(place / "sdxl-vae-fp16-fix")
    return {sdlab.MODELS["sd15"].source: with_checker} | {sdlab.MODELS[folder.name].source: folder for folder in place.iterdir()}


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


@pytest.mark.parametrize(("name", "user"), [("sdxl-vae-fp16-fix", "sdxl"), ("taesd", "sd15")])
def test_an_autoencoder_alone_is_refused(name, user):
    with pytest.raises(ValueError, match=rf"'{name}' is an autoencoder and draws nothing alone: sdlab\.load\('{user}'\) takes it"):
        sdlab.load(name)


@pytest.fixture(scope="module")
def lora(tiny, tmp_path_factory):
    """A LoRA for the tiny model, as its makers would publish one."""
    pipe = StableDiffusionPipeline.from_pretrained(tiny)
    torch.manual_seed(1)
    pipe.unet.add_adapter(LoraConfig(r=2, target_modules=["to_q", "to_v"], init_lora_weights=False))
    place = tmp_path_factory.mktemp("lora")
    StableDiffusionPipeline.save_lora_weights(place, unet_lora_layers=get_peft_model_state_dict(pipe.unet))
    return place


def test_a_few_step_lora_stands_on_its_base_with_its_own_sampler_and_settings(hub, published, lora):
    hub.repos |= published | {sdlab.MODELS["lcm-lora-sd15"].source: lora}
    plain, found = hub.ask("sd15", draw=True), hub.ask("lcm-lora-sd15", draw=True)
    assert found.get("name") == "lcm-lora-sd15", found
    assert (found["sampler"], found["recommends"]) == ("LCMScheduler", [4, 1.0])
    assert found["adapters"] and not plain["adapters"] and found["pixels"] != plain["pixels"]
    hub.asked.clear()
    assert hub.ask("lcm-lora-sd15", local_files_only=True).get("adapters") and not hub.asked


def test_a_lora_that_is_not_there_is_told(hub, published):
    hub.repos |= published
    failed = hub.ask("lcm-lora-sd15")
    assert failed["error"]["type"] == "OSError" and "no such model" in failed["error"]["says"], failed


def test_a_lora_takes_no_base_that_it_would_change(pipe):
    with pytest.raises(ValueError, match="'lcm-lora-sd15' would change it: leave base out"):
        sdlab.load("lcm-lora-sd15", base=pipe)


@pytest.fixture(scope="module")
def small_decoder(tmp_path_factory):
    """A TAESD in the small, with as few pixels to a latent as the tiny model has."""
    place = tmp_path_factory.mktemp("taesd")
    AutoencoderTiny(
        encoder_block_out_channels=(8, 8), decoder_block_out_channels=(8, 8), num_encoder_blocks=(1, 1), num_decoder_blocks=(1, 1)
    ).save_pretrained(place)
    return place


def test_previews_take_the_tiny_autoencoder_and_fetch_it_when_it_is_first_needed(hub, published, small_decoder):
    hub.repos |= published | {sdlab.MODELS["taesd"].source: small_decoder}
    found = hub.ask("sd15", look=True)
    assert found.get("look") == [[16, 16]] and "previews take" not in " ".join(found["warned"]), found
    assert any("madebyollin/taesd" in path for _, path in hub.asked)


def test_the_safety_checker_is_left_out_unless_it_is_asked_for(hub, published):
    hub.repos |= published
    plain = hub.ask("sd15")
    assert plain.get("checker") is False, plain
    assert not [path for _, path in hub.asked if "safety_checker/model" in path]
    found = hub.ask("sd15", safety_checker=True, draw=True)
    assert found.get("checker") is True, found


def test_a_safety_checker_that_does_not_exist_is_told(tmp_path):
    with pytest.raises(ValueError, match="safety_checker was asked for, and model 'sdxl' comes with none"):
        sdlab.load("sdxl", safety_checker=True)
    with pytest.raises(ValueError, match="comes with none: leave it out"):
        sdlab.load(shutil.copytree(sdlab.MODELS["pocket"].source, tmp_path / "mine"), safety_checker=True)

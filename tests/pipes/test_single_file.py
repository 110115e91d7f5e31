"""A model as one weights file, in the layout of the original Stable Diffusion, as people share them."""

import re

import pytest
import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel

import sdlab

RESNET = {"norm1": "in_layers.0", "conv1": "in_layers.2", "norm2": "out_layers.0", "conv2": "out_layers.3", "time_emb_proj": "emb_layers.1"}
ENDS = {"time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2", "conv_in": "input_blocks.0.0",
        "conv_norm_out": "out.0", "conv_out": "out.2"}  # fmt: skip


def original_unet(key):
    """The original's name of a diffusers U-Net weight: blocks are numbered through, three to a level."""
    for ours, theirs in ENDS.items():
        if key.startswith(ours + "."):
            return theirs + key[len(ours) :]
    place, level, kind, number, rest = re.match(r"(down|up|mid)_blocks?\.?(\d*)\.(\w+)\.(\d+)\.(.+)", key).groups()
    i, j = int(level or 0), int(number)
    if kind == "resnets":
        part, _, end = rest.rpartition(".")
        rest = f"{RESNET.get(part, 'skip_connection')}.{end}"
    if place == "mid":
        return f"middle_block.{1 if kind == 'attentions' else 2 * j}.{rest}"
    if kind == "downsamplers":
        return f"input_blocks.{3 * (i + 1)}.0.{rest.replace('conv', 'op')}"
    if kind == "upsamplers":
        return f"output_blocks.{3 * i + 2}.{1 if i == 0 else 2}.{rest}"
    block = f"input_blocks.{3 * i + j + 1}" if place == "down" else f"output_blocks.{3 * i + j}"
    return f"{block}.{int(kind == 'attentions')}.{rest}"


def original_vae(key):
    """The original's name of a diffusers autoencoder weight: the decoder's levels are counted from the outside."""
    key = re.sub(r"up_blocks\.(\d)", lambda m: f"up.{3 - int(m[1])}", key)
    key = re.sub(r"down_blocks\.(\d)", r"down.\1", key)
    key = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", key)
    for ours, theirs in (
        ("mid_block.attentions.0", "mid.attn_1"), ("resnets", "block"), ("downsamplers.0", "downsample"), ("upsamplers.0", "upsample"),
        ("conv_shortcut", "nin_shortcut"), ("conv_norm_out", "norm_out"), ("group_norm", "norm"), ("to_out.0", "proj_out"),
        ("to_q", "q"), ("to_k", "k"), ("to_v", "v"),
    ):  # fmt: skip
        key = key.replace(ours, theirs)
    return key


@pytest.fixture
def tiny(pipe, tmp_path):
    """A Stable Diffusion 1.5 in the small, with random weights: the plan is what counts here, no picture is looked at."""
    torch.manual_seed(0)
    widths, levels = (32, 32, 64, 64), 4
    text = CLIPTextModel(
        CLIPTextConfig(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, vocab_size=len(pipe.tokenizer))
    )
    unet = UNet2DConditionModel(
        sample_size=8, block_out_channels=widths, cross_attention_dim=32, attention_head_dim=4, norm_num_groups=16,
    )  # fmt: skip
    vae = AutoencoderKL(
        block_out_channels=widths, down_block_types=("DownEncoderBlock2D",) * levels, up_block_types=("UpDecoderBlock2D",) * levels,
        layers_per_block=2, norm_num_groups=16, sample_size=64,
    )  # fmt: skip
    scheduler = DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False)
    return StableDiffusionPipeline(
        vae=vae, text_encoder=text, tokenizer=pipe.tokenizer, unet=unet, scheduler=scheduler,
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip


def write_original(pipe, file):
    """All weights of a pipeline in one file, named as the original names them."""
    weights = {f"model.diffusion_model.{original_unet(key)}": value for key, value in pipe.unet.state_dict().items()}
    for key, value in pipe.vae.state_dict().items():
        flat = value[..., None, None] if re.search(r"attentions.*(to_[qkv]|to_out\.0)\.weight", key) else value  # a 1×1 convolution there
        weights[f"first_stage_model.{original_vae(key)}"] = flat
    prefix = "" if next(iter(pipe.text_encoder.state_dict())).startswith("text_model.") else "text_model."
    for key, value in pipe.text_encoder.state_dict().items():
        weights[f"cond_stage_model.transformer.{prefix}{key}"] = value
    save_file({key: value.contiguous() for key, value in weights.items()}, file)


@pytest.fixture
def cache(tiny, tmp_path, monkeypatch):
    """The Hub's cache with the configuration of Stable Diffusion 1.5, which is all that a weights file needs of it; here the tiny one's."""
    root = tmp_path / "hub"
    repo = root / "models--stable-diffusion-v1-5--stable-diffusion-v1-5"
    (repo / "refs").mkdir(parents=True)
    (repo / "refs" / "main").write_text("0" * 40, encoding="utf-8")
    tiny.save_pretrained(repo / "snapshots" / ("0" * 40))
    for weights in repo.rglob("*.safetensors"):
        weights.unlink()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(root))
    monkeypatch.setattr("diffusers.utils.constants.HF_MODULES_CACHE", str(root))
    return root


def test_a_weights_file_draws_what_its_pipeline_draws(tiny, cache, tmp_path):
    write_original(tiny, tmp_path / "shared-by-someone.safetensors")
    pipe = sdlab.load(tmp_path / "shared-by-someone.safetensors", device="cpu")
    assert type(pipe) is StableDiffusionPipeline
    for part in ("unet", "vae", "text_encoder"):
        ours, theirs = (getattr(p, part).state_dict() for p in (pipe, tiny))
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[key], theirs[key]) for key in ours), part
    run = sdlab.generate(pipe, "a lion", steps=2, progress=False)
    assert run.recipe.model == "shared-by-someone"
    tiny.set_progress_bar_config(disable=True)
    noise = torch.Generator().manual_seed(0)
    assert run.image.tobytes() == tiny("a lion", num_inference_steps=2, guidance_scale=7.5, generator=noise).images[0].tobytes()


def test_a_weights_file_without_its_configuration_says_what_is_missing(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "empty"))
    write_original(tiny, tmp_path / "shared.safetensors")
    with pytest.raises(OSError, match=r"shared.safetensors cannot be read .*its model's configuration may have to come from the Hub once"):
        sdlab.load(tmp_path / "shared.safetensors", device="cpu")

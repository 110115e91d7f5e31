"""Stable Diffusion 1.5 and SDXL in the small, with random weights: `python -m docs.tools.anymodel build/anymodel`.

Their architectures are the true ones, level for level, and nothing else is the pocket model's: other widths, another side, another
vocabulary, and no judge knows them. `make course-anymodel` runs the notebooks with each, which shows that no cell depends on the pocket
model. Their pictures mean nothing.
"""

from pathlib import Path
from typing import Annotated

import torch
import typer
from diffusers import (
    AutoencoderKL,
    EulerDiscreteScheduler,
    PNDMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from pocket.stages.tokenizer import corpus, end_tokens, learn
from sdlab.study.anatomy import SD15_UNET, SD_VAE, SDXL_UNET

ENTRIES = 1200  # of the vocabulary
LATENT = 24  # the latents' side: pictures of 192 pixels
NOISE = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1}  # of both


def text_encoder(tokenizer, width, kind=CLIPTextModel):
    """A CLIP text encoder of two layers."""
    return kind(CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=width, intermediate_size=2 * width, projection_dim=width, num_hidden_layers=2,
        num_attention_heads=2, **end_tokens(tokenizer),
    )).eval()  # fmt: skip


def autoencoder():
    """SD's own, narrow."""
    return AutoencoderKL(**{**SD_VAE, "block_out_channels": (16, 16, 32, 32), "norm_num_groups": 8}).eval()


def sd15():
    """A Stable Diffusion 1.5: it predicts the noise, as that does."""
    tokenizer = learn(corpus(count=3000), ENTRIES)
    shape = {"block_out_channels": (32, 64, 64, 64), "cross_attention_dim": 48, "attention_head_dim": 4, "sample_size": LATENT}
    return StableDiffusionPipeline(
        vae=autoencoder(), tokenizer=tokenizer, text_encoder=text_encoder(tokenizer, 48),
        unet=UNet2DConditionModel(**{**SD15_UNET, **shape}).eval(), scheduler=PNDMScheduler(**NOISE, skip_prk_steps=True),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip


def sdxl():
    """An SDXL: two text encoders, one tokenizer for both, told sizes and crops."""
    tokenizer = learn(corpus(count=3000), ENTRIES)
    shape = {
        "block_out_channels": (32, 64, 64), "cross_attention_dim": 48 + 32, "attention_head_dim": (2, 4, 4), "sample_size": LATENT,
        "transformer_layers_per_block": (1, 1, 2), "addition_time_embed_dim": 32, "projection_class_embeddings_input_dim": 32 + 6 * 32,
    }  # fmt: skip
    return StableDiffusionXLPipeline(
        vae=autoencoder(), tokenizer=tokenizer, tokenizer_2=tokenizer, text_encoder=text_encoder(tokenizer, 48),
        text_encoder_2=text_encoder(tokenizer, 32, CLIPTextModelWithProjection), unet=UNet2DConditionModel(**{**SDXL_UNET, **shape}).eval(),
        scheduler=EulerDiscreteScheduler(**NOISE), add_watermarker=False,
    )  # fmt: skip


FAMILIES = {"small-sd15": sd15, "small-sdxl": sdxl}


def main(place: Annotated[Path, typer.Argument(help="where the folders go")] = Path("build/anymodel")):
    """Make both, the same each time."""
    for name, make in FAMILIES.items():
        torch.manual_seed(0)
        make().save_pretrained(place / name)
        print(place / name)


if __name__ == "__main__":
    typer.run(main)

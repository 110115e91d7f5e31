"""A look at a picture while it is drawn: latents → a picture, fast."""

import warnings
from functools import lru_cache

import torch

from sdlab.pipes.decoding import decode
from sdlab.pipes.models import MODELS, Model, name_of


def look_at(pipe, latents):
    """Latents (B, 4, h, w) → PIL images, good enough for a look.

    Where the model table names a tiny autoencoder for this model, that decodes: TAESD has 1% of the weights of Stable Diffusion's own
    decoder, and gives nearly the same picture (Bohan, github.com/madebyollin/taesd). Where there is none, or it cannot be had, the
    pipeline's own decodes, which for a large model takes as long as several steps.
    """
    name = MODELS.get(name_of(pipe), Model("")).preview
    tiny = name and _load(name, pipe.device, pipe.unet.dtype)
    return _decode_with(tiny, pipe, latents) if tiny else decode(pipe, latents)


@torch.no_grad()
def _decode_with(tiny, pipe, latents):
    pixels = tiny.decode(latents.to(tiny.device, tiny.dtype) / tiny.config.scaling_factor).sample
    return pipe.image_processor.postprocess(pixels.float(), output_type="pil")


@lru_cache
def _load(name, device, dtype):
    """The tiny autoencoder of a row, or None where it cannot be had; asked once."""
    from diffusers import AutoencoderTiny

    row = MODELS[name]
    try:
        return AutoencoderTiny.from_pretrained(row.source, revision=row.commit, dtype=dtype, use_safetensors=True).to(device).eval()
    except OSError as error:
        reason = str(error).strip().partition("\n")[0][:120]
        warnings.warn(
            f"{row.source} could not be loaded ({reason}), so previews take the model's own autoencoder, which is slower", stacklevel=4
        )
        return None

"""From latents to pictures; and where a picture came out as one flat colour, why."""

import warnings

import torch


@torch.no_grad()
def decode(pipe, latents, dtype=None):
    """Latents (B, 4, h, w) → PIL images, by the pipeline's own autoencoder.

    Args:
        pipe: the pipeline.
        latents: as its U-Net leaves them, scaled.
        dtype: what the autoencoder computes in; default: its own, but float32 where it is known to overflow in half precision.
    """
    vae, own = pipe.vae, pipe.vae.dtype
    if dtype is None:
        dtype = torch.float32 if own == torch.float16 and vae.config.get("force_upcast", False) else own
    if dtype != own:
        vae.to(dtype)
    try:
        latents = latents.to(vae.device, dtype) / vae.config.scaling_factor
        return pipe.image_processor.postprocess(vae.decode(latents).sample.float(), output_type="pil")
    finally:
        if dtype != own:
            vae.to(own)


def is_flat(image):
    """Whether every pixel of a PIL picture is the same."""
    return all(low == high for low, high in image.convert("RGB").getextrema())


def mend(pipe, out, latents):
    """The images of a pipeline's output. Where one came out flat, it is said why, and what can be mended is.

    Args:
        pipe: what drew them.
        out: its output.
        latents: the last ones, (B, 4, h, w).
    """
    images, blocked = list(out.images), getattr(out, "nsfw_content_detected", None) or [False] * len(out.images)
    for i in [i for i, image in enumerate(images) if is_flat(image)]:
        if blocked[i]:
            warnings.warn("a picture is black because the model's safety checker blocked it: try another seed or prompt", stacklevel=2)
        elif not latents[i].isfinite().all():
            warnings.warn(
                f"a picture is flat because the latents hold numbers that are none (NaN or infinite): the U-Net computes in "
                f"{_name(pipe.unet)}, load the model with dtype=torch.float32",
                stacklevel=2,
            )
        elif pipe.vae.dtype.itemsize < 4 and not is_flat(again := decode(pipe, latents[i : i + 1], torch.float32)[0]):
            images[i] = again
            warnings.warn(
                f"the autoencoder overflowed in {_name(pipe.vae)}, so the picture was decoded again in float32, which takes more memory",
                stacklevel=2,
            )
        else:
            warnings.warn(
                "every pixel of a picture is the same, and the numbers are sound: try another seed, or less guidance", stacklevel=2
            )
    return images


def _name(part):
    return str(part.dtype).removeprefix("torch.")

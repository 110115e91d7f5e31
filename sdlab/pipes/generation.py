"""Make pictures: a pipeline and a Recipe → a Generation."""

import time
from dataclasses import dataclass, field

import torch

from sdlab.pipes import models, samplers
from sdlab.pipes.recipe import Recipe
from sdlab.system import device as devices


@dataclass
class Generation:
    """A recipe, its images, and what they cost.

    `seconds` is for all images together; `peak_memory` is in bytes; `latents` holds one tensor (images, 4, h, w) a step when asked for.
    """

    recipe: Recipe
    images: list
    seconds: float
    device: str
    dtype: str
    peak_memory: int
    model_hash: str
    latents: list = field(default_factory=list, repr=False)

    @property
    def image(self):
        """The first image."""
        return self.images[0]

    def _repr_png_(self):
        return self.image._repr_png_() if len(self.images) == 1 else None


def cut_words(pipe, text):
    """The words of `text` that do not fit the text encoder's positions (77, two of them taken by the ends); "" if all fit."""
    tokenizer = pipe.tokenizer
    ids = tokenizer(text, truncation=False, verbose=False).input_ids
    room = tokenizer.model_max_length
    return tokenizer.decode(ids[room - 1 : -1]).strip() if len(ids) > room else ""


def complete(pipe, recipe):
    """The recipe with what it leaves to the pipeline filled in: size, sampler, model."""
    side = models.native_side(pipe)
    return recipe.but(
        width=recipe.width or side,
        height=recipe.height or side,
        sampler=recipe.sampler or samplers.name_of(pipe.scheduler),
        model=recipe.model or models.name_of(pipe),
    )


def generators(recipe):
    """One CPU generator an image, so that a batch gives the same pictures as one at a time, on any device."""
    return [torch.Generator("cpu").manual_seed(recipe.seed + i) for i in range(recipe.images)]


def generate(pipe, recipe, *, progress=True, keep_latents=False, on_step=None):
    """Make the pictures of a recipe.

    Args:
        pipe: a text-to-image pipeline, as `load` gives it. Its scheduler is put back afterwards.
        recipe: what to make.
        progress: show a progress bar.
        keep_latents: keep the latents of every step, on the CPU.
        on_step: called as `on_step(step, latents)` after every step, with latents (images, 4, h, w), for previews.

    Returns:
        A `Generation`, whose recipe says also what the pipeline decided.

    Raises:
        ValueError: the prompt or the negative prompt is too long; the message says which words would be cut.
    """
    for name in ("prompt", "negative_prompt"):
        cut = cut_words(pipe, getattr(recipe, name))
        if cut:
            room = pipe.tokenizer.model_max_length - 2
            raise ValueError(f"{name} is longer than {room} tokens, so that {cut!r} would be cut off: shorten it by those words")
    recipe = complete(pipe, recipe)
    kept = []

    def after_step(_, step, timestep, values):
        if keep_latents:
            kept.append(values["latents"].detach().float().cpu())
        if on_step:
            on_step(step, values["latents"])
        return values

    own = pipe.scheduler
    pipe.scheduler = samplers.make(recipe.sampler, own.config) if recipe.sampler in samplers.SAMPLERS else own
    pipe.set_progress_bar_config(disable=not progress, leave=False, desc=recipe.prompt[:40])
    device = pipe.device
    devices.reset_peak(device)
    devices.synchronize(device)
    start = time.perf_counter()
    try:
        images = pipe(
            recipe.prompt,
            negative_prompt=recipe.negative_prompt or None,  # to SDXL "" is a caption, and None is none at all
            num_inference_steps=recipe.steps,
            guidance_scale=recipe.guidance,
            width=recipe.width,
            height=recipe.height,
            num_images_per_prompt=recipe.images,
            generator=generators(recipe),
            callback_on_step_end=after_step,
        ).images
        devices.synchronize(device)
    finally:
        pipe.scheduler = own
    seconds = time.perf_counter() - start
    return Generation(
        recipe, images, seconds, device.type, str(pipe.unet.dtype).removeprefix("torch."),
        devices.peak_memory(device), models.fingerprint(pipe), kept,
    )  # fmt: skip


@torch.no_grad()
def decode(pipe, latents):
    """Latents (B, 4, h, w) → PIL images, by the pipeline's own autoencoder."""
    vae = pipe.vae
    latents = latents.to(vae.device, vae.dtype) / vae.config.scaling_factor
    return pipe.image_processor.postprocess(vae.decode(latents).sample.float(), output_type="pil")

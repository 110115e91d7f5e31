"""Draw recipes of one picture each: how diffusers is called for them, together, in parts that fit into the memory."""

import warnings
from contextlib import contextmanager

import torch
from PIL import Image

from sdlab.pipes import samplers
from sdlab.pipes.decoding import mend
from sdlab.pipes.memory import PLANS, step_down, tell_shortage
from sdlab.pipes.tasks import picture_arguments


@contextmanager
def set_up(pipe, recipe, progress):
    """The recipe's sampler and the progress bar, for a while; then the pipeline's own again."""
    if pipe is None:
        yield
        return
    own, bar = pipe.scheduler, getattr(pipe, "_progress_bar_config", None)
    pipe.scheduler = samplers.make(recipe.sampler, own.config)
    pipe.set_progress_bar_config(disable=not progress, leave=False, desc=recipe.prompt[:40])
    try:
        yield
    finally:
        pipe.scheduler = own
        if bar is None:
            del pipe._progress_bar_config
        else:
            pipe._progress_bar_config = bar


def draw_in_parts(base, refiner, recipes, keep_latents=False, on_step=None):
    """The images of recipes that can be drawn together, in as few parts as fit into the memory.

    Where memory runs out, a part is made again with half as many; what is done is done. On a Mac one image at a time, because there
    batches have a history of wrong pictures (diffusers#363).

    Args:
        base: the pipeline, set up.
        refiner: what finishes its pictures, set up too; or None.
        recipes: completed, of one image each, alike but for prompts, negative prompts (with or without one) and seeds.
        keep_latents: keep the latents of every step.
        on_step: as for `generate`.

    Returns:
        The images, and the latents of every step, each (images, 4, h, w); an empty list unless they were to be kept.

    Raises:
        MemoryError: not even one image fits.
    """
    from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size

    images, parts = [], []
    size = 1 if base.device.type == "mps" else len(recipes)
    while len(images) < len(recipes):
        latents = []
        try:
            drawn = _draw(base, refiner, recipes[len(images) : len(images) + size], latents if keep_latents else None, on_step)
        except RuntimeError as error:
            if not should_reduce_batch_size(error):
                raise
            failure = error.with_traceback(None)  # the traceback would hold what filled the memory
        else:
            images.extend(drawn)
            parts.append(latents)
            continue
        clear_device_cache(garbage_collection=True)
        if size > 1:
            size //= 2
        else:
            _make_room(base, recipes[0], failure)
    return images, [torch.cat(step) for step in zip(*parts, strict=True)]


def _make_room(pipe, recipe, failure):
    """Lay the pipeline out so that it takes less memory, and say so; a MemoryError where that is not to be."""
    shortage = tell_shortage(pipe, recipe.width, recipe.height)
    plan = step_down(pipe)
    if plan is None:
        raise MemoryError(f"{shortage}: draw a smaller one, or load the model with memory='auto'") from failure
    warnings.warn(f"{shortage}; so the model goes on with memory={plan!r} ({PLANS[plan].does})", stacklevel=2)


def _draw(base, refiner, recipes, latents, on_step):
    """One part: an image per recipe; each has a CPU generator of its own, so that parts and devices do not matter.

    The latents of every step are appended to `latents`, unless that is None.
    """
    steps, last, shared = 0, None, recipes[0]

    def listen(_, step, timestep, values):
        nonlocal steps, last
        last = values["latents"]
        if latents is not None:
            latents.append(values["latents"].detach().float().cpu())
        if on_step:
            on_step(steps, values["latents"])
        steps += 1
        return values

    common = _words(recipes) | {
        "num_inference_steps": shared.steps, "guidance_scale": shared.guidance, "callback_on_step_end": listen,
        "generator": [torch.Generator("cpu").manual_seed(recipe.seed) for recipe in recipes],
    }  # fmt: skip
    more = picture_arguments(shared)
    if refiner is None:
        images = mend(base, base(**common, **more), last)
        return [paste_back(image, more["image"], more["mask_image"]) for image in images] if shared.mask is not None else images
    half_done = base(**common, **more, denoising_end=shared.handover, output_type="latent").images
    return mend(refiner, refiner(image=half_done, **common, denoising_start=shared.handover), last)


def _words(recipes):
    """The texts as a pipeline takes them; those that all recipes share are given once, and so encoded once."""
    # To SDXL "" is a caption, and None is none at all.
    texts = [(recipe.prompt, recipe.negative_prompt or None) for recipe in recipes]
    if len(set(texts)) == 1:
        [(prompt, negative)] = set(texts)
        return {"prompt": prompt, "negative_prompt": negative, "num_images_per_prompt": len(recipes)}
    prompts, negatives = map(list, zip(*texts, strict=True))
    return {"prompt": prompts, "negative_prompt": negatives if negatives[0] else None}


def paste_back(drawn, image, mask):
    """The drawn picture inside the mask, and the image itself outside: the autoencoder changes every pixel a little, also out there."""
    return Image.composite(drawn, image, mask)

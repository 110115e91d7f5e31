"""Make pictures: a pipeline and a Recipe → a Generation."""

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch

from sdlab.pipes import models, samplers
from sdlab.pipes.recipe import Recipe
from sdlab.system import device as devices
from sdlab.system.calls import brief, check_call

HANDOVER = 0.8  # the share of the noise that a base removes before its refiner takes over (Podell et al. 2023, section 2.5)

# One picture at a time: while it is made, its pipeline carries the recipe's sampler, and that must not meet another thread's picture.
_AT_WORK = threading.RLock()


@check_call("sdlab.generate(pipe, recipe), which makes one")
@dataclass
class Generation:
    """A recipe, its images, and what they cost.

    `seconds` is for all images together; `peak_memory` is in bytes; `latents` holds one tensor (images, 4, h, w) per step when asked for.
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
    tokenizer = getattr(pipe, "tokenizer", None) or pipe.tokenizer_2
    ids = tokenizer(text, truncation=False, verbose=False).input_ids
    room = tokenizer.model_max_length
    return tokenizer.decode(ids[room - 1 : -1]).strip() if len(ids) > room else ""


def complete(pipe, recipe, refiner=None):
    """The recipe with what it leaves open filled in, and with the models that draw it, whatever it said of models before."""
    side, (steps, guidance) = models.native_side(pipe), models.recommend(pipe)
    with _AT_WORK:
        own = samplers.name_of(pipe.scheduler)
    return recipe.but(
        steps=steps if recipe.steps is None else recipe.steps,
        guidance=guidance if recipe.guidance is None else recipe.guidance,
        width=recipe.width or side,
        height=recipe.height or side,
        sampler=recipe.sampler or own,
        model=models.name_of(pipe),
        refiner=models.name_of(refiner) if refiner else None,
        handover=(recipe.handover or HANDOVER) if refiner else None,
    )


@check_call("sdlab.generate(pipe, 'a lion on the beach', seed=3) or sdlab.generate(pipe, recipe)")
def generate(pipe, recipe, *, progress=True, keep_latents=False, on_step=None, **ingredients):
    """Make the pictures of a recipe. While one thread makes pictures, others wait for their turn.

    Args:
        pipe: a text-to-image pipeline, as `load` gives it; or a pair of an SDXL base and its refiner, which takes over at the recipe's
            `handover`. Its scheduler and progress bar are put back afterwards.
        recipe: what to make; a text is the prompt of one.
        progress: show a progress bar.
        keep_latents: keep the latents of every step, on the CPU.
        on_step: called as `on_step(step, latents)` after every step, with latents (images, 4, h, w), for previews. Images that do not
            fit into the memory together are made in parts, and every part calls it. What it raises ends the work.
        ingredients: of the recipe, such as `seed=3`; they replace the recipe's own.

    Returns:
        A `Generation`, whose recipe says also what the model recommended and decided.

    Raises:
        TypeError: an argument of the wrong kind or in the wrong place.
        ValueError: an ingredient out of range; or a prompt too long, and the message says which words would be cut.
        MemoryError: not even one image fits.
    """
    base, refiner = split_pair(pipe)
    recipe = as_recipe(recipe, ingredients)
    for name in ("prompt", "negative_prompt"):
        cut = cut_words(base, getattr(recipe, name))
        if cut:
            room = (getattr(base, "tokenizer", None) or base.tokenizer_2).model_max_length - 2
            raise ValueError(f"{name} is longer than {room} tokens, so that {brief(cut)} would be cut off: shorten it by those words")
    if on_step is not None and not callable(on_step):
        raise TypeError(f"on_step is {brief(on_step)}: it must be a function of step and latents")
    recipe = complete(base, recipe, refiner)
    device = base.device
    with _AT_WORK, _set_up(base, recipe, progress), _set_up(refiner, recipe, progress):
        devices.reset_peak(device)
        devices.synchronize(device)
        start = time.perf_counter()
        images, latents = _draw_in_parts(base, refiner, recipe, keep_latents, on_step)
        devices.synchronize(device)
        seconds, peak = time.perf_counter() - start, devices.peak_memory(device)
    return Generation(
        recipe, images, seconds, device.type, str(base.unet.dtype).removeprefix("torch."), peak, models.fingerprint(base), latents,
    )  # fmt: skip


def split_pair(pipe):
    """The base and the refiner of what was given as a pipeline; the refiner is None where there is none.

    Raises:
        TypeError: no pipeline, or one that makes pictures of more than a text.
    """
    pair = tuple(pipe) if isinstance(pipe, tuple | list) else (pipe, None)
    if len(pair) != 2 or not all(hasattr(part, "unet") or part is None for part in pair) or pair[0] is None:
        raise TypeError(f"pipe is {brief(pipe)}: the pipeline comes first, as in sdlab.generate(sdlab.load(), recipe)")
    base, refiner = pair
    if hasattr(base, "controlnet"):
        raise TypeError("this pipeline wants a sketch: call it as diffusers does, pipe(prompt, image=sketch), or give one of text to image")
    if getattr(base, "text_encoder", None) is None:
        raise TypeError("this pipeline is a refiner: it goes on with what its base began, so give both, as in (base, refiner)")
    if refiner is not None and not (hasattr(refiner, "text_encoder_2") and hasattr(base, "text_encoder_2")):
        raise TypeError(f"{models.name_of(refiner)!r} cannot refine {models.name_of(base)!r}: give an SDXL base and its refiner")
    return base, refiner


def as_recipe(recipe, ingredients):
    """A Recipe from one or from a prompt, with further ingredients."""
    if isinstance(recipe, str):
        return Recipe(recipe, **ingredients)
    if not isinstance(recipe, Recipe):
        raise TypeError(f"recipe is {brief(recipe)}: give a prompt, such as 'a lion on the beach', or a sdlab.Recipe")
    return recipe.but(**ingredients) if ingredients else recipe


@contextmanager
def _set_up(pipe, recipe, progress):
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


def _draw_in_parts(base, refiner, recipe, keep_latents, on_step):
    """All images, in as few parts as fit into the memory, and the latents of every step: `(images, latents)`.

    Where memory runs out, a part is made again with half as many; what is done is done. On a Mac one image at a time, because there
    batches have a history of wrong pictures (diffusers#363).
    """
    from accelerate.utils import find_executable_batch_size

    images, parts = [], []
    size = 1 if base.device.type == "mps" else recipe.images

    def halve():
        nonlocal size
        size //= 2
        return size

    @find_executable_batch_size(starting_batch_size=size, reduce_batch_size_fn=halve)
    def draw(batch):
        while len(images) < recipe.images:
            latents = []
            count, seed = min(batch, recipe.images - len(images)), recipe.seed + len(images)
            images.extend(_draw(base, refiner, recipe, range(seed, seed + count), latents if keep_latents else None, on_step))
            parts.append(latents)

    try:
        draw()
    except RuntimeError as error:
        if "No executable batch size" not in str(error):
            raise
        size = f"{recipe.width}×{recipe.height}"
        raise MemoryError(f"one picture of {size} does not fit into the memory of {base.device}: draw a smaller one") from error
    return images, [torch.cat(step) for step in zip(*parts, strict=True)]


def _draw(base, refiner, recipe, seeds, latents, on_step):
    """One part: an image per seed; each has a CPU generator of its own, so that parts and devices do not matter.

    The latents of every step are appended to `latents`, unless that is None.
    """
    steps = 0

    def listen(_, step, timestep, values):
        nonlocal steps
        if latents is not None:
            latents.append(values["latents"].detach().float().cpu())
        if on_step:
            on_step(steps, values["latents"])
        steps += 1
        return values

    common = {
        "negative_prompt": recipe.negative_prompt or None,  # to SDXL "" is a caption, and None is none at all
        "num_inference_steps": recipe.steps, "guidance_scale": recipe.guidance, "num_images_per_prompt": len(seeds),
        "generator": [torch.Generator("cpu").manual_seed(seed) for seed in seeds], "callback_on_step_end": listen,
    }  # fmt: skip
    size = {"width": recipe.width, "height": recipe.height}
    if refiner is None:
        return base(recipe.prompt, **common, **size).images
    half_done = base(recipe.prompt, **common, **size, denoising_end=recipe.handover, output_type="latent").images
    return refiner(recipe.prompt, image=half_done, **common, denoising_start=recipe.handover).images


@torch.no_grad()
def decode(pipe, latents):
    """Latents (B, 4, h, w) → PIL images, by the pipeline's own autoencoder; in float32 where it would overflow in half precision."""
    vae, dtype = pipe.vae, pipe.vae.dtype
    overflows = dtype == torch.float16 and vae.config.get("force_upcast", False)
    if overflows:
        vae.to(torch.float32)
    try:
        latents = latents.to(vae.device, vae.dtype) / vae.config.scaling_factor
        return pipe.image_processor.postprocess(vae.decode(latents).sample.float(), output_type="pil")
    finally:
        if overflows:
            vae.to(dtype)

"""Make pictures: a pipeline and a Recipe → a Generation."""

import threading
import time
from dataclasses import dataclass, field

from sdlab.pipes import models, samplers
from sdlab.pipes.decoding import decode
from sdlab.pipes.drawing import draw_in_parts, set_up
from sdlab.pipes.recipe import Recipe
from sdlab.pipes.tasks import check_task, pipeline_for
from sdlab.system import device as devices
from sdlab.system.calls import brief, check_call

__all__ = [
    "Generation", "as_recipe", "batch_of", "complete", "cut_words", "decode", "generate", "generate_together", "prepare", "split_pair",
]  # fmt: skip

HANDOVER = 0.8  # the share of the noise that a base removes before its refiner takes over (Podell et al. 2023, section 2.5)
STRENGTH = 0.6  # of an image without a mask: enough for another style, and the layout stays

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
        strength=_settle(recipe.image, recipe.strength, 1.0 if recipe.mask else STRENGTH),
        sketch_scale=_settle(recipe.sketch, recipe.sketch_scale, 1.0),
        sketch_start=_settle(recipe.sketch, recipe.sketch_start, 0.0),
        sketch_end=_settle(recipe.sketch, recipe.sketch_end, 1.0),
    )


def _settle(picture, value, default):
    """What a recipe says of a picture, or the default; None where there is no picture."""
    return None if picture is None else default if value is None else value


@check_call("sdlab.generate(pipe, 'a lion on the beach', seed=3) or sdlab.generate(pipe, recipe)")
def generate(pipe, recipe, *, progress=True, keep_latents=False, on_step=None, **ingredients):
    """Make the pictures of a recipe. While one thread makes pictures, others wait for their turn.

    Args:
        pipe: a pipeline, as `load` gives it; or a pair of an SDXL base and its refiner, which takes over at the recipe's `handover`. Its
            scheduler and progress bar are put back afterwards. An image or a mask is drawn by diffusers' own pipeline for them, made of
            the parts of this one, so that no weight is in memory twice. A sketch needs a ControlNet's.
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
    if on_step is not None and not callable(on_step):
        raise TypeError(f"on_step is {brief(on_step)}: it must be a function of step and latents")
    recipe = prepare(base, recipe, refiner)
    images, latents, cost = _draw_and_measure(base, refiner, recipe.split(), progress, keep_latents, on_step)
    return Generation(recipe, images, latents=latents, **cost)


def generate_together(pipe, recipes):
    """Make the pictures of recipes that can share a batch, which goes through the U-Net as one.

    Each picture is the one that `generate` makes alone, but for rounding: in float32 no pixel differs by more than one of 255 levels; in
    half precision a GPU's kernels round otherwise for another size of batch, and fine details can differ (diffusers#2659).

    Args:
        pipe: as for `generate`.
        recipes: one or more, as `prepare` gives them, each of one image; `batch_of` is the same for all.

    Returns:
        A `Generation` for each, its `seconds` an equal share of the batch's.
    """
    base, refiner = split_pair(pipe)
    images, _, cost = _draw_and_measure(base, refiner, recipes, progress=False)
    cost["seconds"] /= len(recipes)
    return [Generation(recipe, [image], **cost) for recipe, image in zip(recipes, images, strict=True)]


def batch_of(recipe):
    """What recipes that go through the U-Net together have in common: everything but their words and seeds.

    A stock pipeline takes one guidance scale and one number of steps per call, and negative prompts for all pictures or for none.
    """
    return recipe.but(prompt="a picture", negative_prompt="with" if recipe.negative_prompt else "", seed=0)


def prepare(base, recipe, refiner=None):
    """The completed recipe, refused now if these pipelines cannot draw it, before the first picture is made.

    Raises:
        ValueError: a prompt too long, and the message says which words would be cut; or diffusers has no such sampler.
    """
    for name in ("prompt", "negative_prompt"):
        cut = cut_words(base, getattr(recipe, name))
        if cut:
            room = (getattr(base, "tokenizer", None) or base.tokenizer_2).model_max_length - 2
            raise ValueError(f"{name} is longer than {room} tokens, so that {brief(cut)} would be cut off: shorten it by those words")
    recipe = complete(base, recipe, refiner)
    samplers.make(recipe.sampler, base.scheduler.config)
    check_task(base, recipe, refiner)
    return recipe


def _draw_and_measure(base, refiner, recipes, progress, keep_latents=False, on_step=None):
    """The images, the latents of every step, and what drawing them cost, as a Generation's arguments."""
    device, base = base.device, pipeline_for(base, recipes[0])
    with _AT_WORK, set_up(base, recipes[0], progress), set_up(refiner, recipes[0], progress):
        devices.reset_peak(device)
        devices.synchronize(device)
        start = time.perf_counter()
        images, latents = draw_in_parts(base, refiner, recipes, keep_latents, on_step)
        devices.synchronize(device)
        seconds, peak = time.perf_counter() - start, devices.peak_memory(device)
    return images, latents, {
        "seconds": seconds, "device": device.type, "dtype": str(base.unet.dtype).removeprefix("torch."), "peak_memory": peak,
        "model_hash": models.fingerprint(base),
    }  # fmt: skip


def split_pair(pipe):
    """The base and the refiner of what was given as a pipeline; the refiner is None where there is none.

    Raises:
        TypeError: no pipeline, or one that makes pictures of more than a text.
    """
    pair = tuple(pipe) if isinstance(pipe, tuple | list) else (pipe, None)
    if len(pair) != 2 or not all(hasattr(part, "unet") or part is None for part in pair) or pair[0] is None:
        raise TypeError(f"pipe is {brief(pipe)}: the pipeline comes first, as in sdlab.generate(sdlab.load(), recipe)")
    base, refiner = pair
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

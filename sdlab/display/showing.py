"""Show generations with the parameters that made them: one, several, a film strip of the denoising, a preview while it goes on."""

import textwrap
from collections.abc import Sequence

import numpy as np
from PIL import Image

from sdlab.display.enlarging import fit
from sdlab.display.grids import grid, tell
from sdlab.display.style import CELL, FAINT
from sdlab.pipes.generation import Generation, decode
from sdlab.pipes.previews import look_at
from sdlab.system.calls import brief, check_call

PREVIEW = 256  # pixels
ONE_LINE = 10_000  # characters, as the width of titles that are not to be broken


@check_call("sdlab.show(run) or sdlab.show([run, another])")
def show(*generations, title=None):
    """Generations side by side, each with what differs between them; a single one with all its parameters.

    Args:
        generations: one by one, in lists, or a sweep, which is made now as far as it is not yet.
        title: a heading over all.

    Returns:
        The matplotlib figure.
    """
    generations = [g for item in generations for g in (item if isinstance(item, Sequence) and not isinstance(item, str) else [item])]
    wrong = [g for g in generations if not isinstance(g, Generation)]
    if wrong or not generations:
        given = brief(wrong[0]) if wrong else "nothing"
        raise TypeError(f"show was given {given}: it takes generations, as sdlab.generate returns them; for plain pictures use sdlab.grid")
    if len(generations) == 1:
        one = generations[0]
        heading = title or "\n".join(textwrap.wrap(one.recipe.prompt, 60))
        seeds = [f"seed {one.recipe.seed + i}" for i in range(len(one.images))] if len(one.images) > 1 else None
        alt = f"{tell(len(one.images), seeds or [])}: {heading}; {caption(one)}"
        figure = grid(one.images, seeds, cell=3.0 if len(one.images) == 1 else CELL, title=None, alt=" ".join(alt.split()))
        figure.text(0.5, 0.0, f"{heading}\n{caption(one)}", ha="center", va="top", fontsize=9, color=FAINT)
        return figure
    images, titles = [], []
    varied = differing([g.recipe for g in generations])
    for generation in generations:
        for index, image in enumerate(generation.images):
            images.append(image)
            values = {n: getattr(generation.recipe, n) for n in varied}
            if len(generation.images) > 1:
                values["seed"] = generation.recipe.seed + index
            titles.append(_title(values))
    alt = tell(len(images), titles, title or (None if "prompt" in varied else generations[0].recipe.prompt))
    return grid(images, titles, title=title, alt=alt)


def caption(generation):
    """The parameters of a generation in one line."""
    r = generation.recipe
    size = f"{r.width}×{r.height}"
    model = f"{r.model}, then {r.refiner} from {r.handover:.0%} on" if r.refiner else r.model
    return f"{r.steps} steps · guidance {r.guidance:g} · seed {r.seed} · {r.sampler} · {size} · {model} · {generation.seconds:.1f} s"


def contrast(recipes, width=26):
    """What differs between recipes: for each a title of the ingredients that are not the same in all; "" where all are alike.

    A line is at most `width` characters long, and every ingredient begins one.
    """
    varied = differing(recipes)
    return [_title({name: getattr(recipe, name) for name in varied}, width) for recipe in recipes]


def _title(values, width=26):
    return "\n".join("\n".join(textwrap.wrap(_say(name, value), width)) for name, value in values.items())


def differing(recipes):
    """The names of the ingredients that are not the same in all recipes."""
    names = recipes[0].to_dict()
    return [n for n in names if len({getattr(r, n) for r in recipes}) > 1]


def _say(name, value):
    return (
        f"{value}"
        if name in ("prompt", "sampler", "model")
        else f"{name.replace('_', ' ')} {value:g}"
        if isinstance(value, int | float)
        else f"{name.replace('_', ' ')}: {value or '(none)'}"
    )


@check_call("sdlab.film_strip(pipe, run)")
def film_strip(pipe, generation, frames=8):
    """The latents of a generation, decoded at evenly spaced steps: noise turning into the first picture.

    Args:
        pipe: the pipeline that made it; its autoencoder decodes.
        generation: made with `keep_latents=True`.
        frames: how many to show.

    Returns:
        The matplotlib figure.
    """
    check_film(pipe, generation)
    if not isinstance(frames, int) or frames < 1:
        raise ValueError(f"frames is {brief(frames)}: it must be a whole number from 1 up")
    last = len(generation.latents) - 1
    chosen = sorted({round(i) for i in np.linspace(0, last, frames)})
    images = [decode(pipe, generation.latents[i][:1])[0] for i in chosen]
    titles = [f"step {i + 1}" for i in chosen]
    alt = f"{generation.recipe.prompt}, as it appears out of noise: {tell(len(images), titles)}"
    return grid(images, titles, columns=len(chosen), cell=1.6, alt=alt)


def check_film(pipe, generation):
    """Refuse what has no film: no pipeline, no generation, or one that kept no latents."""
    _check_pipe(pipe)
    if not isinstance(generation, Generation):
        raise TypeError(f"generation is {brief(generation)}: give what sdlab.generate returned")
    if not generation.latents:
        raise ValueError("this generation kept no latents: make it with sdlab.generate(pipe, recipe, keep_latents=True)")


@check_call("sdlab.generate(pipe, recipe, on_step=sdlab.preview(pipe))")
def preview(pipe, every=5):
    """Watch a picture appear in a notebook: give this to `generate` as `on_step`.

    Args:
        pipe: the pipeline that draws; its autoencoder decodes, or a tiny one where the model table names one.
        every: steps between two looks; each look costs one decoding.

    Returns:
        A function `(step, latents)` that replaces the shown picture.
    """
    from IPython.display import display

    _check_pipe(pipe)
    if not isinstance(every, int) or every < 1:
        raise ValueError(f"every is {brief(every)}: it must be a whole number of steps from 1 up")
    shown = display(Image.new("RGB", (PREVIEW, PREVIEW), "white"), display_id=True)

    def look(step, latents):
        if (step + 1) % every == 0:
            shown.update(Image.fromarray(fit(look_at(pipe, latents[:1])[0], PREVIEW)))

    return look


def _check_pipe(pipe):
    if not hasattr(pipe, "vae"):
        raise TypeError(f"pipe is {brief(pipe)}: the pipeline comes first, as sdlab.load returns it")

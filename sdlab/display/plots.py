"""Show pictures with the parameters that made them: one, a row, a grid, a film strip of the denoising."""

import base64
import io
import textwrap
from collections.abc import Sequence

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import torch
from PIL import Image

from sdlab.display.described import Described
from sdlab.display.enlarging import fit
from sdlab.pipes.generation import Generation, decode
from sdlab.system.calls import brief, check_call

# Settle the backend now: settled inside an rc_context, a notebook's backend would lose its switch for showing figures by itself.
plt.switch_backend(matplotlib.get_backend())

INK, FAINT = "#222831", "#6b7280"
CELL = 2.1  # inches a small picture takes
PREVIEW = 256  # pixels
NAME_WIDTH, BESIDE = 16, 0.085  # of a row's name: characters in a line, and inches for each
ONE_LINE = 10_000  # characters, as the width of titles that are not to be broken
STYLE = {
    "figure.dpi": 110, "figure.facecolor": "white", "font.size": 10, "text.color": INK, "axes.labelcolor": INK,
    "axes.edgecolor": FAINT, "xtick.color": FAINT, "ytick.color": FAINT, "axes.spines.top": False, "axes.spines.right": False,
    "axes.titlesize": 10, "axes.prop_cycle": plt.cycler(color=["#2563eb", "#e8590c", "#11a880", "#9f2450", "#2b1d8a", "#4b0a07"]),
}  # fmt: skip


@check_call("sdlab.use_style()")
def use_style():
    """The course's look for every later plot: quiet axes, six colours that are told apart in print and by the colour-blind."""
    plt.rcParams.update(STYLE)


@check_call("sdlab.grid(images, titles)")
def grid(images, titles=None, columns=None, cell=CELL, title=None, alt=None, rows=None):
    """Images side by side, each under its title.

    Args:
        images: PIL images or arrays (H, W, 3) in 0…255; each is enlarged smoothly. Where the pixels themselves matter, take `tiles`.
        titles: a text for each, or None.
        columns: how many in a row; default: all up to six.
        cell: inches a picture takes.
        title: a heading over all.
        alt: what the figure shows, in words, for those who cannot see it; default: the number of pictures, and the names and titles.
        rows: a name for each row, written at its left.

    Returns:
        The matplotlib figure.

    Raises:
        TypeError: what is given is no list of pictures.
        ValueError: there is no picture, or not as many titles as pictures, or not as many names as rows.
    """
    images = _pictures(images)
    columns = _count_columns(columns) or min(len(images), 6)
    titles = list(titles) if titles is not None else [None] * len(images)
    if len(titles) != len(images):
        raise ValueError(f"{len(images)} images and {len(titles)} titles: give one title for each image, or none")
    names = list(rows or [])
    if names and len(names) != (count := -(-len(images) // columns)):
        raise ValueError(f"{len(names)} names and {count} rows of {columns}: give one name for each row, or none")
    words = [textwrap.fill(name, NAME_WIDTH, break_long_words=False) for name in names]
    longest = max((len(line) for name in words for line in name.splitlines()), default=0)
    figure = lay_out(images, titles, columns, cell, title, alt or _tell(len(images), [*names, *titles], title), BESIDE * longest)
    for axis, name in zip(figure.axes[::columns], words, strict=False):
        axis.text(-0.05, 0.5, name, transform=axis.transAxes, ha="right", va="center", color=INK)
    return figure


def lay_out(images, titles, columns, cell, title=None, alt=None, beside=0.0, above=0.0):
    """The figure of `grid`, each picture on whole screen pixels; with room of `beside` and `above` inches for names of rows and columns."""
    rows, lines = -(-len(images) // columns), max((text.count("\n") + 1 for text in titles if text), default=0)
    dpi = STYLE["figure.dpi"]
    side, gap, before = round(cell * dpi), round(0.05 * cell * dpi), round(beside * dpi)
    first = round((above + (0.45 if title else 0.02)) * dpi)
    pixels = [fit(image, side) for image in images]
    tall, head = max(len(picture) for picture in pixels), round((0.2 * lines + 0.08) * dpi)
    width, height = before + columns * (side + gap) + gap, first + rows * (tall + head) + gap
    with plt.rc_context(STYLE):
        figure = plt.figure(figsize=(width / dpi, height / dpi), FigureClass=Described)
        figure.alt = alt or _tell(len(images), titles, title)
        for i, (picture, text) in enumerate(zip(pixels, titles, strict=True)):
            left, top = before + gap + i % columns * (side + gap), first + i // columns * (tall + head) + head
            bottom = height - top - len(picture)
            axis = figure.add_axes((left / width, bottom / height, side / width, len(picture) / height))
            axis.imshow(picture, cmap="gray", vmin=0, vmax=255, aspect="auto")
            axis.axis("off")
            if text:
                axis.set_title(text, pad=4)
        if title:
            figure.suptitle(title, fontsize=12, y=1 - 0.12 * dpi / height, va="top")
    plt.close(figure)  # the notebook shows what a cell returns; closing keeps it from being shown twice
    return figure


def _tell(count, titles, title=None):
    """The pictures in words: `title: 2 pictures: first title; second title`."""
    named = "; ".join(" ".join(text.split()) for text in titles if text)
    pictures = f"{count} pictures" if count > 1 else "a picture"
    return ": ".join(part for part in (title, pictures, named) if part)


def _pictures(images):
    """The pictures as a list, each an array that matplotlib can show."""
    if isinstance(images, Image.Image | str | dict) or not hasattr(images, "__iter__"):
        raise TypeError(f"images is {brief(images)}: give a list of pictures, as in sdlab.grid([a, b])")
    images = list(images)
    if not images:
        raise ValueError("images is empty: there must be at least one picture")
    wrong = [image for image in images if not isinstance(image, Image.Image) and getattr(image, "ndim", 0) not in (2, 3)]
    if wrong:
        raise TypeError(f"{brief(wrong[0])} is no picture: give PIL images or arrays (H, W, 3); sdlab.show is for generations")
    return images


def _count_columns(columns):
    if columns is not None and (not isinstance(columns, int) or isinstance(columns, bool) or columns < 1):
        raise ValueError(f"columns is {brief(columns)}: it must be a whole number from 1 up")
    return columns


def tile_pixels(pictures, columns, gap=1):
    """Tensors as one picture, white between them: (n, 1 or 3, h, w) in −1…1 → uint8 (H, W, 3), `columns` in a row."""
    n, channels, h, w = pictures.shape
    rows = -(-n // columns)
    sheet = torch.ones(channels, rows * (h + gap) - gap, columns * (w + gap) - gap)
    for i, picture in enumerate(pictures.detach().cpu().float().clamp(-1, 1)):
        y, x = (i // columns) * (h + gap), (i % columns) * (w + gap)
        sheet[:, y : y + h, x : x + w] = picture
    return ((sheet + 1) * 127.5).round().byte().permute(1, 2, 0).expand(-1, -1, 3).numpy()


@check_call("sdlab.tiles(pictures)")
def tiles(pictures, columns=16, width=900):
    """Small pictures, tensors (n, 1 or 3, h, w) in −1…1, as one PIL image about `width` wide, enlarged pixel by pixel."""
    if not isinstance(pictures, torch.Tensor) or pictures.ndim != 4 or pictures.shape[1] not in (1, 3) or not len(pictures):
        given = f"a tensor of shape {tuple(pictures.shape)}" if isinstance(pictures, torch.Tensor) else brief(pictures)
        raise TypeError(f"pictures is {given}: it must be a tensor (n, 1 or 3, h, w) in −1…1; sdlab.grid is for PIL images")
    sheet = Image.fromarray(tile_pixels(pictures, _count_columns(columns)))
    scale = max(1, width // sheet.width)
    return sheet.resize((sheet.width * scale, sheet.height * scale), Image.NEAREST)


@check_call("sdlab.animate(draw, frames)")
def animate(draw, frames, size=(4, 4), milliseconds=120):
    """A moving picture for a notebook or a page: `draw(axis, frame)` draws each of `frames` on a cleared axis.

    Returns:
        `IPython.display.HTML` with a GIF inside, which runs for ever and stands two seconds on its last frame.
    """
    from IPython.display import HTML

    if not callable(draw):
        raise TypeError(f"draw is {brief(draw)}: it must be a function of a matplotlib axis and a frame")
    frames = list(frames) if hasattr(frames, "__iter__") else []
    if not frames:
        raise ValueError("frames holds no frame: give at least one, as in sdlab.animate(draw, range(10))")
    images = []
    with plt.rc_context(STYLE | {"figure.dpi": 90}):
        figure, axis = plt.subplots(figsize=size, layout="constrained")
        for frame in frames:
            axis.clear()
            draw(axis, frame)
            figure.canvas.draw()
            images.append(Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[..., :3]).quantize(64, dither=Image.Dither.NONE))
        plt.close(figure)
    file = io.BytesIO()
    images[0].save(file, "GIF", save_all=True, append_images=images[1:], duration=[milliseconds] * (len(images) - 1) + [2000], loop=0)
    return HTML(
        f'<img src="data:image/gif;base64,{base64.b64encode(file.getvalue()).decode()}" alt="{len(images)} frames of an animation">'
    )


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
        alt = f"{_tell(len(one.images), seeds or [])}: {heading}; {caption(one)}"
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
    alt = _tell(len(images), titles, title or (None if "prompt" in varied else generations[0].recipe.prompt))
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
    alt = f"{generation.recipe.prompt}, as it appears out of noise: {_tell(len(images), titles)}"
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
        pipe: the pipeline that draws; its autoencoder decodes.
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
            shown.update(Image.fromarray(fit(decode(pipe, latents[:1])[0], PREVIEW)))

    return look


def _check_pipe(pipe):
    if not hasattr(pipe, "vae"):
        raise TypeError(f"pipe is {brief(pipe)}: the pipeline comes first, as sdlab.load returns it")

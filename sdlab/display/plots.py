"""Show pictures with the parameters that made them: one, a row, a grid, a film strip of the denoising."""

import base64
import io
import textwrap

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import torch
from PIL import Image

from sdlab.pipes.generation import Generation, decode

# Settle the backend now: settled inside an rc_context, a notebook's backend would lose its switch for showing figures by itself.
plt.switch_backend(matplotlib.get_backend())

INK, FAINT = "#222831", "#6b7280"
CELL = 2.1  # inches a small picture takes
STYLE = {
    "figure.dpi": 110, "figure.facecolor": "white", "font.size": 10, "text.color": INK, "axes.labelcolor": INK,
    "axes.edgecolor": FAINT, "xtick.color": FAINT, "ytick.color": FAINT, "axes.spines.top": False, "axes.spines.right": False,
    "axes.titlesize": 10, "axes.prop_cycle": plt.cycler(color=["#2563eb", "#e8590c", "#2b8a3e", "#9c36b5", "#c92a2a", "#0b7285"]),
}  # fmt: skip


def use_style():
    """The course's look for every later plot: quiet axes, six colours that are told apart in print and by the colour-blind."""
    plt.rcParams.update(STYLE)


def grid(images, titles=None, columns=None, cell=CELL, title=None):
    """Images side by side, each under its title.

    Args:
        images: PIL images or arrays (H, W, 3) in 0…255; all of one size.
        titles: a text for each, or None.
        columns: how many in a row; default: all up to six.
        cell: inches a picture takes.
        title: a heading over all.

    Returns:
        The matplotlib figure.
    """
    columns = columns or min(len(images), 6)
    rows = -(-len(images) // columns)
    titles = list(titles) if titles is not None else [None] * len(images)
    lines = max((text.count("\n") + 1 for text in titles if text), default=0)
    above = 0.45 if title else 0.02
    height = rows * (cell + 0.2 * lines + 0.08) + above
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(rows, columns, figsize=(columns * cell, height), squeeze=False)
        for axis in axes.flat:
            axis.axis("off")
        for axis, image, text in zip(axes.flat, images, titles, strict=False):
            pixels = np.asarray(image)
            crisp = pixels.shape[0] < 200  # a small picture is enlarged pixel by pixel, so that it is seen as it is
            axis.imshow(pixels, interpolation="nearest" if crisp else "antialiased")
            if text:
                axis.set_title(text, pad=4)
        figure.subplots_adjust(
            left=0.01, right=0.99, bottom=0.01, top=1 - (above + 0.2 * lines) / height, wspace=0.05, hspace=0.1 + 0.1 * lines
        )
        if title:
            figure.suptitle(title, fontsize=12, y=1 - 0.12 / height, va="top")
    plt.close(figure)  # the notebook shows what a cell returns; closing keeps it from being shown twice
    return figure


def tile_pixels(pictures, columns, gap=1):
    """Tensors as one picture, white between them: (n, 1 or 3, h, w) in −1…1 → uint8 (H, W, 3), `columns` in a row."""
    n, channels, h, w = pictures.shape
    rows = -(-n // columns)
    sheet = torch.ones(channels, rows * (h + gap) - gap, columns * (w + gap) - gap)
    for i, picture in enumerate(pictures.detach().cpu().float().clamp(-1, 1)):
        y, x = (i // columns) * (h + gap), (i % columns) * (w + gap)
        sheet[:, y : y + h, x : x + w] = picture
    return ((sheet + 1) * 127.5).round().byte().permute(1, 2, 0).expand(-1, -1, 3).numpy()


def tiles(pictures, columns=16, width=900):
    """Small pictures, tensors (n, 1 or 3, h, w) in −1…1, as one PIL image about `width` wide, enlarged pixel by pixel."""
    sheet = Image.fromarray(tile_pixels(pictures, columns))
    scale = max(1, width // sheet.width)
    return sheet.resize((sheet.width * scale, sheet.height * scale), Image.NEAREST)


def animate(draw, frames, size=(4, 4), milliseconds=120):
    """A moving picture for a notebook or a page: `draw(axis, frame)` draws each of `frames` on a cleared axis.

    Returns:
        `IPython.display.HTML` with a GIF inside, which runs for ever and stands two seconds on its last frame.
    """
    from IPython.display import HTML

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


def show(*generations, title=None):
    """Generations side by side, each with what differs between them; a single one with all its parameters.

    Returns:
        The matplotlib figure.
    """
    generations = [g for item in generations for g in (item if isinstance(item, list | tuple) else [item])]
    if not generations or not all(isinstance(g, Generation) for g in generations):
        raise TypeError("show takes Generations, as sdlab.generate returns them: for plain pictures use sdlab.grid")
    if len(generations) == 1:
        one = generations[0]
        heading = title or "\n".join(textwrap.wrap(one.recipe.prompt, 60))
        seeds = [f"seed {one.recipe.seed + i}" for i in range(len(one.images))] if len(one.images) > 1 else None
        figure = grid(one.images, seeds, cell=3.0 if len(one.images) == 1 else CELL, title=None)
        figure.text(0.5, 0.0, f"{heading}\n{caption(one)}", ha="center", va="top", fontsize=9, color=FAINT)
        return figure
    images, titles = [], []
    differing = _differing([g.recipe for g in generations])
    for generation in generations:
        for index, image in enumerate(generation.images):
            images.append(image)
            values = {n: getattr(generation.recipe, n) for n in differing}
            if len(generation.images) > 1:
                values["seed"] = generation.recipe.seed + index
            titles.append(_title(values))
    return grid(images, titles, title=title)


def caption(generation):
    """The parameters of a generation in one line."""
    r = generation.recipe
    size = f"{r.width}×{r.height}"
    return f"{r.steps} steps · guidance {r.guidance:g} · seed {r.seed} · {r.sampler} · {size} · {r.model} · {generation.seconds:.1f} s"


def contrast(recipes):
    """What differs between recipes: for each a title of the ingredients that are not the same in all; "" where all are alike."""
    return [_title({name: getattr(recipe, name) for name in _differing(recipes)}) for recipe in recipes]


def _title(values):
    return "\n".join("\n".join(textwrap.wrap(_say(name, value), 26)) for name, value in values.items())


def _differing(recipes):
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


def film_strip(pipe, generation, frames=8):
    """The latents of a generation, decoded at evenly spaced steps: noise turning into the first picture.

    Args:
        pipe: the pipeline that made it; its autoencoder decodes.
        generation: made with `keep_latents=True`.
        frames: how many to show.

    Returns:
        The matplotlib figure.
    """
    if not generation.latents:
        raise ValueError("this generation kept no latents: make it with sdlab.generate(pipe, recipe, keep_latents=True)")
    last = len(generation.latents) - 1
    chosen = sorted({round(i) for i in np.linspace(0, last, frames)})
    images = [decode(pipe, generation.latents[i][:1])[0] for i in chosen]
    return grid(images, [f"step {i + 1}" for i in chosen], columns=len(chosen), cell=1.6)


def preview(pipe, every=5):
    """Watch a picture appear in a notebook: give this to `generate` as `on_step`.

    Args:
        pipe: the pipeline that draws; its autoencoder decodes.
        every: steps between two looks; each look costs one decoding.

    Returns:
        A function `(step, latents)` that replaces the shown picture.
    """
    from IPython.display import display

    shown = display(Image.new("RGB", (192, 192), "white"), display_id=True)

    def look(step, latents):
        if (step + 1) % every == 0:
            image = decode(pipe, latents[:1])[0]
            scale = max(1, 192 // image.width)
            shown.update(image.resize((image.width * scale, image.height * scale), Image.NEAREST))

    return look

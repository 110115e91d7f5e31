"""Pictures side by side: enlarged smoothly with titles, or small ones pixel by pixel."""

import textwrap

import matplotlib.pyplot as plt
import torch
from PIL import Image

from sdlab.display.described import Described
from sdlab.display.enlarging import fit
from sdlab.display.style import CELL, INK, STYLE
from sdlab.system.calls import brief, check_call

NAME_WIDTH, BESIDE = 16, 0.085  # of a row's name: characters in a line, and inches for each


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
    figure = lay_out(images, titles, columns, cell, title, alt or tell(len(images), [*names, *titles], title), BESIDE * longest)
    for axis, name in zip(figure.axes[::columns], words, strict=False):
        axis.text(-0.05, 0.5, name, transform=axis.transAxes, ha="right", va="center", color=INK)
    return figure


def lay_out(images, titles, columns, cell, title=None, alt=None, beside=0.0, above=0.0):
    """The figure of `grid`, each picture on whole screen pixels; with room of `beside` and `above` inches for names of rows and columns."""
    parts = [titles[start : start + columns] for start in range(0, len(images), columns)]  # of each row
    lines = [max((text.count("\n") + 1 for text in part if text), default=0) for part in parts]
    dpi = STYLE["figure.dpi"]
    side, gap, before = round(cell * dpi), round(0.05 * cell * dpi), round(beside * dpi)
    first = round((above + (0.45 if title else 0.02)) * dpi)
    pixels = [fit(image, side) for image in images]
    tall, heads = max(len(picture) for picture in pixels), [round((0.2 * count + 0.08) * dpi) for count in lines]
    tops = [first + row * tall + sum(heads[: row + 1]) for row in range(len(parts))]
    width, height = before + columns * (side + gap) + gap, tops[-1] + tall + gap
    with plt.rc_context(STYLE):
        figure = plt.figure(figsize=(width / dpi, height / dpi), FigureClass=Described)
        figure.alt = alt or tell(len(images), titles, title)
        for i, (picture, text) in enumerate(zip(pixels, titles, strict=True)):
            left, top = before + gap + i % columns * (side + gap), tops[i // columns]
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


def tell(count, titles, title=None):
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
def tiles(pictures, columns=16, width=900, *, rows=None, titles=None, alt=None):
    """Small pictures side by side, enlarged pixel by pixel, on a sheet about `width` screen pixels wide.

    Args:
        pictures: tensors (n, 1 or 3, h, w) in −1…1.
        columns: how many in a row.
        width: of the sheet, in screen pixels.
        rows: a name for each row, written at its left, or None.
        titles: a name for each column, written above it, or None.
        alt: what the figure shows, in words; default: the number of pictures and the names.

    Returns:
        A PIL image; with names, a matplotlib figure.

    Raises:
        TypeError: what is given is no such tensor.
        ValueError: not as many names as rows or columns.
    """
    if not isinstance(pictures, torch.Tensor) or pictures.ndim != 4 or pictures.shape[1] not in (1, 3) or not len(pictures):
        given = f"a tensor of shape {tuple(pictures.shape)}" if isinstance(pictures, torch.Tensor) else brief(pictures)
        raise TypeError(f"pictures is {given}: it must be a tensor (n, 1 or 3, h, w) in −1…1; sdlab.grid is for PIL images")
    sheet = Image.fromarray(tile_pixels(pictures, _count_columns(columns)))
    scale = max(1, width // sheet.width)
    sheet = sheet.resize((sheet.width * scale, sheet.height * scale), Image.NEAREST)
    if not rows and not titles:
        return sheet
    rows, titles = list(rows or []), list(titles or [])
    for names, count, what in ((rows, -(-len(pictures) // columns), "rows"), (titles, columns, "columns")):
        if names and len(names) != count:
            raise ValueError(f"{len(names)} names and {count} {what}: give one name for each, or none")
    return _name_tiles(sheet, columns, rows, titles, alt or tell(len(pictures), [*map(str, rows), *map(str, titles)]))


def _name_tiles(sheet, columns, rows, titles, alt):
    """A sheet with the names of its rows and columns, one screen pixel for each of its pixels."""
    dpi = STYLE["figure.dpi"]
    with plt.rc_context(STYLE):
        figure = plt.figure(figsize=(sheet.width / dpi, sheet.height / dpi), FigureClass=Described)
        figure.alt = alt
        axis = figure.add_axes((0, 0, 1, 1))
        axis.imshow(sheet, aspect="auto")
        axis.axis("off")
        for row, name in enumerate(rows):
            axis.text(-8, (row + 0.5) * sheet.height / len(rows), name, ha="right", va="center", color=INK)
        longest = max((len(line) for name in titles for line in str(name).splitlines()), default=0)
        size = max(6, min(10, 1.1 * sheet.width / columns / max(longest, 1)))  # points, so that neighbours do not touch
        for column, name in enumerate(titles):
            axis.text((column + 0.5) * sheet.width / columns, -8, name, ha="center", va="bottom", color=INK, fontsize=size)
    plt.close(figure)
    return figure

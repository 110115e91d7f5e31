"""Drawings of what `anatomy` finds: the U-Net's levels, and words over a picture."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Rectangle

from sdlab.display.described import Described
from sdlab.display.style import CELL, FAINT, INK, STYLE


def levels(traced, title=None):
    """The way of a latent through a U-Net, as boxes: height is the side of the grid, width (log scale) the channels.

    Args:
        traced: from `anatomy.trace`.
        title: a heading.

    Returns:
        The matplotlib figure.
    """
    most = max(level.height for level in traced)
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(9.5, 3.1), FigureClass=Described)
        shapes = ", ".join(f"{level.name.replace('_', ' ')} {level.channels}×{level.height}×{level.width}" for level in traced)
        figure.alt = f"{title or 'A U-Net'}: its levels as boxes, channels×height×width: {shapes}"
        x = 0.0
        for level in traced:
            width, height = max(2.2, 0.3 * np.log2(level.channels)), level.height / most
            colour = "#e8590c" if level.name == "middle" else "#2563eb" if level.name.startswith("down") else "#2b8a3e"
            colour = FAINT if level.name.startswith("conv") else colour
            axis.add_patch(Rectangle((x, -height / 2), width, height, facecolor=colour, alpha=0.22, edgecolor=colour))
            axis.text(x + width / 2, 0.56, level.name.replace("_", "\n"), ha="center", va="bottom", fontsize=9, color=INK)
            shape = f"{level.channels}×{level.height}×{level.width}\n{_count(level.parameters)}"
            axis.text(x + width / 2, -0.56, shape, ha="center", va="top", fontsize=8, color=FAINT)
            x += width + 0.3
        axis.set(xlim=(-0.2, x), ylim=(-0.85, 0.8))
        axis.axis("off")
        if title:
            axis.set_title(title, fontsize=12)
        figure.tight_layout()
    plt.close(figure)
    return figure


def _count(number):
    return f"{number / 1e6:.1f} M" if number >= 1e5 else f"{number / 1e3:.1f} k"


def words(image, maps, columns=6):
    """A picture, and over it, for each word, where that word is looked at: bright is much, dark is little.

    Args:
        image: a PIL image.
        maps: `{word: (h, w) tensor}` from `anatomy.word_maps`.
        columns: pictures in a row.

    Returns:
        The matplotlib figure.
    """
    rows = -(-(len(maps) + 1) // columns)
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(rows, columns, figsize=(columns * CELL * 0.8, rows * CELL * 0.92), squeeze=False, FigureClass=Described)
        figure.alt = f"A picture, and over it where each of these words is looked at: {', '.join(maps)}"
        for axis in axes.flat:
            axis.axis("off")
        axes.flat[0].imshow(image, interpolation="bicubic")
        axes.flat[0].set_title("the picture")
        for axis, (word, attention) in zip(axes.flat[1:], maps.items(), strict=False):
            extent = (-0.5, image.width - 0.5, image.height - 0.5, -0.5)
            axis.imshow(image.convert("L"), cmap="gray", vmin=0, vmax=255)
            axis.imshow(attention, cmap="inferno", alpha=0.72, extent=extent, interpolation="bilinear")
            axis.set_title(word)
        figure.tight_layout(pad=0.4)
    plt.close(figure)
    return figure

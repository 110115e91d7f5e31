"""Where things are in a picture, how many and of which colour, and whether a word is written on it.

Rules of a few lines instead of a network: what they look at is plain to see, and they need plain backgrounds. What they are good for is
tested on pictures of which the answer is known.
"""

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from skimage.color import rgb2lab
from skimage.feature import match_template
from skimage.measure import label, regionprops

from sdlab.study.metrics import check_pictures
from sdlab.system.calls import brief, check_call

COLOURS = {  # sRGB
    "red": (222, 40, 40), "orange": (245, 130, 25), "yellow": (250, 210, 45), "green": (55, 160, 60), "blue": (45, 105, 225),
    "purple": (135, 65, 190), "pink": (245, 125, 180), "brown": (125, 78, 45), "black": (30, 30, 35), "white": (245, 245, 245),
    "grey": (140, 140, 140),
}  # fmt: skip
UNLIKE = 14.0  # how far a pixel of a thing is from the background, in CIELAB, where 2.3 can just be seen
SMALLEST = 0.01  # of a thing: share of the picture


def _lab(picture):
    return rgb2lab(np.asarray(picture.convert("RGB")) / 255)


def find_things(picture):
    """Which pixels are not of the background, (H, W) of bool; the background is the median colour along the four sides."""
    lab = _lab(picture)
    rim = np.concatenate([lab[0], lab[-1], lab[:, 0], lab[:, -1]])
    return np.linalg.norm(lab - np.median(rim, 0), axis=-1) > UNLIKE


def _centre(mask):
    """The centre of mass of a mask, (x, y) in shares of the picture from the upper left; nan where it is next to nothing."""
    if mask.mean() < SMALLEST:
        return (np.nan, np.nan)
    y, x = (where.mean() for where in np.nonzero(mask))
    return ((x + 0.5) / mask.shape[1], (y + 0.5) / mask.shape[0])


@check_call("thing_centres(pictures)")
def thing_centres(pictures):
    """Where the centre of all that is not background lies: (n, 2), x and y from 0 at the upper left to 1."""
    return np.array([_centre(find_things(picture)) for picture in check_pictures(pictures)])


def _nearest(picture):
    """The number of the nearest of `COLOURS` for each pixel, (H, W)."""
    named = rgb2lab(np.array(list(COLOURS.values())) / 255)
    return np.linalg.norm(_lab(picture)[:, :, None] - named, axis=-1).argmin(-1)


@check_call('colour_centres(pictures, "red")')
def colour_centres(pictures, colour):
    """Where the centre of a colour lies: (n, 2), x and y from 0 at the upper left to 1; nan in a picture that hardly has it.

    Raises:
        ValueError: the colour is none of `COLOURS`.
    """
    if colour not in COLOURS:
        raise ValueError(f"colour is {brief(colour)}: it must be one of {', '.join(COLOURS)}")
    return np.array([_centre(_nearest(picture) == list(COLOURS).index(colour)) for picture in check_pictures(pictures)])


@check_call("main_colours(pictures)")
def main_colours(pictures):
    """The commonest colour of what is not background, a name of `COLOURS` for each picture; None where there is nothing."""
    found = []
    for picture in check_pictures(pictures):
        mask = find_things(picture)
        counts = np.bincount(_nearest(picture)[mask], minlength=len(COLOURS))
        found.append(list(COLOURS)[counts.argmax()] if mask.mean() >= SMALLEST else None)
    return found


@check_call("count_things(pictures)")
def count_things(pictures):
    """How many separate things are not background, (n,): things that touch count as one, specks of less than 1% not at all."""
    counts = []
    for picture in check_pictures(pictures):
        regions = regionprops(label(find_things(picture), connectivity=2))
        counts.append(sum(region.area >= SMALLEST * picture.width * picture.height for region in regions))
    return np.array(counts)


def write_word(word, width):
    """A word in black on white, `width` pixels wide: a PIL picture in grey."""
    font = ImageFont.load_default(64)
    left, top, right, bottom = font.getbbox(word)
    made = Image.new("L", (right - left + 8, bottom - top + 8), 255)
    ImageDraw.Draw(made).text((4 - left, 4 - top), word, font=font, fill=0)
    return made.resize((width, max(4, round(width * made.height / made.width))), Image.LANCZOS)


@check_call('word_match(pictures, "LOVE")')
def word_match(pictures, word):
    """How well a word fits the best place of each picture, (n,): 1 where it is written there, dark on light or light on dark.

    The largest correlation of the word, in one plain typeface and five widths from a third to nine tenths of the picture, with any part of
    the picture's grey values (Lewis 1995). Pictures without the word do not come to 0: something always resembles it a little.
    """
    best = []
    for picture in check_pictures(pictures):
        grey = np.asarray(picture.convert("L"), float)
        words = (np.asarray(write_word(word, round(share * picture.width)), float) for share in (0.33, 0.45, 0.6, 0.75, 0.9))
        best.append(max(np.abs(match_template(grey, letters)).max() for letters in words))
    return np.array(best)

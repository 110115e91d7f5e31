"""Filters over a finished picture: six that make a style, five that spoil it.

Each takes a random generator and an RGB picture and gives back an RGB picture of the same size. They are cheap on purpose (a
millisecond or two at 128 px), because the world is drawn afresh while the model trains.

A style's finest stroke is one pixel wide, whatever the side. With a `grain` of 2 it is two pixels wide, as in a picture of half the side.
"""

import numpy as np
from PIL import Image, ImageChops, ImageEnhance, ImageFilter, ImageOps


def cartoon(rng, picture, grain=1):
    """Saturated, in few tones, with dark lines where the picture changes."""
    flat = ImageEnhance.Color(ImageOps.posterize(picture, 4)).enhance(1.45)
    grey = picture.convert("L")
    reach = 2 * grain + 1
    edges = ImageChops.subtract(grey.filter(ImageFilter.MaxFilter(reach)), grey.filter(ImageFilter.MinFilter(reach)))
    lines = edges.point(lambda v: 255 if v < 48 else max(30, 255 - 3 * (v - 48)))
    return ImageChops.multiply(flat, Image.merge("RGB", (lines,) * 3))


def stencil(rng, picture, grain=1):
    """Three tones of ink on paper, cut where the picture itself is dark, middling and light."""
    grey = ImageOps.autocontrast(picture.convert("L"), cutoff=1)
    tones = grey.point(lambda v: 40 if v < 85 else (165 if v < 160 else 248))
    return Image.merge("RGB", (tones,) * 3)


def oil(rng, picture, grain=1):
    """Blobs of one colour, as a loaded brush leaves them, with ridges of relief that swirl."""
    side = picture.width
    reach = 2 * grain if side // grain >= 96 else grain
    blobs = picture.filter(ImageFilter.ModeFilter(2 * reach + 1)).filter(ImageFilter.SMOOTH)
    yy, xx = np.mgrid[:side, :side] / side
    a, b, c = rng.uniform(0, 6.3, 3)
    swirl = np.sin(70 * (yy + 0.06 * np.sin(9 * xx + a) + 0.05 * np.sin(14 * (xx + yy) + b)) + c)
    relief = np.asarray(ImageEnhance.Color(blobs).enhance(1.4), np.float32) + (20 * swirl)[..., None]
    return Image.fromarray(np.clip(relief, 0, 255).astype(np.uint8))


def watercolor(rng, picture, grain=1):
    """A pale wash with pigment in clouds, darker where it dries, on paper that stays bare at the rim."""
    side = picture.width
    wash = picture.filter(ImageFilter.MedianFilter(2 * grain + 1))
    soft = np.asarray(wash.filter(ImageFilter.BoxBlur(side / 50)), np.float32)
    wash = np.asarray(wash, np.float32)
    edge = np.clip(np.abs(wash - soft).mean(-1, keepdims=True) * 1.2, 0, 45)
    cloud, rim = (rng.uniform(0, 255, (n, n)).astype(np.uint8) for n in (6, 10))
    cloud, rim = (np.asarray(Image.fromarray(v).resize((side, side), Image.BICUBIC), np.float32)[..., None] / 255 for v in (cloud, rim))
    to_edge = np.minimum(np.arange(side), np.arange(side)[::-1]) / side
    inside = np.minimum(to_edge[:, None], to_edge[None])[..., None] - 0.03 - 0.07 * rim  # < 0 on bare paper
    strength = (0.5 + 0.3 * cloud) * np.clip(inside * 40, 0, 1)
    return Image.fromarray(np.clip(255 - (255 - wash + edge) * strength, 0, 255).astype(np.uint8))


def pencil(rng, picture, grain=1):
    """Grey lines where the picture changes, a light tone inside, and hatching in the shadows."""
    side, grey = picture.width, picture.convert("L")
    values = np.asarray(grey, np.float32)
    thin = grey.filter(ImageFilter.MaxFilter(2 * grain + 1))
    lines = np.asarray(thin, np.float32) - values  # dark beside light
    yy, xx = np.mgrid[:side, :side] / side
    hatch = np.clip(np.sin(62 * (xx + yy)), 0, 1) * np.clip(170 - values, 0, 110) * 0.35
    return Image.merge("RGB", (Image.fromarray(np.clip(150 + 0.4 * values - 1.3 * lines - hatch, 20, 252).astype(np.uint8)),) * 3)


def pixel(rng, picture, grain=1):
    """Few large square pixels of few colours."""
    side, coarse = picture.width, picture.width // grain
    small = ImageOps.posterize(picture.resize((coarse // 4 if coarse >= 96 else coarse // 3,) * 2, Image.BOX), 3)
    return ImageEnhance.Color(ImageOps.autocontrast(small, cutoff=1)).enhance(1.2).resize((side, side), Image.NEAREST)


STYLE_FILTERS = {f.__name__: f for f in (cartoon, stencil, oil, watercolor, pencil, pixel)}


def blurry(rng, picture):
    """Out of focus."""
    return picture.filter(ImageFilter.GaussianBlur(picture.width * rng.uniform(0.022, 0.04)))


def pixelated(rng, picture):
    """Too few pixels, shown large."""
    side = picture.width
    return picture.resize((int(side / rng.uniform(5, 7.5)),) * 2, Image.BOX).resize((side, side), Image.NEAREST)


def distorted(rng, picture):
    """Bent by a wave in both directions."""
    side = picture.width
    yy, xx = np.mgrid[:side, :side].astype(np.float32)
    reach, beat = side * rng.uniform(0.05, 0.09), 6.283 / (side * rng.uniform(0.35, 0.6))
    x = xx + reach * np.sin(yy * beat + rng.uniform(0, 6.3))
    y = yy + reach * np.sin(xx * beat + rng.uniform(0, 6.3))
    edge = side - 1
    return Image.fromarray(np.asarray(picture)[np.clip(y, 0, edge).astype(int), np.clip(x, 0, edge).astype(int)])


def noisy(rng, picture):
    """Grain."""
    grain = rng.normal(0, rng.uniform(20, 32), (picture.height, picture.width, 1))
    return Image.fromarray(np.clip(np.asarray(picture, np.float32) + grain, 0, 255).astype(np.uint8))


def washed_out(rng, picture):
    """Low contrast, towards a light grey."""
    return Image.blend(picture, Image.new("RGB", picture.size, (190, 190, 190)), rng.uniform(0.6, 0.75))


SPOILERS = {"blurry": blurry, "pixelated": pixelated, "distorted": distorted, "noisy": noisy, "washed out": washed_out}

"""Paint a background: one short painter per kind, each a few strokes with a little chance in them.

Every painter takes a random generator, the side in pixels and an RGB colour (used by `plain` and `gradient` only) and gives
back an RGB picture. Positions are fractions of the side, so the same scene can be painted at any size; only the streaks of `rain` are a
pixel wide, or `grain` pixels.
"""

import numpy as np
from PIL import Image, ImageDraw


def vertical(side, *stops):
    """A vertical gradient through evenly spaced RGB stops, as an RGB image of side × side."""
    rows = np.linspace(0, 1, side)
    at = np.linspace(0, 1, len(stops))
    column = np.stack([np.interp(rows, at, channel) for channel in np.asarray(stops, float).T], -1)  # (side, 3)
    return Image.fromarray(np.repeat(column[:, None].astype(np.uint8), side, 1))


def shade(rng, colour, spread=14):
    """The colour, a little lighter or darker and a little off its hue."""
    return tuple(int(v) for v in np.clip(np.asarray(colour) + rng.normal(0, spread * 0.4, 3) + rng.normal(0, spread), 0, 255))


def white(rng, side, colour):
    """Near-white paper with the faintest fall-off."""
    low = int(rng.integers(240, 253))
    return vertical(side, (253, 253, 253), (low, low, low))


def plain(rng, side, colour):
    """One even colour."""
    return Image.new("RGB", (side, side), shade(rng, colour))


def gradient(rng, side, colour):
    """From a light tint of the colour to a deep one, in either direction."""
    colour = np.asarray(shade(rng, colour), float)
    ends = [colour + (255 - colour) * 0.65, colour * 0.75]
    return vertical(side, *(ends if rng.random() < 0.7 else ends[::-1]))


def garden(rng, side, colour):
    """Sky, a hedge, a lawn and flowers."""
    picture = vertical(side, shade(rng, (150, 210, 250)), (215, 240, 250), (215, 240, 250))
    draw, horizon = ImageDraw.Draw(picture), side * rng.uniform(0.42, 0.55)
    hedge = shade(rng, (60, 130, 60))
    for x in np.arange(-0.05, 1.05, 0.1) * side:
        r = side * rng.uniform(0.07, 0.12)
        draw.ellipse((x - r, horizon - r, x + r, horizon + r), fill=hedge)
    draw.rectangle((0, horizon, side, side), fill=shade(rng, (110, 185, 75)))
    for _ in range(14):
        x, y = rng.uniform(0, side), rng.uniform(horizon + side * 0.06, side)
        r = side * (0.008 + 0.022 * (y - horizon) / (side - horizon))
        petal = [(235, 70, 90), (250, 215, 70), (250, 250, 250), (200, 110, 220)][rng.integers(4)]
        draw.ellipse((x - r, y - r, x + r, y + r), fill=petal)
    return picture


def city(rng, side, colour):
    """Dark towers with lit windows, neon signs, and their reflection in a wet street."""
    picture = vertical(side, (18, 12, 45), shade(rng, (75, 30, 110)), (40, 15, 60))
    draw, ground = ImageDraw.Draw(picture), side * rng.uniform(0.72, 0.8)
    x = -side * rng.uniform(0, 0.1)
    while x < side:
        width, top = side * rng.uniform(0.1, 0.2), ground - side * rng.uniform(0.25, 0.62)
        draw.rectangle((x, top, x + width, ground), fill=shade(rng, (28, 24, 58), 8))
        cell = side * 0.045
        for wy in np.arange(top + cell * 0.6, ground - cell, cell):
            for wx in np.arange(x + cell * 0.5, x + width - cell * 0.6, cell):
                if rng.random() < 0.4:
                    draw.rectangle((wx, wy, wx + cell * 0.45, wy + cell * 0.4), fill=(255, 215, 120))
        neon = [(255, 50, 170), (40, 230, 240), (170, 80, 255)][rng.integers(3)]
        draw.rectangle((x + width * 0.3, top + cell, x + width * 0.3 + side * 0.02, top + side * 0.2), fill=neon)
        draw.rectangle((x + width * 0.3, ground, x + width * 0.3 + side * 0.025, side), fill=tuple(v // 2 for v in neon))
        x += width
    return picture


def rain(rng, side, colour, grain=1):
    """Grey sky, dark cloud, slanted streaks and puddles."""
    picture = vertical(side, shade(rng, (95, 110, 130)), (150, 162, 178), (120, 132, 145))
    draw = ImageDraw.Draw(picture)
    for _ in range(6):
        x, y, r = rng.uniform(0, side), rng.uniform(0, side * 0.1), side * rng.uniform(0.1, 0.2)
        draw.ellipse((x - r, y - r * 0.6, x + r, y + r * 0.6), fill=shade(rng, (82, 92, 108), 5))
    slant, length = side * 0.025, side * 0.09
    for x, y in rng.uniform(-0.05, 1, (70, 2)) * side:
        draw.line((x + slant, y, x, y + length), fill=(205, 222, 240), width=grain * max(1, side // grain // 110))
    return picture


def mountains(rng, side, colour):
    """Sky, two ranges with snow caps, and a lake that mirrors the near one."""
    picture = vertical(side, shade(rng, (115, 175, 235)), (215, 232, 245), (215, 232, 245))
    draw, shore = ImageDraw.Draw(picture), side * rng.uniform(0.58, 0.68)
    draw.rectangle((0, shore, side, side), fill=shade(rng, (70, 140, 195)))
    for depth, tone in ((0.34, (140, 155, 185)), (0.26, (92, 105, 130))):
        for x in rng.uniform(-0.1, 1.1, 3) * side:
            half, top = side * rng.uniform(0.2, 0.34), shore - side * depth * rng.uniform(0.9, 1.4)
            draw.polygon([(x - half, shore), (x, top), (x + half, shore)], fill=shade(rng, tone, 5))
            draw.polygon(
                [(x - half * 0.28, top + (shore - top) * 0.28), (x, top), (x + half * 0.28, top + (shore - top) * 0.28)],
                fill=(250, 250, 252),
            )
            draw.polygon([(x - half, shore), (x, 2 * shore - top - (shore - top) * 0.3), (x + half, shore)], fill=(62, 115, 160))
    draw.rectangle((0, shore - side * 0.015, side, shore + side * 0.01), fill=shade(rng, (75, 130, 75)))
    return picture


def beach(rng, side, colour):
    """Sky, sea with foam, sand, and now and then a sun."""
    picture = vertical(side, shade(rng, (95, 190, 245)), (190, 230, 250))
    draw = ImageDraw.Draw(picture)
    sea, sand = side * rng.uniform(0.4, 0.5), side * rng.uniform(0.62, 0.72)
    if rng.random() < 0.6:
        x, y, r = side * rng.uniform(0.1, 0.9), side * rng.uniform(0.08, 0.2), side * 0.07
        draw.ellipse((x - r, y - r, x + r, y + r), fill=(255, 240, 130))
    draw.rectangle((0, sea, side, side), fill=shade(rng, (30, 145, 200)))
    draw.rectangle((0, sand, side, side), fill=shade(rng, (240, 215, 150)))
    for x in np.arange(-0.05, 1.1, 0.12) * side:
        r = side * rng.uniform(0.05, 0.08)
        draw.ellipse((x - r, sand - r * 0.5, x + r, sand + r * 0.35), fill=(248, 252, 253))
    return picture


def space(rng, side, colour):
    """Near-black sky, a faint nebula, stars and a far planet."""
    picture = vertical(side, (8, 8, 28), shade(rng, (32, 18, 66), 8), (8, 8, 25))
    draw = ImageDraw.Draw(picture)
    for x, y in rng.uniform(0, side, (45, 2)):
        r = side * rng.uniform(0.002, 0.008)
        draw.ellipse((x - r, y - r, x + r, y + r), fill=(255, 255, int(rng.integers(190, 256))))
    x, y, r = side * rng.uniform(0.05, 0.95), side * rng.uniform(0.05, 0.3), side * rng.uniform(0.06, 0.12)
    tone = [(225, 140, 90), (120, 160, 230), (190, 120, 210)][rng.integers(3)]
    draw.ellipse((x - r, y - r, x + r, y + r), fill=tone)
    return picture


def snow(rng, side, colour):
    """Pale sky, white hills, dark firs and falling flakes."""
    picture = vertical(side, shade(rng, (165, 190, 215), 8), (222, 232, 242))
    draw, ground = ImageDraw.Draw(picture), side * rng.uniform(0.6, 0.7)
    for x in rng.uniform(0, side, 5):
        h = side * rng.uniform(0.15, 0.28)
        draw.polygon(
            [(x - h * 0.35, ground + side * 0.03), (x, ground - h), (x + h * 0.35, ground + side * 0.03)],
            fill=shade(rng, (70, 105, 100), 8),
        )
    draw.ellipse((-side * 0.4, ground - side * 0.04, side * 0.9, side * 1.6), fill=(246, 249, 253))
    draw.ellipse((side * 0.2, ground, side * 1.5, side * 1.6), fill=(236, 242, 250))
    for x, y in rng.uniform(0, side, (40, 2)):
        r = side * rng.uniform(0.006, 0.014)
        draw.ellipse((x - r, y - r, x + r, y + r), fill=(255, 255, 255))
    return picture


def sunset(rng, side, colour):
    """Violet to orange sky, a low sun, and its path on the sea."""
    picture = vertical(side, shade(rng, (95, 55, 130)), (235, 105, 85), (255, 195, 90), (255, 195, 90))
    draw, sea = ImageDraw.Draw(picture), side * rng.uniform(0.66, 0.74)
    x, r = side * rng.uniform(0.15, 0.85), side * rng.uniform(0.1, 0.14)
    draw.ellipse((x - r, sea - r * 1.3, x + r, sea + r * 0.7), fill=(255, 240, 160))
    draw.rectangle((0, sea, side, side), fill=shade(rng, (110, 55, 95), 8))
    for k in range(5):
        y, half = sea + (side - sea) * (0.1 + 0.18 * k), r * rng.uniform(0.4, 0.9)
        draw.rectangle((x - half, y, x + half, y + side * 0.018), fill=(255, 185, 100))
    return picture


def night(rng, side, colour):
    """Deep blue sky, a moon, a few stars, dark hills."""
    picture = vertical(side, (12, 22, 62), shade(rng, (38, 62, 122), 8))
    draw, ground = ImageDraw.Draw(picture), side * rng.uniform(0.72, 0.8)
    for x, y in rng.uniform(0, [side, ground], (16, 2)):
        r = side * rng.uniform(0.003, 0.007)
        draw.ellipse((x - r, y - r, x + r, y + r), fill=(240, 240, 255))
    x, y, r = side * rng.uniform(0.1, 0.9), side * rng.uniform(0.1, 0.22), side * 0.085
    draw.ellipse((x - r, y - r, x + r, y + r), fill=(252, 246, 208))
    draw.ellipse((-side * 0.3, ground, side * 0.8, side * 1.5), fill=(16, 38, 48))
    draw.ellipse((side * 0.3, ground + side * 0.03, side * 1.4, side * 1.5), fill=(12, 30, 40))
    return picture


PAINTERS = {
    f.__name__: f for f in (white, plain, gradient, garden, city, rain, mountains, beach, space, snow, sunset, night)
}  # fmt: skip

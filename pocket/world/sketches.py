"""A few stick drawings, as a person makes them in ten seconds: what the ControlNet is looked at with.

Each is a list of strokes; a stroke is a list of points (x, y) in shares of the side, from the left and from above.
"""

import numpy as np
from PIL import Image, ImageDraw


def _circle(x, y, radius, corners=14):
    angles = np.linspace(0, 2 * np.pi, corners + 1)
    return [(x + radius * np.cos(a), y + radius * np.sin(a)) for a in angles]


SKETCHES = {
    "house": [
        [(0.25, 0.85), (0.24, 0.45), (0.75, 0.46), (0.76, 0.86), (0.25, 0.85)],
        [(0.2, 0.47), (0.5, 0.17), (0.8, 0.46)],
        [(0.44, 0.85), (0.44, 0.63), (0.57, 0.62), (0.57, 0.85)],
    ],
    "house on the left": [
        [(0.08, 0.85), (0.08, 0.52), (0.45, 0.53), (0.45, 0.85), (0.08, 0.85)],
        [(0.05, 0.53), (0.27, 0.28), (0.49, 0.53)],
    ],
    "cat": [
        _circle(0.5, 0.56, 0.28),
        [(0.27, 0.4), (0.25, 0.14), (0.42, 0.3)],
        [(0.58, 0.3), (0.75, 0.14), (0.73, 0.4)],
        _circle(0.4, 0.5, 0.03, 6),
        _circle(0.6, 0.5, 0.03, 6),
    ],
    "car": [
        [(0.1, 0.68), (0.12, 0.52), (0.28, 0.49), (0.38, 0.34), (0.66, 0.34), (0.77, 0.5), (0.9, 0.54), (0.9, 0.68), (0.1, 0.68)],
        _circle(0.3, 0.69, 0.09),
        _circle(0.72, 0.69, 0.09),
    ],
    "mushroom": [
        [(0.14, 0.5), (0.2, 0.3), (0.38, 0.18), (0.62, 0.18), (0.8, 0.3), (0.86, 0.5), (0.14, 0.5)],
        [(0.4, 0.5), (0.38, 0.84), (0.62, 0.84), (0.6, 0.5)],
    ],
    "fish": [
        [
            (0.1, 0.5),
            (0.25, 0.34),
            (0.48, 0.32),
            (0.68, 0.48),
            (0.9, 0.3),
            (0.88, 0.7),
            (0.68, 0.54),
            (0.48, 0.69),
            (0.25, 0.66),
            (0.1, 0.5),
        ],
        _circle(0.27, 0.45, 0.03, 6),
    ],
}
# A sketch and what is asked of it.
ASKED = (
    ("house", "a castle, watercolor"),
    ("house", "a house in the snow, pixel art"),
    ("house on the left", "a castle on the beach, oil painting"),
    ("cat", "a fox in a garden, cartoon"),
    ("cat", "a panda, pencil sketch"),
    ("car", "a red car in a city at night, 3d render"),
    ("mushroom", "a mushroom in a garden, oil painting"),
    ("fish", "a blue fish, flat design"),
)


def stick_drawing(name, side):
    """A sketch as a PIL picture, white lines on black, RGB, side × side."""
    paper = Image.new("RGB", (side, side))
    for stroke in SKETCHES[name]:
        ImageDraw.Draw(paper).line([(x * side, y * side) for x, y in stroke], "white", round(side / 32), "curve")
    return paper

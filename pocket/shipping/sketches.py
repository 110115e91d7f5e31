"""Draw the sketches that ship for the canvas, of our own making: `python -m pocket.shipping.sketches`.

Each is a list of strokes, as a hand makes them with a round pen; a stroke is a list of points (x, y) in shares of the side, from the left
and from above, with a smooth curve through them where they are few.
"""

import numpy as np
from PIL import Image

from sdlab.assets import ASSETS
from sdlab.display.widgets.strokes import paint

FOLDER, SIDE, THICKNESS = ASSETS / "sketches", 128, 4


def curve(points, between=12):
    """A Catmull-Rom spline through points (x, y), with so many steps from each to the next."""
    through = np.asarray([points[0], *points, points[-1]])
    t = np.linspace(0, 1, between, endpoint=False)[:, None]
    pieces = [
        0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
        for a, b, c, d in zip(through, through[1:], through[2:], through[3:], strict=False)
    ]
    return np.concatenate([*pieces, through[-2:-1]]).tolist()


def dot(x, y, radius=0.02):
    """A filled eye: a line around its middle, thick enough to close."""
    angles = np.linspace(0, 2 * np.pi, 9)
    return np.stack([x + radius * np.cos(angles) / 2, y + radius * np.sin(angles) / 2], 1).tolist()


SKETCHES = {
    "cat": [
        curve([(0.31, 0.34), (0.28, 0.14), (0.44, 0.26), (0.56, 0.26), (0.72, 0.14), (0.69, 0.34)], between=16),
        curve([(0.31, 0.34), (0.23, 0.54), (0.3, 0.76), (0.5, 0.85), (0.7, 0.76), (0.77, 0.54), (0.69, 0.34)]),
        dot(0.4, 0.5), dot(0.6, 0.5),
        [(0.46, 0.62), (0.54, 0.62), (0.5, 0.66), (0.46, 0.62)],
        curve([(0.5, 0.66), (0.48, 0.72), (0.43, 0.73), (0.39, 0.69)]), curve([(0.5, 0.66), (0.52, 0.72), (0.57, 0.73), (0.61, 0.69)]),
        [(0.34, 0.63), (0.12, 0.59)], [(0.34, 0.69), (0.13, 0.74)],
        [(0.66, 0.63), (0.88, 0.59)], [(0.66, 0.69), (0.87, 0.74)],
    ],
    "fish": [
        curve([(0.7, 0.51), (0.52, 0.33), (0.3, 0.34), (0.1, 0.5), (0.3, 0.67), (0.52, 0.68), (0.7, 0.51)]),
        curve([(0.7, 0.51), (0.8, 0.38), (0.92, 0.32)]), curve([(0.92, 0.32), (0.87, 0.5), (0.92, 0.7)]),
        curve([(0.92, 0.7), (0.8, 0.63), (0.7, 0.51)]),
        curve([(0.36, 0.32), (0.5, 0.2), (0.6, 0.22), (0.58, 0.37)]), curve([(0.4, 0.69), (0.48, 0.79), (0.56, 0.77), (0.53, 0.68)]),
        dot(0.24, 0.46), curve([(0.36, 0.4), (0.4, 0.5), (0.36, 0.61)]),
    ],
    "house": [
        [(0.22, 0.49), (0.22, 0.86), (0.78, 0.86), (0.78, 0.49)], [(0.12, 0.49), (0.5, 0.16), (0.88, 0.49), (0.12, 0.49)],
        [(0.66, 0.28), (0.66, 0.17), (0.75, 0.17), (0.75, 0.36)], [(0.43, 0.86), (0.43, 0.63), (0.57, 0.63), (0.57, 0.86)],
        [(0.28, 0.58), (0.37, 0.58), (0.37, 0.69), (0.28, 0.69), (0.28, 0.58)],
        [(0.63, 0.58), (0.72, 0.58), (0.72, 0.69), (0.63, 0.69), (0.63, 0.58)],
    ],
}  # fmt: skip


def draw(name, side=SIDE):
    """A sketch as a PIL picture, white lines on black, mode "L", side × side."""
    radius = THICKNESS / SIDE * side / 2
    lines = [[[x * side, y * side, radius] for x, y in stroke] for stroke in SKETCHES[name]]
    return paint(Image.new("L", (side, side)), [{"kind": "paint", "points": line} for line in lines])


def main():
    """Write every sketch into the package."""
    FOLDER.mkdir(exist_ok=True)
    for name in SKETCHES:
        draw(name).save(FOLDER / f"{name}.png", optimize=True)
        print(FOLDER / f"{name}.png")


if __name__ == "__main__":
    main()

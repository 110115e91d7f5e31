"""The small world of notebooks 10 to 13: twelve things, each drawn by five artists, as pictures without end.

Every picture is one of the sixty drawings, shifted by up to a pixel of sixteen and perhaps mirrored. They are emoji, see
`assets/drawings/ATTRIBUTION.md`.
"""

from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from sdlab.assets import ASSETS

SHEET = ASSETS / "drawings" / "sheet.png"
SIDE = 32  # pixels of a drawing on the sheet
NAMES = (
    "strawberry", "watermelon", "mushroom", "cactus", "sunflower", "pine tree", "frog", "penguin", "fox", "sailboat", "umbrella", "star",
)  # fmt: skip
STYLES = ("glossy", "flat", "shaded", "plain", "retro")  # our words for how the five artists draw
ARTISTS = len(STYLES)


@cache
def originals(side=16):
    """The sixty drawings, (60, 3, side, side) in −1…1; drawing d shows thing d // 5. `side` is 16 or 32."""
    if side not in (16, 32):
        raise ValueError(f"side is {side}: the drawings come at 16 or 32 pixels")
    pixels = torch.from_numpy(np.asarray(Image.open(SHEET).convert("RGB")).copy())  # (12·32, 5·32, 3)
    cells = pixels.reshape(len(NAMES), SIDE, ARTISTS, SIDE, 3).permute(0, 2, 4, 1, 3).reshape(-1, 3, SIDE, SIDE)
    return F.avg_pool2d(cells / 127.5 - 1, SIDE // side)


def jitter(drawings, generator=None):
    """Each drawing (B, 3, side, side) shifted by up to a sixteenth of its side each way, and half of them mirrored; outside is white."""
    count = len(drawings)
    flip = torch.where(torch.rand(count, generator=generator) < 0.5, -1.0, 1.0)
    return _place(drawings, flip, torch.randint(-1, 2, (count, 2), generator=generator))


def _place(drawings, flip, shift):
    """Drawings (B, …), mirrored where `flip` (B,) is -1, and shifted by `shift` (B, 2) sixteenths of a side."""
    shift, still = shift / 8, torch.zeros(len(drawings))  # a side is 2 wide in these coordinates
    where = torch.stack([torch.stack([flip, still, shift[:, 0]], 1), torch.stack([still, still + 1, shift[:, 1]], 1)], 1)  # (B, 2, 3)
    grid = F.affine_grid(where, list(drawings.shape), align_corners=False)
    return 1 + F.grid_sample(drawings - 1, grid, align_corners=False)


def variants(side=16):
    """Every picture of this world, (60, 18, 3, side, side): each drawing in nine places, as it is and mirrored."""
    ways = torch.cartesian_prod(torch.tensor([1, -1]), torch.arange(-1, 2), torch.arange(-1, 2))  # (18, 3)
    flip, shift = ways[:, 0].float(), ways[:, 1:]
    large = torch.stack([_place(drawing.expand(len(ways), -1, -1, -1), flip, shift) for drawing in originals(SIDE)])  # (60, 18, 3, 32, 32)
    return F.avg_pool2d(large.flatten(0, 1), SIDE // side).unflatten(0, large.shape[:2])


def batches(size, side=16, seed=0):
    """Endless batches: pictures (size, 3, side, side) in −1…1, and which drawing each one is, (size,) in 0…59."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        chosen = torch.randint(len(NAMES) * ARTISTS, (size,), generator=generator)
        yield F.avg_pool2d(jitter(originals(SIDE)[chosen], generator), SIDE // side), chosen

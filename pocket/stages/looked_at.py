"""Pictures of the pocket model that a person looked at, for the strict judge to learn what a person calls recognisable.

They are others than the two hundred that measure it (`pocket.reports.eye`): other seeds, and but for one other prompts; drawn by the
model at several ages and decoded at 128 pixels. `pocket/data/labels/learn.webp` holds the pictures, `learn.json` what was asked and
which things were seen.
"""

import json
from dataclasses import dataclass

import numpy as np
from PIL import Image

from pocket.world.catalog import DATA

FOLDER = DATA / "labels"
COLUMNS = 20  # of a kept sheet


@dataclass(frozen=True)
class LookedAt:
    """A picture that a person looked at.

    Args:
        prompt: what the model was asked.
        things: the things of the prompt.
        seen: of each thing, whether the person recognised it.
        seed, steps: of the sampling, at guidance 4.
    """

    prompt: str
    things: tuple[str, ...]
    seen: tuple[bool, ...]
    seed: int
    steps: int


def cut_sheet(file, count):
    """The first `count` square pictures of a sheet, twenty in a row: uint8 (count, side, side, 3)."""
    sheet = np.asarray(Image.open(file).convert("RGB"))
    side = sheet.shape[1] // COLUMNS
    rows = sheet.reshape(-1, side, COLUMNS, side, 3).swapaxes(1, 2)  # (rows, columns, side, side, 3)
    return rows.reshape(-1, side, side, 3)[:count]


def read_looked_at(folder=FOLDER):
    """What the judge learns from: a list of `LookedAt`, and the pictures, uint8 (n, side, side, 3)."""
    rows = json.loads((folder / "learn.json").read_text(encoding="utf-8"))
    rows = [LookedAt(**{**row, "things": tuple(row["things"]), "seen": tuple(row["seen"])}) for row in rows]
    return rows, cut_sheet(folder / "learn.webp", len(rows))

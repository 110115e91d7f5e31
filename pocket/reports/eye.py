"""Pictures of the pocket model that a person looked at once, and said of each whether what was asked for can be recognised.

`pocket/data/labels/` keeps them: the pictures as one WebP sheet, prompts, seeds and verdicts in `labels.json`. They were labelled
before any judge was asked about them, and nothing is tuned on them. The person is one viewer, and a vision model at that, one of the
makers of this course; people may see other things. A hundred of them the same viewer labelled a second time, not knowing the first
verdict (`again.json`), which says how firm such verdicts are. The model that drew them was an earlier one, of 64 pixels; `python -m
pocket.reports.eye` draws the same prompts and seeds with the shipped one, to be labelled anew.
"""

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import torch
import typer
from diffusers import StableDiffusionPipeline
from PIL import Image, ImageDraw

from pocket.ruler import prompts
from pocket.ruler.pictures import sample, to_pil
from pocket.stages.config import CPU
from pocket.stages.looked_at import COLUMNS, FOLDER, cut_sheet
from pocket.world.stream import to_unit
from sdlab.assets import ASSETS
from sdlab.system.device import pick

SETS = {  # name → (prompts, how many, the seed of the first)
    "one thing": (prompts.one_thing, 100, 500_000),
    "two things": (prompts.two_things, 50, 510_000),
    "Portuguese": (partial(prompts.one_thing, language="pt"), 25, 520_000),
    "unseen style": (prompts.unseen_style, 25, 530_000),
}
STEPS = (25, 25, 25, 4)  # dealt out in turn: every fourth picture gets too few, so that there are bad ones among them
SKIPPED = 200  # prompts of `one_thing` that go before: in Portuguese other scenes than in English


@dataclass(frozen=True)
class Labelled:
    """A picture that was looked at.

    Args:
        set: the name of its set.
        prompt: what the model was asked.
        things: the things of the prompt.
        seed, steps: of the sampling, at guidance 4.
        recognisable: whether a person recognises the thing, or both things.
    """

    set: str
    prompt: str
    things: tuple[str, ...]
    seed: int
    steps: int
    recognisable: bool | None = None


def choose(config=CPU):
    """The two hundred that are looked at, without a verdict yet."""
    found = []
    for name, (invent, count, seed) in SETS.items():
        pairs = invent(config.mix, SKIPPED + count)[SKIPPED:] if name == "Portuguese" else invent(config.mix, count)
        found += [
            Labelled(name, text, tuple(t.concept for t in scene.things), seed + i, STEPS[i % len(STEPS)])
            for i, (text, scene) in enumerate(pairs)
        ]
    return found


def read_labels(folder=FOLDER):
    """The labelled pictures: a list of `Labelled`, and the pictures themselves in −1…1, (n, 3, side, side)."""
    rows = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
    pictures = torch.from_numpy(cut_sheet(folder / "sheet.webp", len(rows))).permute(0, 3, 1, 2)
    return [Labelled(**{**row, "things": tuple(row["things"])}) for row in rows], to_unit(pictures)


def read_again(folder=FOLDER):
    """The second verdicts of the same person: `{number of the picture: recognisable}`."""
    rows = json.loads((folder / "again.json").read_text(encoding="utf-8"))
    return {int(number): recognisable for number, recognisable in rows.items()}


def draw_chosen(pipe, chosen):
    """The pictures of a list of `Labelled`, in −1…1, (n, 3, side, side); each starts from its own seed."""
    return torch.cat([sample(pipe, [one.prompt], one.steps, 4.0, one.seed) for one in chosen])


def number(pictures, chosen, first, side=300, columns=5):
    """A sheet to look at: each picture enlarged smoothly to `side`, its number and prompt below."""
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * side, rows * (side + 30)), "white")
    pen = ImageDraw.Draw(sheet)
    for i, (picture, one) in enumerate(zip(pictures, chosen, strict=True)):
        x, y = i % columns * side, i // columns * (side + 30)
        sheet.paste(to_pil(picture).resize((side - 6, side - 6), Image.BICUBIC), (x, y))
        pen.text((x + 2, y + side - 5), f"{first + i}: {' + '.join(one.things)}", fill="black", font_size=16)
    return sheet


def main(folder: Annotated[Path, typer.Option(help="where the sheets go")] = Path("build/labels")):
    """Draw the pictures with the shipped model: `sheet.webp`, and sheets of 25 to look at."""
    folder.mkdir(parents=True, exist_ok=True)
    chosen = choose()
    pictures = draw_chosen(StableDiffusionPipeline.from_pretrained(ASSETS / "pocket", dtype=torch.float32).to(pick()), chosen)
    side = pictures.shape[-1]
    sheet = Image.new("RGB", (COLUMNS * side, -(-len(chosen) // COLUMNS) * side))
    for i, picture in enumerate(pictures):
        sheet.paste(to_pil(picture), (i % COLUMNS * side, i // COLUMNS * side))
    sheet.save(folder / "sheet.webp", lossless=True, method=6)
    for start in range(0, len(chosen), 25):
        number(pictures[start : start + 25], chosen[start : start + 25], start).save(folder / f"look-{start:03d}.png")


if __name__ == "__main__":
    typer.run(main)

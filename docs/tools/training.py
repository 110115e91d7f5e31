"""Draw what appears when while the pocket models are trained, from their logs and sheets: `python -m docs.tools.training`.

`docs/training/` holds the log of every run that the shipped model went through, and the sheets of the first 48 fixed prompts that were
drawn on the way (15 steps, guidance 4), as WebP; from the third run on also of 24 scenes of two things, and of 24 prompts in Portuguese.
The strict judge looked at the fourth run, and the first judge at the others, so it has a table of its own. Of the XL, the log of its
base's first run, and sheets of 24 prompts and 24 scenes of two things.
"""

import json
import textwrap
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import matplotlib.pyplot as plt
from PIL import Image

import sdlab
from pocket.ruler import prompts
from pocket.stages.config import CPU
from sdlab.study.judge import HEADS

DOCS = Path(__file__).parent.parent
QUESTIONS = {**{head: head for head in HEADS}, "two_things": "two things", "portuguese": "in Portuguese"}
GAP = 4  # pixels between the pictures of a sheet


@dataclass(frozen=True)
class Sheets:
    """How the sheets of some runs are laid out: the side of a picture in pixels, the columns, and the numbers of both kinds of prompts."""

    runs: tuple
    side: int
    columns: int
    one: int
    two: int

    def words(self):
        """The prompt of each place."""
        return [text for text, _ in (*prompts.one_thing(CPU.mix, self.one), *prompts.two_things(CPU.mix, self.two))]

    def cell(self, sheet, place):
        """The picture at a place."""
        x, y = (index * (self.side + GAP) for index in (place % self.columns, place // self.columns))
        return sheet.crop((x, y, x + self.side, y + self.side))


EARLY, LATE = Sheets(("first", "second"), 64, 12, 48, 0), Sheets(("third",), 64, 12, 48, 24)
FOURTH, XL = Sheets(("fourth",), 128, 12, 48, 24), Sheets(("xl",), 128, 8, 24, 24)
GROWN = {  # which places of a sheet are shown growing
    "pocket-growing.png": (EARLY, (11, 4, 22, 33, 44, 16, 9, 37)),
    "pocket-two.png": (LATE, (50, 51, 52, 55, 62, 63, 66, 69)),
    "pocket-fourth.png": (FOURTH, (0, 16, 48, 50, 51, 55, 58, 62)),
    "xl-growing.png": (XL, (0, 11, 12, 18, 25, 26, 38, 39)),
}


def looks(runs):
    """Every look at a model: `(run, minutes, samples seen in all runs, {head: accuracy, "loss": mean since the look before})`."""
    found, before, losses = [], 0, []
    for run in runs:
        entries = [json.loads(line) for line in (DOCS / "training" / f"{run}.jsonl").read_text(encoding="utf-8").splitlines()]
        for entry in entries:
            losses += [entry["loss"]] if "loss" in entry else []
            heads = {key.removeprefix("accuracy_"): value for key, value in entry.items() if key.startswith("accuracy_")}
            if heads:
                found.append((run, round(entry["minutes"]), before + entry["samples"], {**heads, "loss": sum(losses) / len(losses)}))
                losses = []
        before += entries[-1]["samples"]
    return found


def list_questions(seen):
    """The questions that some look answered: `{key: words}`."""
    return {key: words for key, words in QUESTIONS.items() if any(key in heads for *_, heads in seen)}


def curves(seen):
    """Accuracy of each question against the samples seen; a dotted line where a run ended and the next began."""
    sdlab.use_style()
    figure, axis = plt.subplots(figsize=(8, 3.4), layout="constrained")
    for key, words in list_questions(seen).items():
        points = [(samples / 1000, heads[key]) for _, _, samples, heads in seen if key in heads]
        axis.plot(*zip(*points, strict=True), marker="o", markersize=3, label=words)
    for (run, _, samples, _), (later, *_) in pairwise(seen):
        if run != later:
            axis.axvline(samples / 1000, color="#9aa5b1", linestyle=":", linewidth=1)
    axis.set(xlabel="thousand samples", ylabel="share of the prompts drawn right", ylim=(0, 1.03))
    axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.savefig(DOCS / "images" / "pocket-training.png", dpi=120)


def growing(seen, sheets, shown, name):
    """Pictures of the same prompts from the same noise at several moments, a row each; `shown` are places on the sheets."""
    words, rows, titles = sheets.words(), [], []
    for run, minutes, samples, _ in seen:
        path = DOCS / "training" / f"{run}_{minutes:04d}.webp"
        if run in sheets.runs and path.exists():
            sheet = Image.open(path).convert("RGB")
            rows.append([sheets.cell(sheet, place) for place in shown])
            titles.append(f"{samples / 1000:.0f} k")
    figure, axes = plt.subplots(len(rows), len(shown), figsize=(1.15 * len(shown), 1.12 * len(rows) + 0.5), layout="constrained")
    for line, title, cells in zip(rows, titles, axes, strict=True):
        for picture, axis in zip(line, cells, strict=True):
            axis.imshow(picture, interpolation="nearest")
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
        cells[0].set_ylabel(title)
    for axis, place in zip(axes[0], shown, strict=True):
        axis.set_title(textwrap.fill(words[place], 18), fontsize=6.5)
    figure.savefig(DOCS / "images" / name, dpi=120)


def table(seen):
    """Print every look."""
    questions = list_questions(seen)
    print("| samples | " + " | ".join(questions.values()) + " | loss |\n|" + "---|" * (2 + len(questions)))
    for _, _, samples, found in seen:
        shares = " | ".join(f"{found[key]:.0%}" if key in found else "—" for key in questions)
        print(f"| {samples:,} | {shares} | {found['loss']:.3f} |")


def main():
    """Draw all pictures, and print the tables."""
    small, fourth, large = looks(EARLY.runs + LATE.runs), looks(FOURTH.runs), looks(XL.runs)
    curves(small)
    for name, (sheets, shown) in GROWN.items():
        growing({FOURTH: fourth, XL: large}.get(sheets, small), sheets, shown, name)
    for seen in (small, fourth, large):
        table(seen)


if __name__ == "__main__":
    main()

"""Draw what appears when while the pocket model is trained, from its log and sheets: `python -m docs.training`.

`docs/training/` holds the log of every run that the shipped model went through, and the sheets of the first 48 fixed prompts that were
drawn on the way (15 steps, guidance 4), as WebP; in the third run also of 24 scenes of two things, and of 24 prompts in Portuguese.
"""

import json
import textwrap
from itertools import pairwise
from pathlib import Path

import matplotlib.pyplot as plt
from PIL import Image

import sdlab
from pocket import prompts
from pocket.config import CPU
from pocket.judge import HEADS

HERE = Path(__file__).parent
LOGS = ("first", "second", "third")
QUESTIONS = {**{head: head for head in HEADS}, "two_things": "two things", "portuguese": "in Portuguese"}
ONE = (11, 4, 22, 33, 44, 16, 9, 37)  # which pictures of a sheet are shown growing
TWO = (50, 51, 52, 55, 62, 63, 66, 69)
CELL, GAP, COLUMNS = 64, 4, 12  # of a sheet


def looks():
    """Every look at the model: `(run, minutes, samples seen in all runs, {head: accuracy, "loss": mean since the look before})`."""
    found, before, losses = [], 0, []
    for run in LOGS:
        entries = [json.loads(line) for line in (HERE / "training" / f"{run}.jsonl").read_text().splitlines()]
        for entry in entries:
            losses += [entry["loss"]] if "loss" in entry else []
            heads = {key.removeprefix("accuracy_"): value for key, value in entry.items() if key.startswith("accuracy_")}
            if heads:
                found.append((run, round(entry["minutes"]), before + entry["samples"], {**heads, "loss": sum(losses) / len(losses)}))
                losses = []
        before += entries[-1]["samples"]
    return found


def asked(seen):
    """The questions that some look answered: `{key: words}`."""
    return {key: words for key, words in QUESTIONS.items() if any(key in heads for *_, heads in seen)}


def curves(seen):
    """Accuracy of each question against the samples seen; a dotted line where a run ended and the next began."""
    sdlab.plots.use_style()
    figure, axis = plt.subplots(figsize=(8, 3.4), layout="constrained")
    for key, words in asked(seen).items():
        points = [(samples / 1000, heads[key]) for _, _, samples, heads in seen if key in heads]
        axis.plot(*zip(*points, strict=True), marker="o", markersize=3, label=words)
    for (run, _, samples, _), (later, *_) in pairwise(seen):
        if run != later:
            axis.axvline(samples / 1000, color="#9aa5b1", linestyle=":", linewidth=1)
    axis.set(xlabel="thousand samples", ylabel="share of the prompts drawn right", ylim=(0, 1.03))
    axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.savefig(HERE / "images" / "pocket-training.png", dpi=120)


def growing(seen, runs, shown, name):
    """Pictures of the same prompts from the same noise at several moments of some runs, a row each; `shown` are places on the sheets."""
    words = [text for text, _ in (*prompts.fixed(CPU.mix, 48), *prompts.two_things(CPU.mix, 24))]
    rows, titles = [], []
    for run, minutes, samples, _ in seen:
        path = HERE / "training" / f"{run}_{minutes:04d}.webp"
        if run in runs and path.exists():
            sheet = Image.open(path).convert("RGB")
            corners = [(i % COLUMNS * (CELL + GAP), i // COLUMNS * (CELL + GAP)) for i in shown]
            rows.append([sheet.crop((x, y, x + CELL, y + CELL)) for x, y in corners])
            titles.append(f"{samples / 1000:.0f} k")
    figure, axes = plt.subplots(len(rows), len(shown), figsize=(1.15 * len(shown), 1.12 * len(rows) + 0.5), layout="constrained")
    for line, title, cells in zip(rows, titles, axes, strict=True):
        for picture, axis in zip(line, cells, strict=True):
            axis.imshow(picture, interpolation="nearest")
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
        cells[0].set_ylabel(title)
    for axis, i in zip(axes[0], shown, strict=True):
        axis.set_title(textwrap.fill(words[i], 18), fontsize=6.5)
    figure.savefig(HERE / "images" / name, dpi=120)


def main():
    """Draw all three, and print the table."""
    seen = looks()
    curves(seen)
    growing(seen, ("first", "second"), ONE, "pocket-growing.png")
    growing(seen, ("third",), TWO, "pocket-two.png")
    questions = asked(seen)
    print("| samples | " + " | ".join(questions.values()) + " | loss |\n|" + "---|" * (2 + len(questions)))
    for _, _, samples, found in seen:
        shares = " | ".join(f"{found[key]:.0%}" if key in found else "—" for key in questions)
        print(f"| {samples:,} | {shares} | {found['loss']:.3f} |")


if __name__ == "__main__":
    main()

"""A blind look: pictures that the shipped U-Nets draw, decoded by two autoencoders, side by side. `python -m pocket.reports.blind`.

Writes sheets of pairs, each picture 300 pixels wide, the sides shuffled, and which side is whose into `blind.json`. Whoever has looked
calls again with an answer for each pair, `--answers lrrl…`, "-" for no preference, and learns how often the new one was preferred. No
number says whether a picture is pleasant; and who knows which is which sees what was hoped for.
"""

import json
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from diffusers import AutoencoderKL, StableDiffusionPipeline, StableDiffusionXLPipeline
from PIL import Image

from pocket.reports.sharpness import decode, double
from pocket.ruler import prompts
from pocket.ruler.pictures import sample, to_pil
from pocket.stages.config import CONFIGS
from pocket.stages.enlarge import KEPT
from sdlab.assets import ASSETS

SEEN_AT = 300  # pixels
PAIRS = 24  # of each model
ROWS, COLUMNS = 3, 2  # pairs on a sheet


def load_small(folder):
    """The autoencoder that was enlarged in `folder`, or else the one that the shipped one grew from."""
    own = folder / "enlarge" / "small"
    return AutoencoderKL.from_pretrained(own if own.exists() else KEPT, dtype=torch.float32).eval()


def latents_drawn(small, mix, count=PAIRS, seed=500):
    """What the shipped base and XL draw for fixed prompts: latents (count, 4, 16, 16) and (count, 4, 32, 32)."""
    texts = [text for text, _ in prompts.one_thing(mix, 2 * count)]
    base = StableDiffusionPipeline.from_pretrained(ASSETS / "pocket", vae=small, dtype=torch.float32)
    xl = StableDiffusionXLPipeline.from_pretrained(ASSETS / "pocket-xl", vae=small, dtype=torch.float32)
    return (
        sample(base, texts[:count], seed=seed, latents_only=True),
        sample(xl, texts[count:], seed=seed, latents_only=True),
    )


def at_300(picture):
    """A picture in −1…1 as one sees it on a screen, enlarged smoothly."""
    return to_pil(picture).resize((SEEN_AT, SEEN_AT), Image.BICUBIC)


def sheets(pairs):
    """Sheets of pairs of PIL pictures: two pairs in a row, a gap between pairs, none to speak of within."""
    for start in range(0, len(pairs), ROWS * COLUMNS):
        sheet = Image.new("RGB", (COLUMNS * (2 * SEEN_AT + 44), ROWS * (SEEN_AT + 20)), "white")
        for i, pair in enumerate(pairs[start : start + ROWS * COLUMNS]):
            for side, picture in enumerate(pair):
                x = i % COLUMNS * (2 * SEEN_AT + 44) + side * (SEEN_AT + 4)
                sheet.paste(picture, (x, i // COLUMNS * (SEEN_AT + 20)))
        yield sheet


def preferred(answers, new_sides):
    """How often the new one was preferred, the old one, and neither.

    Args:
        answers: "l", "r" or "-" for each pair.
        new_sides: "l" or "r" for each pair, where the new one stood.

    Raises:
        ValueError: there are not as many answers as pairs, or another letter among them.
    """
    if len(answers) != len(new_sides) or set(answers) - set("lr-"):
        raise ValueError(f"{len(answers)} answers for {len(new_sides)} pairs: give l, r or - for each pair")
    new = sum(a == side for a, side in zip(answers, new_sides, strict=True))
    return {"new": new, "old": len(answers) - new - answers.count("-"), "neither": answers.count("-")}


def main(
    config: Annotated[str, typer.Option(help="which configuration the model was trained with")] = "cpu",
    folder: Annotated[Path, typer.Option(help="where the stages left their results")] = Path("build/pocket"),
    model: Annotated[Path | None, typer.Option(help="the new autoencoder; default: the sharpened one")] = None,
    seed: Annotated[int, typer.Option(help="of the noise, and of who stands where")] = 500,
    answers: Annotated[str | None, typer.Option(help="which of each pair was better, such as lrrl-r…")] = None,
):
    """Write the sheets, or count the answers."""
    config, folder = CONFIGS[config], folder / config
    key = folder / "blind.json"
    if answers:
        print(json.dumps(preferred(answers, json.loads(key.read_text(encoding="utf-8"))["new"])))
        return
    small = load_small(folder)
    large = AutoencoderKL.from_pretrained(model or folder / "sharpen" / "model").eval()
    sides, pairs = "".join(np.random.default_rng(seed).choice(["l", "r"], 2 * PAIRS)), []
    for latents in latents_drawn(small, config.mix, seed=seed):
        for new, old in zip(decode(large, latents), double(decode(small, latents)), strict=True):
            pair = at_300(new), at_300(old)
            pairs.append(pair if sides[len(pairs)] == "l" else pair[::-1])
    for number, sheet in enumerate(sheets(pairs)):
        sheet.save(folder / f"blind-{number}.png")
    key.write_text(json.dumps({"new": sides, "seed": seed}) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)

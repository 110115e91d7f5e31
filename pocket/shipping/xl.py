"""Ship the XL's base and its refiner, each with its card. `python -m pocket.shipping.xl`.

The autoencoder is the pocket model's, and the refiner's text encoder is the base's, so neither is kept twice: `sdlab.load` puts them
together. They are shipped only if they are as good as those already there, and if the refiner is of use: nearer to true pictures than the
base alone.
"""

import json
from pathlib import Path
from typing import Annotated

import torch
import typer
from diffusers import StableDiffusionXLPipeline, UNet2DConditionModel

from pocket.shipping.ship import SHARD, SHIPPED_NUMBERS, Shipment, average_accuracy, refuse_worse, ship
from pocket.shipping.tables import HEAD, fill_table, write_runs, write_share
from pocket.stages.config import CONFIGS
from pocket.stages.refiner import assemble
from pocket.stages.story import tell, write
from sdlab.assets import ASSETS

WAYS = ("base", "base and refiner", "true pictures")
USE = """
```python
import sdlab

base = sdlab.load("pocket-xl")
refiner = sdlab.load("pocket-xl-refiner", base=base)
sdlab.generate((base, refiner), prompt, steps={steps}, guidance={guidance}).image
```

"""
NUMBERS = """
## Numbers
{prompts} fixed prompts of each kind, {steps} steps in all, guidance {guidance} (`python -m pocket.reports.xl --config {config}`).
Accuracy is the judge's; in brackets its 95% interval, by Wilson (1927). *Fréchet* is the distance in the judge's
features of quarters at full size to true pictures of the same prompts. *Fine error* is how far the power of waves shorter than four
pixels is off, in decimal logarithms: 0.3 is a factor of two.

| prompts | drawn by | object | style | background | Fréchet | fine error |
|---|---|---|---|---|---|---|
{rows}

What changes when the models are told something else, over 64 prompts with a plain background, beside true pictures that it is true
of. The *centre of the edges* is 0 at the left and 1 at the right.

| told | measured | drawn | true pictures |
|---|---|---|---|
{told}

## What it cannot do
What the pocket model cannot do. {limits}
"""
BASE = """SDXL in the small: a stock `StableDiffusionXLPipeline` with {unet:.1f} M parameters in its U-Net and two text encoders
({text_encoder:.1f} M and {text_encoder_2:.1f} M), {side}×{side} pixels, with the pocket model's autoencoder. It is told the size that
a picture had and where it was cropped.
"""
BASE_HOW = """## How
Configuration `{config}`, on {hardware}: {run}. The U-Net was grown from the pocket model's by one level outside, the first text
encoder continues the pocket model's, the second one is new. A fifth of the pictures was small and enlarged, a quarter cropped, and
the model was told so (Podell et al. 2023, section 2.2). `python -m pocket.stages.xl --config {config}` does it again. The data have a card,
`pocket/data/README.md`.
{notes}"""
EXPERT = """The XL's refiner: a U-Net of {refiner:.1f} M parameters for the last fifth of the noise, told an aesthetic score. It is used in
a stock `StableDiffusionXLImg2ImgPipeline` with the autoencoder and the second text encoder of the base.
"""
EXPERT_HOW = """## How
Configuration `{config}`, on {hardware}: {run}. It began as a copy of the base's U-Net and saw timesteps 0 to 199 only (Podell et al.
2023, section 2.5). The score is 2.5 for pictures that were spoilt and 6.0 for the others; a quarter was spoilt.
`python -m pocket.stages.refiner --config {config}` does it again.
{notes}"""
LIMITS = {  # what the models of a configuration did not learn
    "text-to-image": {
        "cpu": """It draws 256×256, which is what two CPU cores carry; the configuration `gpu` knows more things and has not
been run. Told of a crop it draws things larger and cuts them off, but hardly moves them with the crop's corner: see where the table's two
columns part. What it draws is what its first text encoder read; the second one has no say (notebook 09 measures it)."""
    },
    "image-to-image": {
        "cpu": """It works at 256×256, which is what two CPU cores carry; the configuration `gpu` knows more things
and has not been run. The same aesthetic score in both halves of the guidance changes hardly anything; a higher one in the half that is
asked for than in the other makes pictures a little sharper (notebook 09 measures it)."""
    },
}


def _rows(results):
    for kind, ways in results["sets"].items():
        for way in WAYS:
            found = ways[way]
            shares = [write_share(found["accuracy"][head], found["interval"][head]) for head in found["interval"] if head != "colour"]
            yield kind, way, *shares, f"{found['frechet of quarters']:.1f}", f"{found['fine error']:.3f}"


def card(opening, how, task, title, config, runs, notes, results, hardware):
    """A card's text, every number taken from the results and the log."""

    def cell(row, way):
        return f"{row[way]:.3f}" if way in row else "—"

    told = ([row["told"], row["measured"], cell(row, "drawn"), cell(row, "true pictures")] for row in results["told"])
    facts = {key: results[key] for key in ("prompts", "steps", "guidance", "side")}
    sizes = {part: count / 1e6 for part, count in results["parameters"].items()}
    return (HEAD + opening + USE + how + NUMBERS).format(
        task=task, title=title, config=config.name, hardware=hardware, run=write_runs(runs), rows=fill_table(_rows(results)),
        told=fill_table(told), notes="".join(f"\n{note}\n" for note in notes), limits=LIMITS[task].get(config.name, ""), **facts, **sizes,
    )  # fmt: skip


def merit(results):
    """The accuracy with the refiner, over both kinds of prompts."""
    return average_accuracy(ways["base and refiner"]["accuracy"] for ways in results["sets"].values())


XL = Shipment("XL", "xl", ASSETS / "pocket-xl", 45e6, merit)
REFINER = Shipment("refiner", "xl", ASSETS / "pocket-xl-refiner", 35e6, merit)


def refuse_idle_refiner(results):
    """End the program if the refiner is of no use."""
    ways = results["sets"]["one thing"]
    alone, together = (ways[way]["frechet of quarters"] for way in WAYS[:2])
    if together >= alone:
        raise SystemExit(f"with the refiner the Fréchet distance is {together:.1f}, without it {alone:.1f}: train the refiner longer")


def main(
    config: Annotated[str, typer.Option(help="which configuration they were trained with")] = "cpu",
    folder: Annotated[Path, typer.Option(help="where the stages left their results")] = Path("build/pocket"),
    hardware: Annotated[str, typer.Option(help="what they were trained on, for the cards")] = "two CPU cores",
    shipped_numbers: Annotated[Path | None, SHIPPED_NUMBERS] = None,
):
    """Convert, describe and put in place; the old ones stay until the new ones are whole."""
    config, folder = CONFIGS[config], folder / config
    results = json.loads((folder / "xl.json").read_text(encoding="utf-8"))
    refuse_worse(XL, results, shipped_numbers)
    refuse_idle_refiner(results)

    def base(partial):
        pipe = StableDiffusionXLPipeline.from_pretrained(folder / "xl" / "model", vae=None, dtype=torch.float16)
        pipe.save_pretrained(partial, max_shard_size=SHARD)

    def refiner(partial):
        unet = UNet2DConditionModel.from_pretrained(folder / "refiner" / "model", dtype=torch.float16)
        assemble(unet).save_pretrained(partial, max_shard_size=SHARD)

    for shipment, fill, stage, texts in (
        (XL, base, "xl", (BASE, BASE_HOW, "text-to-image", "Pocket XL")),
        (REFINER, refiner, "refiner", (EXPERT, EXPERT_HOW, "image-to-image", "Pocket XL refiner")),
    ):
        story = tell(folder, [stage])

        def fill_and_tell(partial, fill=fill, story=story):
            fill(partial)
            write(story, partial)

        ship(shipment, fill_and_tell, results, card(*texts, config, story[stage], story["notes"], results, hardware))


if __name__ == "__main__":
    typer.run(main)

"""Ship the trained ControlNet, with card and numbers. `python -m pocket.shipping.scribble`.

It is shipped only if it keeps to sketch and prompt at least as well as the one already there.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import torch
import typer
from diffusers import ControlNetModel

from pocket.shipping.ship import SHARD, SHIPPED_NUMBERS, Shipment, refuse_worse, ship
from pocket.shipping.tables import HEAD, fill_table, write_runs
from pocket.stages.config import CONFIGS
from pocket.stages.story import tell, write
from sdlab.assets import ASSETS
from sdlab.study.judge import HEADS

CARD = (
    HEAD
    + """\
A stock `ControlNetModel` (Zhang et al. 2023) of {parameters:.1f} M parameters for the pocket Stable Diffusion beside it: a sketch, white
lines on black, and a prompt become a picture of {side}×{side}.

```python
import sdlab

pipe = sdlab.load("pocket-scribble")
pipe("a castle, watercolor", image=sketch, num_inference_steps={steps}, guidance_scale={guidance}).images[0]
```

## How
Configuration `{config}`, on {hardware}: {run}. The pipeline was frozen. The sketches were made from the world's own things by
`pocket.world.scribble`: outlines, or lines found by Canny, bent, broken and thickened at random. A thing stood anywhere and was of any
size, of which the captions said nothing. Half of them were empty, the rest English or Portuguese. `make pocket MODEL=scribble
CONFIG={config}` does it again. The data have a card, `pocket/data/README.md`.

## Numbers
{prompts} fixed prompts with the lines of true pictures of them, {steps} steps, guidance {guidance} (`python -m pocket.reports.scribble`);
once with the things where the pocket model puts them, once anywhere.
*Agreement* is the F1 of the picture's edges and the sketch's lines at a tolerance of 1/64 of the side, where the sketch is; *chance* the
agreement with the sketch of another prompt. The judge has seen few small things far from the middle; what it
says of true pictures is the ceiling.

| things | drawn from | agreement | chance | object | style | background | colour |
|---|---|---|---|---|---|---|---|
{rows}

## What it cannot do
What the pocket model cannot do. Lines that no thing of its world has are followed roughly or not at all.
"""
)


def card(config, runs, results, hardware):
    """The card's text, every number taken from the results and the log."""
    rows = (
        [
            row["things"],
            row["drawn from"],
            f"{row['agreement']:.2f}",
            f"{row['chance']:.2f}",
            *(f"{row[head]:.0%}" for head in HEADS),
        ]
        for row in results["table"]
    )
    return CARD.format(
        task="image-to-image", title="Pocket scribble", parameters=results["parameters"] / 1e6, side=config.shown, config=config.name,
        hardware=hardware, run=write_runs(runs), rows=fill_table(rows), **{key: results[key] for key in ("prompts", "steps", "guidance")},
    )  # fmt: skip


def merit(results):
    """How far above chance it keeps to the lines, and the share of right things."""
    row = next(row for row in results["table"] if (row["things"], row["drawn from"]) == ("anywhere", "lines"))
    return row["agreement"] - row["chance"] + row["object"]


SCRIBBLE = Shipment("ControlNet", "scribble", ASSETS / "pocket-scribble", 15e6, merit)


def main(
    config: Annotated[str, typer.Option(help="which configuration it was trained with")] = "cpu",
    folder: Annotated[Path, typer.Option(help="where the stage left its results")] = Path("build/pocket"),
    hardware: Annotated[str, typer.Option(help="what it was trained on, for the card")] = "two CPU cores",
    assets: Annotated[Path, typer.Option(help="where the shipped one lives")] = SCRIBBLE.assets,
    shipped_numbers: Annotated[Path | None, SHIPPED_NUMBERS] = None,
):
    """Convert, describe and put in place; the old one stays until the new one is whole."""
    config, folder, shipment = CONFIGS[config], folder / config, replace(SCRIBBLE, assets=assets)
    results = json.loads((folder / "scribble.json").read_text(encoding="utf-8"))
    refuse_worse(shipment, results, shipped_numbers)

    story = tell(folder, ["controlnet"])

    def fill(partial):
        ControlNetModel.from_pretrained(folder / "controlnet" / "model", dtype=torch.float16).save_pretrained(partial, max_shard_size=SHARD)
        write(story, partial)

    ship(shipment, fill, results, card(config, story["controlnet"], results, hardware))


if __name__ == "__main__":
    typer.run(main)

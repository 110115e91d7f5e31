"""Ship the trained pipeline: fp16 safetensors in shards under 15 MB, with card, licence and numbers. `python -m pocket.shipping.base`.

A model is shipped only if its prompt accuracy (the mean of object, style and background) is not below that of the one already there.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import torch
import typer
from diffusers import StableDiffusionPipeline

from pocket.shipping.card import card
from pocket.shipping.ship import SHARD, SHIPPED_NUMBERS, Shipment, average_accuracy, describe, refuse_worse, ship
from pocket.stages import story as telling
from pocket.stages.config import CONFIGS
from sdlab.assets import ASSETS

STAGES = ("autoencoder", "enlarge", "sharpen", "diffusion")


BASE = Shipment(
    "pocket model", "base", ASSETS / "pocket", 60e6,
    lambda results: average_accuracy(measured["accuracy"] for measured in results["sets"].values()),
)  # fmt: skip


def main(
    config: Annotated[str, typer.Option(help="which configuration the model was trained with")] = "cpu",
    folder: Annotated[Path, typer.Option(help="where the stages left their results")] = Path("build/pocket"),
    hardware: Annotated[str, typer.Option(help="what it was trained on, for the card")] = "two CPU cores",
    assets: Annotated[Path, typer.Option(help="where the shipped model lives")] = ASSETS / "pocket",
    numbers_only: Annotated[bool, typer.Option("--numbers-only", help="the shipped weights stay, and were measured again")] = False,
    shipped_numbers: Annotated[Path | None, SHIPPED_NUMBERS] = None,
):
    """Convert, describe and put in place; the old model stays until the new one is whole."""
    config, folder, shipment = CONFIGS[config], folder / config, replace(BASE, assets=assets)
    results = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
    if numbers_only:
        story = telling.read(assets)
        describe(assets, results, card(config, story, results, hardware))
        return
    refuse_worse(shipment, results, shipped_numbers)
    story = telling.tell(folder, STAGES, diffusion={"portuguese": config.portuguese})

    def fill(partial):
        StableDiffusionPipeline.from_pretrained(folder / "diffusion" / "model", dtype=torch.float16).save_pretrained(
            partial, max_shard_size=SHARD
        )
        telling.write(story, partial)

    ship(shipment, fill, results, card(config, story, results, hardware))


if __name__ == "__main__":
    typer.run(main)

"""Ship the trained pipeline: fp16 safetensors in shards under 15 MB, with card, licence and numbers. `python -m pocket.shipping.base`.

A model is shipped only if its prompt accuracy (the mean of object, style and background) is not below that of the one already there.
"""

import json
import shutil
from pathlib import Path
from typing import Annotated

import torch
import typer
from diffusers import StableDiffusionPipeline

from pocket.ruler import judge as judging
from pocket.shipping.card import card
from pocket.shipping.ship import SHARD, ship
from pocket.stages.config import CONFIGS
from pocket.stages.diffusion import BEFORE
from sdlab.assets import ASSETS

MOST = 60e6  # bytes of weights
TRAINING = "training.json"  # the story of a shipped model, beside its weights


def merit(results):
    """One number to compare two models by: the accuracy of object, style and background, averaged over all sets of prompts."""
    shares = [measured["accuracy"][head] for measured in results["sets"].values() for head in ("object", "style", "background")]
    return sum(shares) / len(shares)


def training(folder, config):
    """What went into the model in `folder`: `{"autoencoder": [runs], "judge": [runs], "diffusion": [runs], "notes": [sentences]}`.

    A run is its minutes and samples, and for diffusion the share of captions in Portuguese. A model that began with a shipped one takes
    over that one's story.
    """
    before = folder / "diffusion" / BEFORE
    story = json.loads(before.read_text()) if before.exists() else {"notes": []}
    for stage in ("autoencoder", "judge", "diffusion"):
        runs = story.setdefault(stage, [])
        run = last_run(folder / stage) if (folder / stage / "log.jsonl").exists() else None
        if run and stage == "diffusion":
            run["portuguese"] = config.portuguese
        if run and run not in runs:
            runs.append(run)
    return story


def last_run(folder):
    """The minutes and samples of the run that a stage's folder tells of."""
    last = json.loads((folder / "log.jsonl").read_text().splitlines()[-1])
    return {"minutes": last["minutes"], "samples": last["samples"]}


def describe(config, folder, story, results, hardware):
    """Write beside the weights in `folder` the story of their training, the numbers, and the card."""
    (folder / TRAINING).write_text(json.dumps(story, indent=2, ensure_ascii=False) + "\n")
    (folder / "evaluation.json").write_text(json.dumps(results, indent=2) + "\n")
    (folder / "README.md").write_text(card(config, story, results, hardware))


def refuse_worse(results, shipped, config):
    """End the program if the new results are below those of the shipped model, or cannot be compared with them."""
    old = json.loads(shipped.read_text())
    if old["judge"] != results["judge"]:
        raise SystemExit(
            f"the shipped model was measured by judge {old['judge']}, the new one by {results['judge']}, so they cannot be compared: "
            f"measure the shipped one again with python -m pocket.reports.base --config {config.name} --model {shipped.parent}, and "
            f"keep that with python -m pocket.shipping.base --config {config.name} --numbers-only"
        )
    if merit(results) < merit(old):
        raise SystemExit(
            f"the new model's accuracy is {merit(results):.1%}, the shipped one's {merit(old):.1%}: train longer, a worse model is not "
            "shipped"
        )


def main(
    config: Annotated[str, typer.Option(help="which configuration the model was trained with")] = "cpu",
    folder: Annotated[Path, typer.Option(help="where the stages left their results")] = Path("build/pocket"),
    hardware: Annotated[str, typer.Option(help="what it was trained on, for the card")] = "two CPU cores",
    assets: Annotated[Path, typer.Option(help="where the shipped model lives")] = ASSETS / "pocket",
    numbers_only: Annotated[bool, typer.Option("--numbers-only", help="the shipped weights stay, and were measured again")] = False,
):
    """Convert, describe and put in place; the old model stays until the new one is whole."""
    config, folder = CONFIGS[config], folder / config
    results = json.loads((folder / "evaluation.json").read_text())
    if numbers_only:
        describe(config, assets, json.loads((assets / TRAINING).read_text()), results, hardware)
        return
    if (assets / "evaluation.json").exists():
        refuse_worse(results, assets / "evaluation.json", config)
    pipe = StableDiffusionPipeline.from_pretrained(folder / "diffusion" / "model", dtype=torch.float16)

    def fill(partial):
        pipe.save_pretrained(partial, max_shard_size=SHARD)
        described = partial / "text_encoder" / "config.json"  # transformers computes in the dtype it finds here, the U-Net in float32
        described.write_text(described.read_text().replace('"dtype": "float16"', '"dtype": "float32"'))
        describe(config, partial, training(folder, config), results, hardware)

    size = ship(assets, fill, MOST)
    if not judging.kept_file(config).exists():
        shutil.copy(judging.find_file(config, folder), judging.kept_file(config))
    print(f"shipped {size / 1e6:.1f} MB of weights to {assets}, accuracy {merit(results):.1%}")


if __name__ == "__main__":
    typer.run(main)

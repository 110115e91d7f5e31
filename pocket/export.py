"""Ship the trained pipeline: fp16 safetensors in shards under 15 MB, with card, licence and numbers. `python -m pocket.export`.

A model is shipped only if its prompt accuracy (the mean of object, style and background) is not below that of the one already there.
"""

import json
import shutil
from pathlib import Path
from typing import Annotated

import torch
import typer
from diffusers import StableDiffusionPipeline

from pocket import judge as judging
from pocket.config import CONFIGS
from pocket.diffusion import BEFORE
from pocket.shipping import SHARD, ship

ASSETS = Path("sdlab/assets/pocket")
RUN = "{minutes:.0f} min with {samples:,} samples"
MOST = 60e6  # bytes of weights
TRAINING = "training.json"  # the story of a shipped model, beside its weights
CARD = """---
license: mit
library_name: diffusers
pipeline_tag: text-to-image
---
# Pocket Stable Diffusion

A Stable Diffusion small enough to ship inside a course: stock `CLIPTextModel`, `UNet2DConditionModel`, `AutoencoderKL` and
`CLIPTokenizer`, {total:.1f} M parameters in all, {side}×{side} pixels. It draws a world of {concepts} things in {styles} styles before
{backgrounds} backgrounds, and nothing else. It is made for learning how diffusion works, not for making pictures of the world.

```python
from diffusers import DiffusionPipeline

pipe = DiffusionPipeline.from_pretrained("sdlab/assets/pocket")
pipe("a lion on the beach, watercolor", num_inference_steps=25, guidance_scale={guidance}).images[0]
```

## What it was trained on
Pictures composed by `pocket.world` from emoji drawings (Fluent Emoji, MIT; Noto Emoji, Apache 2.0; Twemoji and EmojiOne 2, CC BY 4.0; see
`pocket/data/ATTRIBUTION.md`), with captions in {languages}, made by `pocket.captions`.
Held out: everyday shoes, 5% of object × style pairs, 5% of object × object pairs (`pocket/data/held_out.json`). The data have a card of
their own, `pocket/data/README.md`.

## How
Configuration `{config}`, on {hardware}.
Autoencoder: {autoencoder}. Judge: {judge}.
Text encoder and U-Net together: {diffusion}.
The objective is v-prediction on SD's scaled-linear schedule; the optimizer Muon and AdamW; bf16; the weights' moving average is shipped;
a tenth of the captions was empty. `make pocket CONFIG={config}` does the first run again, and
`python -m pocket.diffusion --config {config} --start sdlab/assets/pocket` continues from the shipped weights.
{notes}
## Numbers
Fixed prompts with fixed seeds, {steps} steps, guidance {guidance}, judged by a classifier trained on true pictures only
(`python -m pocket.evaluate --config {config}`):

| prompts | how many | object | style | background | colour |
|---|---|---|---|---|---|
{rows}

In brackets: the 95% bootstrap interval over the prompts. Where a scene holds two things, both must be right. "Unseen style" is a thing in a
style that training never showed it in, "unseen pair" two things that it never showed together.

No model can do better than its ruler and its autoencoder. This is what the judge finds right in true pictures of the same scenes, after
a trip through the autoencoder and as they are:

| prompts | how many | object | style | background | colour |
|---|---|---|---|---|---|
{ceilings}

The object is among the judge's five likeliest in {object_top5:.0%} of the English prompts (by chance: {chance5:.0%}). Fréchet distance in
the judge's features to true pictures of the same prompts: {frechet[model]:.0f}; between two such sets of true pictures:
{frechet[true]:.0f}. The autoencoder gives back held-out scenes at {psnr:.1f} dB PSNR.

## What it cannot do
Anything outside its world; people other than by role; writing; counting. At {side} pixels fine detail is lost in the autoencoder
already.
"""


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


def _in_words(runs):
    parts = [RUN.format(**run) for run in runs]
    return ", then ".join(parts) + (f", {sum(r['samples'] for r in runs):,} in all" if len(runs) > 1 else "")


def _languages(shares):
    """What the captions of all runs were in, from each run's share of Portuguese ones."""
    if not any(shares):
        return "English"
    return f"English and{'' if all(shares) else ' in the last run'}, {shares[-1]:.0%} of them, in Portuguese"


def _table(results, cell):
    """Rows of a table, one for each set of prompts; `cell(measured, head)` fills it where the question was asked."""
    return "\n".join(
        f"| {name} | {measured['prompts']} | "
        + " | ".join(cell(measured, head) if head in measured["accuracy"] else "—" for head in judging.HEADS)
        + " |"
        for name, measured in results["sets"].items()
    )


def _share(measured, head):
    low, high = measured["interval"][head]
    return f"{measured['accuracy'][head]:.0%} ({100 * low:.0f}–{100 * high:.0f})"


def _ceilings(measured, head):
    return f"{measured['through_autoencoder'][head]:.0%}, {measured['true'][head]:.0%}"


def card(config, story, results, hardware):
    """The model card's text, every number taken from the results and the logs."""
    known = judging.classes(config)
    return CARD.format(
        total=sum(results["parameters"].values()) / 1e6, side=config.side, config=config.name, hardware=hardware,
        rows=_table(results, _share), ceilings=_table(results, _ceilings),
        concepts=len(known["object"]), styles=len(known["style"]), backgrounds=len(known["background"]),
        **{stage: _in_words(story[stage]) for stage in ("autoencoder", "judge", "diffusion")},
        languages=_languages([run.get("portuguese", 0) for run in story["diffusion"]]),
        notes="".join(f"\n{note}\n" for note in story["notes"]), chance5=5 / len(known["object"]), psnr=results["autoencoder_psnr_db"],
        **{k: results[k] for k in ("steps", "guidance", "object_top5", "frechet")},
    )  # fmt: skip


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
            f"measure the shipped one again with python -m pocket.evaluate --config {config.name} --model {shipped.parent}, and keep that "
            f"with python -m pocket.export --config {config.name} --numbers-only"
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
    assets: Annotated[Path, typer.Option(help="where the shipped model lives")] = ASSETS,
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
    if not judging.kept(config).exists():
        shutil.copy(judging.kept_or_trained(config, folder), judging.kept(config))
    print(f"shipped {size / 1e6:.1f} MB of weights to {assets}, accuracy {merit(results):.1%}")


if __name__ == "__main__":
    typer.run(main)

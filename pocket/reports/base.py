"""Measure a pocket pipeline: prompt accuracy by the judge, and what its autoencoder keeps. `python -m pocket.reports.base`.

Pictures are made for five sets of fixed prompts with fixed seeds: in English, the same in Portuguese, things in styles that training
never showed them in, scenes of two things, and pairs that training never showed. For each set the judge's accuracy on true pictures of
the same scenes, and on those after a trip through the autoencoder, are the ceilings. Each share has its 95% interval. The Fréchet distance
to true pictures stands beside that of true ones to each other. Writes `evaluation.json` and a sheet of each set.
"""

import json
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import torch
import typer
from diffusers import StableDiffusionPipeline

from pocket.reports.results import write_results
from pocket.ruler import judge as judging
from pocket.ruler import prompts
from pocket.ruler.pictures import contact_sheet, draw_shown, sample
from pocket.stages.autoencoder import held_out_psnr
from pocket.stages.config import CONFIGS
from pocket.stages.settings import digest
from pocket.world.scene import draw
from sdlab.assets import ASSETS
from sdlab.display.intervals import share
from sdlab.scratch.judge import frechet_distance
from sdlab.study.judge import WEIGHTS
from sdlab.system.device import pick

SETS = {  # name → (prompts, seed of the first picture's noise); the first two differ in language only
    "English": (prompts.one_thing, 0),
    "Portuguese": (partial(prompts.one_thing, language="pt"), 0),
    "unseen style": (prompts.unseen_style, 10_000),
    "two things": (prompts.two_things, 20_000),
    "unseen pair": (prompts.unseen_pairs, 30_000),
}


def interval(right):
    """The 95% interval of a share by Wilson (1927), from hits (n,)."""
    found = share(right.numpy())
    return [found.low, found.high]


@torch.no_grad()
def reconstruct(vae, pictures):
    """Pictures after a trip through the autoencoder, (B, 3, H, W) in −1…1."""
    parts = [vae.decode(vae.encode(x.to(vae.device)).latent_dist.mean).sample.clamp(-1, 1) for x in pictures.split(64)]
    return torch.cat(parts).cpu()


def load_pipeline(folder, model=None):
    """The pipeline to measure, in float32 on the fastest device: `model`, else the one trained in `folder`, else the shipped one."""
    trained = folder / "diffusion" / "model"
    return StableDiffusionPipeline.from_pretrained(model or (trained if trained.exists() else ASSETS / "pocket"), dtype=torch.float32).to(
        pick()
    )


def ruler(config, folder):
    """The judge of a configuration, on the fastest device; the program ends with the remedy where there is none."""
    judge = judging.load(config, folder)
    if judge is None:
        raise SystemExit(
            f"there is no judge for configuration {config.name!r}: train it first with "
            f"python -m pocket.stages.strict_judge --config {config.name}"
        )
    return judge.to(pick())


def name_judge(config, folder):
    """The word by which the judge that measured is known again."""
    return digest(judging.find_folder(config, folder) / WEIGHTS)


def load_results(config, folder):
    """The file of the evaluation in `folder` and what it holds; the program ends with the remedy where there is none."""
    path = folder / "evaluation.json"
    if not path.exists():
        raise SystemExit(f"there is no {path}: measure the model first with python -m pocket.reports.base --config {config.name}")
    return path, json.loads(path.read_text(encoding="utf-8"))


def add(path, name, found):
    """Put further numbers into an evaluation, rounded to four digits."""
    write_results(path, {**json.loads(path.read_text(encoding="utf-8")), name: found})


def main(
    config: Annotated[str, typer.Option(help="which configuration the model was trained with")] = "cpu",
    folder: Annotated[Path, typer.Option(help="where the stages left their results")] = Path("build/pocket"),
    model: Annotated[Path | None, typer.Option(help="the pipeline; default: the diffusion stage's, or the shipped one")] = None,
    steps: Annotated[int, typer.Option(help="sampling steps")] = 25,
    guidance: Annotated[float, typer.Option(help="guidance scale")] = 4.0,
):
    """Score a pipeline and write the numbers and the sheets beside it."""
    config, folder = CONFIGS[config], folder / config
    pipe, judge = load_pipeline(folder, model), ruler(config, folder)
    folder.mkdir(parents=True, exist_ok=True)
    sets = {}
    for name, (invent, seed) in SETS.items():
        texts, scenes = zip(*invent(config.mix), strict=True)
        start = time.monotonic()
        pictures = sample(pipe, list(texts), steps, guidance, seed)
        seconds = (time.monotonic() - start) / len(texts)
        real = draw_shown(config, scenes, seed)
        found, true = judging.opinion(judge, pictures), judging.opinion(judge, real)
        hits = judging.hits(judge, found, scenes)
        sets[name] = {
            "prompts": len(texts),
            "accuracy": {head: right.mean().item() for head, right in hits.items() if len(right)},
            "interval": {head: interval(right) for head, right in hits.items() if len(right)},
            "seconds_per_picture_in_batches": seconds,
            "through_autoencoder": judging.accuracy(judge, judging.opinion(judge, reconstruct(pipe.vae, real)), scenes),
            "true": judging.accuracy(judge, true, scenes),
        }
        if name == "English":
            first_five = [
                scene.things[0].concept in {judge.classes["object"][i] for i in likeliest}
                for scene, likeliest in zip(scenes, found["object"].topk(5).indices, strict=True)
            ]
            others = judging.opinion(judge, draw_shown(config, scenes, seed + 1))["features"]
            frechet = {
                "model": frechet_distance(found["features"], true["features"]),
                "true": frechet_distance(others, true["features"]),
            }
        contact_sheet(pictures[:100], 10).save(folder / f"{name.lower().replace(' ', '-')}.png")
        print(name, {head: f"{right:.0%}" for head, right in sets[name]["accuracy"].items()}, flush=True)
    results = {
        "judge": name_judge(config, folder),
        "steps": steps, "guidance": guidance, "side": config.shown, "sets": sets,
        "object_top5": sum(first_five) / len(first_five), "frechet": frechet,
        "autoencoder_psnr_db": held_out_psnr(pipe.vae, replace(config, side=config.shown), paint=partial(draw, grain=config.wider)),
        "parameters": {name: sum(p.numel() for p in getattr(pipe, name).parameters()) for name in ("vae", "text_encoder", "unet")},
    }  # fmt: skip
    results = write_results(folder / "evaluation.json", results)
    print(json.dumps({key: value for key, value in results.items() if key != "sets"}, indent=2))


if __name__ == "__main__":
    typer.run(main)

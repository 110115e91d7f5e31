"""Measure the XL: its base alone, and its base with the refiner, at equal numbers of steps. `python -m pocket.reports.xl`.

Accuracy is the judge's, which looks at 128 pixels. Detail is measured twice against true pictures of the same prompts: by the
Fréchet distance of the judge's features of quarters at full size, and by how far the power of the finest waves is off. Then, what it does
with the numbers that it is told: a small original, a crop, a low aesthetic score. Writes `xl.json` and a sheet.
"""

import json
from functools import partial
from pathlib import Path
from typing import Annotated

import torch
import typer
from diffusers import AutoencoderKL, StableDiffusionXLPipeline, UNet2DConditionModel

from pocket.reports.base import interval, name_judge, ruler
from pocket.reports.behaviour import sharpness
from pocket.reports.results import write_results
from pocket.ruler import judge as judging
from pocket.ruler import prompts
from pocket.ruler.pictures import contact_sheet, draw_shown, draw_true, sample
from pocket.stages.config import CONFIGS
from pocket.stages.denoising import tokenize
from pocket.stages.refiner import SHARE, assemble
from pocket.stages.xl import DenoiserXL, enlarge
from pocket.world.framing import GOOD, POOR, Framed, photograph, tell
from sdlab.assets import ASSETS
from sdlab.scratch.judge import frechet_distance
from sdlab.system.device import pick

STEPS, GUIDANCE = 25, 4.0
TELLINGS = 64  # prompts for each thing that the models are told
STRONG = 900  # a timestep at which little is seen of where a thing is
QUIET = ("white", "plain", "gradient")  # backgrounds without edges: where the edges are, the thing is
FINEST = 0.5  # waves shorter than four pixels: half of the frequencies, up to the finest a grid can hold


def load_pipelines(folder):
    """The base and the refiner trained in `folder`, or the shipped ones, sharing autoencoder and second text encoder."""
    trained = folder / "xl" / "model", folder / "refiner" / "model"
    xl, expert = trained if trained[0].exists() else (ASSETS / "pocket-xl", ASSETS / "pocket-xl-refiner" / "unet")
    vae = AutoencoderKL.from_pretrained(ASSETS / "pocket" / "vae", dtype=torch.float32)
    base = StableDiffusionXLPipeline.from_pretrained(xl, vae=vae, dtype=torch.float32).to(pick())
    return base, assemble(UNet2DConditionModel.from_pretrained(expert, dtype=torch.float32).to(pick()), base)


@torch.no_grad()
def refine(base, refiner, texts, steps, guidance, seed=0, **more):
    """Pictures in −1…1, of which the base does the first four fifths of the steps and the refiner the rest; noises as in `sample`."""
    latents = sample(base, texts, steps, guidance, seed=seed, denoising_end=1 - SHARE, latents_only=True)
    return sample(refiner, texts, steps, guidance, seed=seed, image=list(latents), denoising_start=1 - SHARE, **more)


def quarters(pictures):
    """The four quarters of pictures, (B, 3, H, W) → (4·B, 3, H/2, W/2)."""
    return torch.cat([half for part in pictures.chunk(2, 2) for half in part.chunk(2, 3)])


def power(pictures):
    """The mean power of a set of pictures at each frequency, (H, W), and the frequencies, 0…1 of the finest, (H, W)."""
    side = pictures.shape[-1]
    waves = torch.fft.fftfreq(side).abs() * 2  # 0…1
    return torch.fft.fft2(pictures).abs().square().mean((0, 1)), torch.maximum(waves[:, None], waves[None])


def fine_error(pictures, true):
    """How far the power of the finest waves is off, as the mean absolute difference of decimal logarithms: 0.3 is a factor of two."""
    (found, frequency), (asked, _) = power(pictures), power(true)
    return (found.log10() - asked.log10())[frequency > FINEST].abs().mean().item()


def measure(pictures, true, judge, scenes):
    """All numbers of one way to draw."""
    hits = judging.hits(judge, judging.opinion(judge, pictures), scenes)
    ours, theirs = (judging.opinion(judge, quarters(x))["features"] for x in (pictures, true))
    return {
        "accuracy": {head: right.mean().item() for head, right in hits.items() if len(right)},
        "interval": {head: interval(right) for head, right in hits.items() if len(right)},
        "frechet of quarters": frechet_distance(ours, theirs), "fine error": fine_error(pictures, true), "sharpness": sharpness(pictures),
    }  # fmt: skip


def centre(pictures):
    """Where the steepness of pictures has its centre, from 0 at the left to 1 at the right."""
    steep = pictures.diff(dim=3).abs().sum((1, 2))  # (B, W − 1)
    across = torch.linspace(0, 1, steep.shape[1])
    return ((steep * across).sum(1) / steep.sum(1)).mean().item()


def tellings(side):
    """What the base is told of a picture's frame, `{words: (original, top, left)}`: small originals, the usual one, and crops."""
    large = 3 * side // 2
    smaller = {f"original of {original} px": (original, 0, 0) for original in (side // 3, 2 * side // 3, side)}
    crops = {f"original of {large} px, cropped from {left} px": (large, side // 4, left) for left in (0, side // 4, side // 2)}
    return smaller | crops


def measure_tellings(base, refiner, texts, scenes, side, grain):
    """What changes when the models are told something else: a row for each telling, with true pictures that it is true of."""
    rows = []
    for words, (original, top, left) in tellings(side).items():
        name, measure = ("sharpness", sharpness) if original <= side else ("centre of the edges", centre)
        made = sample(base, texts, STEPS, GUIDANCE, original_size=(original, original), crops_coords_top_left=(top, left))
        true = draw_true([Framed(scene, original, top, left) for scene in scenes], side, 1, partial(photograph, grain=grain))
        rows.append({"told": words, "measured": name, "drawn": measure(made), "true pictures": measure(true)})
    for score in (POOR, GOOD):
        made = refine(base, refiner, texts, STEPS, GUIDANCE, aesthetic_score=score, negative_aesthetic_score=score)
        rows.append({"told": f"aesthetic score of {score}", "measured": "sharpness", "drawn": sharpness(made)})
    return rows + losses(base, texts, scenes, side, grain)


@torch.no_grad()
def losses(base, texts, scenes, side, grain):
    """What it helps to be told the truth: the base's loss on true crops at strong noise, told so, of another corner, or of no crop."""
    large, corners = 3 * side // 2, [(0, side // 4), (side // 4, side // 2), (side // 2, side // 4), (side // 4, 0)]
    framed = [Framed(scene, large, *corners[i % 4]) for i, scene in enumerate(scenes)]
    true = draw_true(framed, side, 1, partial(photograph, grain=grain)).to(base.device)
    x0 = base.vae.encode(true).latent_dist.mean * base.vae.config.scaling_factor
    t, eps = torch.full((len(x0),), STRONG), torch.randn(x0.shape, generator=torch.Generator().manual_seed(0))
    t, eps = t.to(x0.device), eps.to(x0.device)
    noisy, target = base.scheduler.add_noise(x0, eps, t), base.scheduler.get_velocity(x0, eps, t)
    ids = tokenize(base.tokenizer, texts, x0.device)
    denoiser = DenoiserXL(base.unet, base.text_encoder_2, base.text_encoder)
    claims = {
        "how it was cropped": framed,
        "the opposite corner": [Framed(f.scene, large, side // 2 - f.top, side // 2 - f.left) for f in framed],
        "not cropped": [Framed(f.scene, side) for f in framed],
    }
    rows = []
    for told_of, claimed in claims.items():
        numbers = torch.tensor([tell(f, side) for f in claimed], dtype=torch.float32, device=x0.device)
        loss = denoiser(noisy, t, ids, numbers, target).item()
        rows.append({"told": told_of, "measured": f"loss at timestep {STRONG}", "true pictures": loss})
    return rows


def main(
    config: Annotated[str, typer.Option(help="which configuration they were trained with")] = "cpu",
    folder: Annotated[Path, typer.Option(help="where the stages left their results")] = Path("build/pocket"),
    count: Annotated[int, typer.Option(help="number of prompts")] = 128,
):
    """Score base and refiner, and write the numbers and the sheet."""
    small = CONFIGS[config]
    config, folder = enlarge(small), folder / small.name
    folder.mkdir(parents=True, exist_ok=True)
    judge, (base, refiner) = ruler(small, folder), load_pipelines(folder)
    results = {
        "judge": name_judge(small, folder), "prompts": count, "steps": STEPS, "guidance": GUIDANCE, "side": config.shown, "sets": {},
    }  # fmt: skip
    for name, invent in (("one thing", prompts.one_thing), ("two things", prompts.two_things)):
        texts, scenes = map(list, zip(*invent(config.mix, count), strict=True))
        true = draw_shown(config, scenes, 1)
        ways = {
            "base": sample(base, texts, STEPS, GUIDANCE), "base and refiner": refine(base, refiner, texts, STEPS, GUIDANCE),
            "true pictures": draw_shown(config, scenes, 2),
        }  # fmt: skip
        results["sets"][name] = {way: measure(pictures, true, judge, scenes) for way, pictures in ways.items()}
        print(name, json.dumps(results["sets"][name], indent=1), flush=True)
        pairs = torch.stack([ways["base"], ways["base and refiner"]], 1)[:24].flatten(0, 1)
        contact_sheet(pairs, 8).save(folder / f"xl-{name.replace(' ', '-')}.png")
    quiet = [(text, scene) for text, scene in prompts.one_thing(config.mix) if scene.background in QUIET]
    results["told"] = measure_tellings(base, refiner, *map(list, zip(*quiet[:TELLINGS], strict=True)), config.shown, config.wider)
    results["parameters"] = {
        "unet": sum(p.numel() for p in base.unet.parameters()), "refiner": sum(p.numel() for p in refiner.unet.parameters()),
        "text_encoder": sum(p.numel() for p in base.text_encoder.parameters()),
        "text_encoder_2": sum(p.numel() for p in base.text_encoder_2.parameters()),
    }  # fmt: skip
    write_results(folder / "xl.json", results)


if __name__ == "__main__":
    typer.run(main)

"""Samplers at equal numbers of network evaluations: their distance from the exact solution, and how often their pictures are right.

    python -m benchmarks.steps                  # about ten minutes on two cores; --prompts 2 --longest 40 for a trial

An evaluation is one call of the U-Net, which with guidance looks at a picture twice, with the prompt and without. Writes
the file that notebook 03 reads: the model's hash, the settings, and every number for each picture. Distances that
the file has of the same model and settings are not measured again.
"""

import json
from itertools import product
from pathlib import Path
from typing import Annotated

import torch
import typer

import sdlab
from pocket.reports.results import write_lines
from pocket.stages.settings import digest
from sdlab.lesson import RESULTS
from sdlab.pipes import models, samplers
from sdlab.pipes.generation import decode
from sdlab.study import judge, metrics

FILE = RESULTS / "03.json"
SAMPLERS = ("DDIM", "PNDM", "Euler", "Euler a", "Heun", "DPM++ 2M", "UniPC")
WITH_KARRAS = ("Euler", "Heun", "DPM++ 2M")
JUDGED = ("DDIM", "PNDM", "Euler a", "Heun", "DPM++ 2M", "DPM++ 2M Karras", "UniPC")  # not Euler, which is DDIM in other words
BUDGETS, LARGER, LARGEST = (5, 10, 20), (40,), (70, 100)  # evaluations; the larger for distances only, the largest for some samplers
FOLLOWED = ("DPM++ 2M", *(f"{plain} Karras" for plain in WITH_KARRAS))  # to the largest budgets
LONG = "DDIM", 50  # the source of the course says that up to here more steps pay
REFERENCE = "DPM++ 2M"
GUIDANCE = 7.5  # of PICTURES; the judge's prompts are drawn with what the model recommends
PICTURES = [
    (prompt, seed)
    for prompt in ("A cyberpunk city at night with neon lights, rainy weather, reflections", "a lion on the beach, cartoon")
    for seed in (123, 124)
]
TOGETHER = 8  # pictures in a batch
DIGITS = 4


def make(name, config):
    """The scheduler of a sampler's name; "Karras" behind it switches that spacing on, over all levels of the model.

    Left with the pocket model's trailing spacing, diffusers' Euler and Heun would take Karras' levels only down to the last of the evenly
    spaced ones, and jump from there to the picture.
    """
    plain = name.removesuffix(" Karras")
    if plain == name:
        return samplers.make(name, config)
    return samplers.make(samplers.SAMPLERS[plain][0], {**config, "use_karras_sigmas": True, "timestep_spacing": "linspace"})


def steps_within(name, budget, config):
    """The largest number of steps that takes at most `budget` evaluations; 1 at least.

    A pipeline asks its U-Net once for every entry of the scheduler's `timesteps`, which for some samplers are more than the steps.
    """
    scheduler, steps = make(name, config), 1
    while True:
        scheduler.set_timesteps(steps + 1)
        if len(scheduler.timesteps) > budget:
            return steps
        steps += 1


def start_of(name, scheduler):
    """What the noise is multiplied by, before the scheduler does it in its own way: (√(σ²+1) / σ) for a scheduler that starts at σ, or 1.

    diffusers' Euler and Heun start from σ times the noise, where the others, in their scale, start from √(σ²+1) times the noise. With
    Karras' spacing, where small distances matter, all start from the same latents; without it, each as a pipeline starts it.
    """
    sigma = float(scheduler.init_noise_sigma)
    return (sigma**2 + 1) ** 0.5 / sigma if name.endswith("Karras") and sigma > 1 else 1.0


def draw(pipe, name, steps, pictures, guidance):
    """Latents (n, 4, h, w) of pictures `[(prompt, seed), …]`, each from its own seed's noise; and the evaluations for one picture."""
    own, calls, latents = pipe.scheduler, [], []
    pipe.scheduler = make(name, own.config)
    pipe.scheduler.set_timesteps(steps)
    shape = (1, pipe.unet.config.in_channels, pipe.unet.config.sample_size, pipe.unet.config.sample_size)
    hook = pipe.unet.register_forward_hook(lambda *_: calls.append(1))
    try:
        for first in range(0, len(pictures), TOGETHER):
            prompts, seeds = zip(*pictures[first : first + TOGETHER], strict=True)
            generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
            noise = torch.cat([torch.randn(shape, generator=generator) for generator in generators])
            latents.append(pipe(
                list(prompts), num_inference_steps=steps, guidance_scale=guidance, output_type="latent", generator=generators,
                latents=start_of(name, pipe.scheduler) * noise.to(pipe.unet.dtype),
            ).images.float().cpu())  # fmt: skip
    finally:
        hook.remove()
        pipe.scheduler = own
    return torch.cat(latents), len(calls) // len(latents)


def rounded(values):
    """Numbers as JSON keeps them."""
    return [round(float(value), DIGITS) for value in values]


def distances(pipe, longest):
    """Per sampler and budget, how far the latents of `PICTURES` are from those of a long run; and the latents of that run."""
    exact, _ = draw(pipe, REFERENCE, longest, PICTURES, GUIDANCE)
    table = []
    for name in (*SAMPLERS, *(f"{plain} Karras" for plain in WITH_KARRAS)):
        for budget in (*BUDGETS, *LARGER, *(LARGEST if name in FOLLOWED else ())):
            steps = steps_within(name, budget, pipe.scheduler.config)
            latents, evaluations = draw(pipe, name, steps, PICTURES, GUIDANCE)
            far = rounded(metrics.latent_distance(one[None], other[None])[0] for one, other in zip(exact, latents, strict=True))
            table.append({"sampler": name, "budget": budget, "steps": steps, "evaluations": evaluations, "distance": far})
            print(table[-1], flush=True)
    return {"distances": table, "exact": [rounded(latents.flatten()) for latents in exact]}


def accuracy(pipe, guidance, asked):
    """Per sampler and budget, what the judge recognises in the pictures of `asked`, picture by picture."""
    pictures, table = [(one.prompt, seed) for seed, one in enumerate(asked)], []
    for name, budget in [*product(JUDGED, BUDGETS), LONG]:
        steps = steps_within(name, budget, pipe.scheduler.config)
        latents, evaluations = draw(pipe, name, steps, pictures, guidance)
        right = judge.recognise(decode(pipe, latents.to(pipe.device)), asked)
        found = {head: [int(yes) for yes in right[head]] for head in ("object", "style", "background")}
        table.append({"sampler": name, "budget": budget, "steps": steps, "evaluations": evaluations, **found})
        print(name, budget, {head: sum(yes) for head, yes in found.items()}, flush=True)
    return table


def main(
    prompts: Annotated[int, typer.Option(help="how many prompts the judge looks at")] = 20,
    longest: Annotated[int, typer.Option(help="steps of the long run that the others are compared with")] = 1000,
    file: Annotated[Path, typer.Option(help="where the numbers go")] = FILE,
):
    """Measure the shipped pocket model and write the file."""
    pipe = sdlab.load("pocket")
    pipe.set_progress_bar_config(disable=True)
    settings = {
        "command": "python -m benchmarks.steps", "model": models.fingerprint(pipe), "reference": [REFERENCE, longest],
        "pictures": [list(picture) for picture in PICTURES], "guidance of pictures": GUIDANCE,
    }  # fmt: skip
    known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    if any(known.get(name) != value for name, value in settings.items()):
        known = settings | distances(pipe, longest)
        write_lines(file, known)
    guidance, asked = models.recommend(pipe)[1], judge.known_prompts()[:prompts]
    write_lines(file, known | {
        "judge": digest(judge.FOLDER / judge.WEIGHTS), "guidance of prompts": guidance,
        "prompts": [one.prompt for one in asked], "accuracy": accuracy(pipe, guidance, asked),
    })  # fmt: skip


if __name__ == "__main__":
    typer.run(main)

"""What guidance buys, what it costs, and what the field does about the cost: `python -m pocket.reports.guidance`.

Two pictures of each prompt, from the same noises under every setting: plain guidance at seven scales, and at the largest of them with
rescaling (Lin et al. 2023), in an interval of noise levels only (Kynkäänniemi et al. 2024), and projected (APG; Sadat et al. 2024). True
pictures of the same scenes stand beside them. Writes the settings, the hashes of model and judge, and the numbers of every picture, a
line per setting, into the file of lesson 02. The pictures of each setting are kept in a folder, so that an interrupted run goes on
where it stopped, and a new judge needs no new pictures.
"""

import hashlib
import json
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from diffusers.guiders import AdaptiveProjectedGuidance, ClassifierFreeGuidance
from diffusers.utils import logging
from PIL import Image

import sdlab
from pocket.reports.results import write_lines
from pocket.ruler.pictures import draw_true, to_pil
from pocket.ruler.prompts import one_thing
from pocket.stages.config import CONFIGS
from pocket.stages.settings import digest
from pocket.world.scene import draw as paint
from sdlab.lesson import RESULTS
from sdlab.pipes.generation import decode
from sdlab.pipes.models import fingerprint
from sdlab.study import judge, metrics

FILE = RESULTS / "02.json"
SCALES = (1, 2, 3, 5, 7.5, 10, 15)
WILD = max(SCALES)
INTERVAL = {"start": 0.4, "stop": 0.8}  # shares of the steps
LONGEST, OF_NUMBERS = 15.0, 4 * 128 * 128  # a difference of guesses, in diffusers' default, and how many numbers SDXL's latents have
BATCH = 8
APART = 1000  # the seeds of two pictures of one prompt
CLASSES = {"plain": ClassifierFreeGuidance, "projected": AdaptiveProjectedGuidance}


def settings(numbers):
    """`{name: {"kind": a key of CLASSES, and the guider's arguments}}`, for latents of so many numbers."""
    plain = {f"guidance {scale:g}": {"kind": "plain", "guidance_scale": scale} for scale in SCALES}
    return plain | {
        "rescaled": {"kind": "plain", "guidance_scale": WILD, "guidance_rescale": 0.7},
        "in an interval": {"kind": "plain", "guidance_scale": WILD, **INTERVAL},
        # The paper's formula begins at the conditional guess, so its scale is one less.
        "projected": {
            "kind": "projected", "guidance_scale": WILD - 1, "use_original_formulation": True, "eta": 0.0,
            "adaptive_projected_guidance_rescale": LONGEST * (numbers / OF_NUMBERS) ** 0.5, "adaptive_projected_guidance_momentum": -0.5,
        },
    }  # fmt: skip


def make(kind, **arguments):
    """A guider of diffusers from a setting."""
    return CLASSES[kind](**arguments)


@torch.no_grad()
def draw(pipe, prompts, seeds, guider, steps=25, on_guess=True):
    """Pictures of prompts, each from the noise of its seed, as PIL pictures.

    Args:
        pipe: a pipeline whose U-Net predicts v.
        prompts: one for every picture.
        seeds: one for every picture.
        guider: of diffusers; it combines the conditional and the unconditional answer at every step.
        steps: of the pipeline's own sampler.
        on_guess: the answers are guesses of the finished latents; otherwise predictions of v, as in diffusers' own pipeline. It makes no
            difference to plain guidance, for one is a straight line in the other.
    """
    told, untold = pipe.encode_prompt(prompts, pipe.device, 1, True, negative_prompt=[""] * len(prompts))
    side = pipe.unet.config.sample_size
    x = torch.cat([torch.randn(1, 4, side, side, generator=torch.Generator("cpu").manual_seed(seed)) for seed in seeds]).to(pipe.device)
    pipe.scheduler.set_timesteps(steps, device=pipe.device)
    for step, t in enumerate(pipe.scheduler.timesteps):
        abar = pipe.scheduler.alphas_cumprod[t]
        a, b = (abar.sqrt(), (1 - abar).sqrt()) if on_guess else (0, -1)  # a·x − b·v is the answer
        guider.set_state(step, steps, t)
        states = guider.prepare_inputs({"words": (told, untold)})  # outside an interval, the conditional one alone
        for state in states:
            state.noise_pred = a * x - b * pipe.unet(x, t, state.words).sample
        x = pipe.scheduler.step((a * x - guider(states).pred) / b, t, x).prev_sample
    return decode(pipe, x)


def measure(pictures, asked):
    """Of two pictures of each prompt: what the judge recognises, saturation and clipping, (prompts, 2), and variety, (prompts,)."""
    twice = [one for one in asked for _ in range(2)]
    found = {head: right for head, right in judge.recognise(pictures, twice).items() if head != "colour"}
    found |= {"saturation": metrics.saturation(pictures), "clipping": metrics.clipping(pictures)}
    pairs = [pictures[i : i + 2] for i in range(0, len(pictures), 2)]
    table = {name: np.asarray(values, float).reshape(-1, 2).tolist() for name, values in found.items()}
    return table | {"variety": [metrics.variety(pair) for pair in pairs]}


def draw_setting(pipe, setting, asked, steps, folder):
    """Two pictures of each prompt under a setting; those that the folder has are taken from there."""
    jobs = [(one.prompt, i + APART * again) for i, one in enumerate(asked) for again in range(2)]
    key = hashlib.sha256(json.dumps([fingerprint(pipe), setting, jobs, steps]).encode()).hexdigest()[:16]
    file = folder / f"{key}.npy"
    if file.exists():
        return [Image.fromarray(picture) for picture in np.load(file)]
    pictures = []
    for start in range(0, len(jobs), BATCH):
        prompts, seeds = map(list, zip(*jobs[start : start + BATCH], strict=True))
        # diffusers' pipeline rescales the prediction; everything else is a matter of the guess
        pictures += draw(pipe, prompts, seeds, make(**setting), steps, on_guess="guidance_rescale" not in setting)
    folder.mkdir(parents=True, exist_ok=True)
    np.save(file, np.stack([np.asarray(picture) for picture in pictures]))
    return pictures


def draw_world(asked, side):
    """Two true pictures of each prompt."""
    config = CONFIGS["cpu"]
    texts, scenes = zip(*one_thing(config.mix, len(asked)), strict=True)
    if list(texts) != [one.prompt for one in asked]:
        raise SystemExit("the judge's prompts are not those of pocket.ruler.prompts: ship the judge anew")
    twice = [scene for scene in scenes for _ in range(2)]
    return [to_pil(x) for x in draw_true(twice, side, 1, partial(paint, grain=side // config.side))]


def main(
    prompts: Annotated[int, typer.Option(help="how many prompts")] = 64,
    steps: Annotated[int, typer.Option(help="sampling steps")] = 25,
    model: Annotated[str, typer.Option(help="a name of the model table, or a folder")] = "pocket",
    out: Annotated[Path, typer.Option(help="the file to write")] = FILE,
    folder: Annotated[Path, typer.Option(help="where the pictures are kept")] = Path("build/guidance"),
):
    """Draw and measure every setting, and write the file."""
    logging.set_verbosity_error()
    pipe, asked = sdlab.load(model), judge.known_prompts()[:prompts]
    results = {
        "about": {
            "model": fingerprint(pipe), "judge": digest(judge.FOLDER / judge.WEIGHTS), "steps": steps, "apart": APART,
            "prompts": [one.prompt for one in asked],
        },
    }  # fmt: skip
    numbers = pipe.unet.config.in_channels * pipe.unet.config.sample_size**2
    for name, setting in settings(numbers).items():
        pictures = draw_setting(pipe, setting, asked, steps, folder)
        results[name] = {"setting": setting, **measure(pictures, asked)}
        print(name, {key: f"{np.mean(values):.3f}" for key, values in results[name].items() if key != "setting"}, flush=True)
    write_lines(out, results | {"true pictures": measure(draw_world(asked, sdlab.native_side(pipe)), asked)})


if __name__ == "__main__":
    typer.run(main)

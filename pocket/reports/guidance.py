"""What guidance buys, what it costs, and what the field does about the cost: `python -m pocket.reports.guidance`.

Two pictures of each prompt, from the same noises under every setting: plain guidance at seven scales, and at the largest of them with
rescaling (Lin et al. 2023), in an interval of noise levels only (Kynkäänniemi et al. 2024), and projected (APG; Sadat et al. 2024). True
pictures of the same scenes stand beside them. Writes the settings, the hashes of model and judge, and the numbers of every picture, a
line per setting, into `notebooks/results/02.json`, after each setting; what the file has of the same model and judge is not drawn again.
"""

import json
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from diffusers.guiders import AdaptiveProjectedGuidance, ClassifierFreeGuidance
from diffusers.utils import logging

import sdlab
from pocket.reports.results import round_numbers
from pocket.ruler.pictures import draw_true, to_pil
from pocket.ruler.prompts import one_thing
from pocket.stages.config import CONFIGS
from pocket.stages.settings import digest
from pocket.world.scene import draw as paint
from sdlab.pipes.generation import decode
from sdlab.pipes.models import fingerprint
from sdlab.study import judge, metrics

FILE = Path("notebooks/results/02.json")
SCALES = (1, 2, 3, 5, 7.5, 10, 15)
WILD = max(SCALES)
BATCH = 8
APART = 1000  # the seeds of two pictures of one prompt
CLASSES = {"plain": ClassifierFreeGuidance, "projected": AdaptiveProjectedGuidance}


def settings():
    """`{name: {"kind": a key of CLASSES, and the guider's arguments}}`."""
    plain = {f"guidance {scale:g}": {"kind": "plain", "guidance_scale": scale} for scale in SCALES}
    return plain | {
        "rescaled": {"kind": "plain", "guidance_scale": WILD, "guidance_rescale": 0.7},
        "in an interval": {"kind": "plain", "guidance_scale": WILD, "start": 0.2, "stop": 0.6},
        # The paper's formula begins at the conditional guess, so its scale is one less.
        "projected": {
            "kind": "projected", "guidance_scale": WILD - 1, "use_original_formulation": True, "eta": 0.0,
            "adaptive_projected_guidance_rescale": 4.0, "adaptive_projected_guidance_momentum": -0.5,
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
        prompts, seeds: one of each for every picture.
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
        answers = pipe.unet(torch.cat([x, x]), t, torch.cat([told, untold])).sample
        guider.set_state(step, steps, t)
        answer = guider.forward(*(a * x - b * v for v in answers.chunk(2))).pred
        x = pipe.scheduler.step((a * x - answer) / b, t, x).prev_sample
    return decode(pipe, x)


def measure(pictures, asked):
    """The numbers of pictures of `asked`, two of each prompt: for each question, saturation and clipping (prompts, 2), variety (prompts,)."""
    twice = [one for one in asked for _ in range(2)]
    found = {head: right for head, right in judge.recognise(pictures, twice).items() if head != "colour"}
    found |= {"saturation": metrics.saturation(pictures), "clipping": metrics.clipping(pictures)}
    pairs = [pictures[i : i + 2] for i in range(0, len(pictures), 2)]
    table = {name: np.asarray(values, float).reshape(-1, 2).tolist() for name, values in found.items()}
    return table | {"variety": [metrics.variety(pair) for pair in pairs]}


def draw_setting(pipe, setting, asked, steps):
    """Two pictures of each prompt under a setting."""
    jobs = [(one.prompt, i + APART * again) for i, one in enumerate(asked) for again in range(2)]
    pictures = []
    for start in range(0, len(jobs), BATCH):
        prompts, seeds = map(list, zip(*jobs[start : start + BATCH], strict=True))
        # diffusers' pipeline rescales the prediction, everything else is a matter of the finished picture
        pictures += draw(pipe, prompts, seeds, make(**setting), steps, on_guess="guidance_rescale" not in setting)
    return pictures


def draw_world(asked, side):
    """Two true pictures of each prompt."""
    config = CONFIGS["cpu"]
    texts, scenes = zip(*one_thing(config.mix, len(asked)), strict=True)
    if list(texts) != [one.prompt for one in asked]:
        raise SystemExit("the judge's prompts are not those of pocket.ruler.prompts: ship the judge anew")
    twice = [scene for scene in scenes for _ in range(2)]
    return [to_pil(x) for x in draw_true(twice, side, 1, partial(paint, grain=side // config.side))]


def write(path, results):
    """One line per entry."""
    lines = (f"{json.dumps(name)}: {json.dumps(entry)}" for name, entry in round_numbers(results).items())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def main(
    prompts: Annotated[int, typer.Option(help="how many prompts")] = 64,
    steps: Annotated[int, typer.Option(help="sampling steps")] = 25,
    model: Annotated[str, typer.Option(help="a name of the model table, or a folder")] = "pocket",
    out: Annotated[Path, typer.Option(help="the file to write")] = FILE,
    at_most: Annotated[int | None, typer.Option(help="stop after so many new settings")] = None,
):
    """Draw and measure every setting, and write the file after each."""
    logging.set_verbosity_error()
    pipe, asked = sdlab.load(model), judge.known_prompts()[:prompts]
    about = {
        "model": fingerprint(pipe), "judge": digest(judge.FOLDER / judge.WEIGHTS), "steps": steps, "apart": APART,
        "prompts": [one.prompt for one in asked],
    }  # fmt: skip
    results = json.loads(out.read_text(encoding="utf-8")) if out.exists() else {}
    if results.get("about") != about:
        results = {"about": about}
    if "true pictures" not in results:
        results["true pictures"] = measure(draw_world(asked, sdlab.native_side(pipe)), asked)
    todo = [name for name, setting in settings().items() if results.get(name, {}).get("setting") != setting]
    for name in todo[:at_most]:
        results[name] = {"setting": settings()[name], **measure(draw_setting(pipe, settings()[name], asked, steps), asked)}
        write(out, {name: results[name] for name in ("about", *settings(), "true pictures") if name in results})
        told = {key: f"{np.mean(values):.3f}" for key, values in results[name].items() if key != "setting"}
        print(f"{name}: {told}", flush=True)


if __name__ == "__main__":
    typer.run(main)

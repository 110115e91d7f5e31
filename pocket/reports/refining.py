"""What the XL makes of the numbers it is told, and what its refiner adds, for notebook 09: `python -m pocket.reports.refining`.

Five measurements, each of a fixed set of prompts and from the same noise under every setting:

- `noise …`: the error of both experts on true pictures under more and more noise. Which noise is whose?
- `handed over at …`: pictures that the base began and the refiner finished, at one total of steps, beside those of the base alone.
- `scores … and …`: the same, handed over at 0.8, where the refiner is told other aesthetic scores, with the prompt and without.
- `original of …`: pictures of which the base was told that they had been smaller.
- `corner at …`: pictures of which it was told where they had been cropped.

Writes `sdlab/assets/results/09.json`. It is kept after every setting; what the file has of the same models is not drawn again.
"""

import json
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from scipy.ndimage import uniform_filter

import sdlab
from pocket.reports.results import write_lines
from pocket.reports.xl import fine_error, power, quarters
from pocket.ruler import prompts as fixed
from pocket.ruler.pictures import draw_true, sample, to_pil
from pocket.stages.config import CONFIGS
from pocket.stages.denoising import tokenize
from pocket.stages.refiner import SHARE
from pocket.stages.settings import digest
from pocket.stages.xl import DenoiserXL, enlarge
from pocket.world.framing import GOOD, POOR, Framed, photograph
from sdlab.lesson import RESULTS
from sdlab.pipes.models import fingerprint
from sdlab.scratch.judge import frechet_distance
from sdlab.study import judge, metrics

FILE = RESULTS / "09.json"
STEPS, GUIDANCE = 25, 4.0
HANDOVERS = (0.4, 0.6, 0.7, 0.8, 0.9)  # shares of the timesteps that are the base's
SCORES = ((GOOD, GOOD), (POOR, POOR), (9.0, POOR), (POOR, GOOD))  # with the prompt, and without; the pipeline's own are 6 and 2.5
NOISES = (25, 75, 125, 175, 225, 300, 400, 600, 800)  # timesteps
ORIGINALS = (0.35, 0.5, 0.7, 1)  # shares of the side
CROPPED, TOP, CORNERS = 1.5, 0.25, (0, 0.25, 0.5)  # the side before the crop, and its corner, in sides of the picture
TOLD_STEPS = 12
QUIET = ("white", "plain", "gradient")  # backgrounds without edges: where the edges are, the thing is
BANDS = 16  # of frequencies
WINDOW = 5  # pixels
FRAME = 1 / 16  # of the side: edges so near to the border belong to a thing that is cut off


def invent(count, backgrounds=None):
    """The first fixed prompts as the judge knows them, and their scenes; all, or those with some of the backgrounds."""
    asked = judge.known_prompts()
    pairs = zip(asked, fixed.one_thing(CONFIGS["cpu"].mix, len(asked)), strict=True)
    chosen = [(one, scene) for one, (_, scene) in pairs if backgrounds is None or one.background in backgrounds][:count]
    return map(list, zip(*chosen, strict=True))


def true_pictures(framed, side, seed=1):
    """True pictures of framed scenes as these models are to draw them, in −1…1, (B, 3, side, side)."""
    grain = max(1, side // enlarge(CONFIGS["cpu"]).side)
    return draw_true(framed, side, seed, partial(photograph, grain=grain))


def frame(scenes, side, original=1, top=0, left=0):
    """The scenes as photographs; all in sides of the picture."""
    return [Framed(scene, *(round(share * side) for share in (original, top, left))) for scene in scenes]


def fine(picture):
    """The power of the waves shorter than four pixels in a picture in −1…1, (3, H, W), as a decimal logarithm."""
    found, frequency = power(picture[None])
    return found[frequency > 0.5].mean().log10().item()


def smears(picture):
    """How uneven a PIL picture is where it has no edges, in grey levels: the median of the standard deviations of small windows."""
    grey = np.asarray(picture.convert("L"), float)
    variance = uniform_filter(grey**2, WINDOW) - uniform_filter(grey, WINDOW) ** 2
    return float(np.median(np.sqrt(variance.clip(0))))


def spectrum(pictures):
    """The mean power in each of `BANDS` bands of frequency, the coarsest first, of pictures (B, 3, H, W)."""
    found, frequency = power(pictures)
    band = (frequency * BANDS).long().clamp(max=BANDS - 1)
    return [found[band == number].mean().item() for number in range(BANDS)]


def place(picture):
    """Where the edges of a PIL picture are: the centre across, 0 at the left and 1 at the right, and the share of them at the border."""
    grey = np.asarray(picture.convert("L"), float)
    steep = np.abs(np.diff(grey, axis=0))[:, 1:] + np.abs(np.diff(grey, axis=1))[1:]
    down, across = (np.linspace(0, 1, size) for size in steep.shape)
    border = np.minimum(np.minimum(down, 1 - down)[:, None], np.minimum(across, 1 - across)) < FRAME
    weights = steep / max(steep.sum(), 1e-9)
    return float((weights * across).sum()), float(weights[border].sum())


def measure(pictures, true, asked):
    """The numbers of one set of pictures (B, 3, H, W), beside true ones of the same scenes: of each picture, and of the set."""
    pil, ruler = [to_pil(picture) for picture in pictures], judge.shipped()
    ours, theirs = (judge.opinion(ruler, quarters(part))["features"] for part in (pictures, true))
    return {
        "object": [int(right) for right in judge.recognise(pil, asked)["object"]],
        "sharpness": metrics.sharpness(pil).tolist(), "fine": [fine(picture) for picture in pictures],
        "smears": [smears(picture) for picture in pil],
        "spectrum": spectrum(pictures), "fine error": fine_error(pictures, true), "frechet of quarters": frechet_distance(ours, theirs),
    }  # fmt: skip


def measure_told(pictures):
    """The numbers of pictures of which the base was told something, each a list."""
    pil = [to_pil(picture) for picture in pictures]
    centre, border = zip(*map(place, pil), strict=True)
    return {"sharpness": metrics.sharpness(pil).tolist(), "centre": list(centre), "border": list(border)}


def walk(base, texts):
    """What the base draws alone: its latents after each of the steps, (steps, B, 4, h, w), and its pictures."""
    seen = []

    def listen(_pipe, _step, _timestep, values):
        seen.append(values["latents"].cpu().clone())
        return values

    pictures = sample(base, texts, STEPS, GUIDANCE, callback_on_step_end=listen)
    return torch.stack([torch.cat(seen[step::STEPS]) for step in range(STEPS)]), pictures


def taken(base, handover):
    """How many of the steps are the base's."""
    base.scheduler.set_timesteps(STEPS)
    every = base.scheduler.config.num_train_timesteps
    return int((base.scheduler.timesteps >= round(every * (1 - handover))).sum())


def finish(base, refiner, texts, latents, handover, **told):
    """The pictures that the refiner makes of what the base began; the same as with `denoising_end`, as long as a step remembers nothing."""
    begun = latents[taken(base, handover) - 1].to(base.device)
    return sample(refiner, texts, STEPS, GUIDANCE, image=list(begun), denoising_start=handover, **told)


@torch.no_grad()
def errors(base, refiner, pictures, texts, timestep):
    """The error of each expert's v on true pictures at one timestep, a list for each."""
    side, device = sdlab.native_side(base), base.device
    latents = torch.cat([base.vae.encode(one[None].to(device)).latent_dist.mean for one in pictures]) * base.vae.config.scaling_factor
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(timestep)).to(device)
    t = torch.full((1,), timestep, device=device)
    experts = {  # with the numbers that each is told
        "base": (DenoiserXL(base.unet, base.text_encoder_2, base.text_encoder), [side, side, 0, 0, side, side]),
        "refiner": (DenoiserXL(refiner.unet, base.text_encoder_2), [side, side, 0, 0, GOOD]),
    }
    found = {name: [] for name in experts}
    for x0, eps, text in zip(latents.split(1), noise.split(1), texts, strict=True):
        noisy, v = base.scheduler.add_noise(x0, eps, t), base.scheduler.get_velocity(x0, eps, t)
        for name, (expert, told) in experts.items():
            numbers = torch.tensor([told], dtype=torch.float32, device=device)
            found[name].append(expert(noisy, t, tokenize(base.tokenizer, [text], device), numbers, v).item())
    return found


def settings(base, refiner, pictures, told):
    """What the numbers depend on."""
    return {
        "models": [fingerprint(base), fingerprint(refiner)], "autoencoder": fingerprint_of(base.vae),
        "judge": digest(judge.FOLDER / judge.WEIGHTS), "side": sdlab.native_side(base), "steps": STEPS, "guidance": GUIDANCE,
        "told steps": TOLD_STEPS, "pictures": pictures, "told": told,
    }  # fmt: skip


def fingerprint_of(part):
    """A number that tells two parts of a pipeline apart, from their weights."""
    return round(sum(weight.double().abs().sum().item() for weight in part.parameters()), 3)


def plan(base, refiner, pictures, told):
    """`{setting: function that measures it}`; what several need is drawn when the first asks."""
    side = sdlab.native_side(base)
    asked, scenes = invent(pictures)
    quiet, quiet_scenes = invent(told, QUIET)
    texts, quiet_texts = ([one.prompt for one in some] for some in (asked, quiet))
    true, drawn = true_pictures(frame(scenes, side), side), []

    def alone():
        if not drawn:
            drawn.extend(walk(base, texts))
        return drawn

    def tell(original, top=0, left=0):
        size, corner = (round(original * side),) * 2, (round(top * side), round(left * side))
        return sample(base, quiet_texts, TOLD_STEPS, GUIDANCE, original_size=size, crops_coords_top_left=corner)

    def compare(*told_of):
        pictures = true_pictures(frame(quiet_scenes, side, *told_of), side)
        return {**measure_told(tell(*told_of)), "true": measure_told(pictures)}

    tasks = {f"noise {t}": partial(errors, base, refiner, true[:told], texts[:told], t) for t in NOISES}
    tasks["true pictures"] = lambda: measure(true_pictures(frame(scenes, side), side, seed=2), true, asked)
    tasks["base alone"] = lambda: measure(alone()[1], true, asked)

    def refine(handover, **told):
        return measure(finish(base, refiner, texts, alone()[0], handover, **told), true, asked)

    for handover in HANDOVERS:
        tasks[f"handed over at {handover}"] = partial(refine, handover)
    for score, negative in SCORES:
        told_of = {"aesthetic_score": score, "negative_aesthetic_score": negative}
        tasks[f"scores {score:g} and {negative:g}"] = partial(refine, 1 - SHARE, **told_of)
    for original in ORIGINALS:
        tasks[f"original of {original}"] = partial(compare, original)
    for left in CORNERS:
        tasks[f"corner at {left}"] = partial(compare, CROPPED, TOP, left)
    return tasks


def main(
    pictures: Annotated[int, typer.Option(help="how many prompts for the hand-overs")] = 40,
    told: Annotated[int, typer.Option(help="how many prompts for what the base is told")] = 48,
    file: Annotated[Path, typer.Option(help="where the numbers go")] = FILE,
):
    """Draw, measure and write; what the file has of the same models is not drawn again."""
    base = sdlab.load("pocket-xl")
    refiner = sdlab.load("pocket-xl-refiner", base=base)
    current = json.loads(json.dumps(settings(base, refiner, pictures, told)))
    results = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    if results.get("settings") != current:
        results = {"settings": current}
    tasks = plan(base, refiner, pictures, told)
    for name, find in tasks.items():
        if name not in results:
            results[name] = find()
            write_lines(file, {"settings": current} | {done: results[done] for done in tasks if done in results})
            print(name, flush=True)


if __name__ == "__main__":
    typer.run(main)

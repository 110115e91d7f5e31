"""How the model behaves when one knob is turned: what the lessons say of it, measured. `python -m pocket.reports.behaviour`.

Guidance, steps and samplers, negative prompts, and image-to-image strength, each over at least 64 pictures a setting, from the same
noises at every setting. Adds the numbers to the evaluation's JSON, under "behaviour".
"""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from diffusers import StableDiffusionImg2ImgPipeline
from scipy.ndimage import laplace

from pocket.reports.base import add, load_pipeline, load_results, ruler
from pocket.ruler import judge as judging
from pocket.ruler import prompts
from pocket.ruler.pictures import draw_shown, sample
from pocket.stages.config import CONFIGS
from pocket.world.words import STYLES
from sdlab.pipes import samplers

SCALES = (1, 2, 3, 5, 7, 10, 15)
STEPS = (1, 2, 3, 5, 8, 12, 18, 25, 50, 75)
SAMPLERS = ("DPM++ 2M", "DDIM", "PNDM")
STRENGTHS = (0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95)
POOR = "blurry, low quality, pixelated"


def saturation(pictures):
    """The mean saturation, largest less smallest channel over largest (as in HSV), of pictures in −1…1, (B, 3, H, W)."""
    high, low = (pictures.clamp(-1, 1) + 1).aminmax(dim=1)[::-1]
    return ((high - low) / high.clamp(min=1e-6)).mean().item()


def clipping(pictures):
    """The share of channel values that are as dark or as bright as a byte can be."""
    values = pictures.add(1).mul(127.5)
    return ((values < 0.5) | (values > 254.5)).float().mean().item()


def sharpness(pictures):
    """The mean deviation of the Laplacian of the grey values, in shares of white: the sharper the edges, the larger."""
    grey = pictures.add(1).div(2).mean(1).numpy()
    return float(sum(laplace(picture).std() for picture in grey) / len(grey))


def share_right(judge, found, scenes):
    """The shares of pictures with the right object, and with object, style and background all right."""
    hits = judging.hits(judge, found, scenes)
    together = hits["object"] * hits["style"] * hits["background"]
    return {"object": hits["object"].mean().item(), "all": together.mean().item()}


def turn_guidance(pipe, judge, config, texts, scenes):
    """Per scale: accuracy, variety (mean distance in the judge's features between two noises of one prompt), saturation, clipping."""
    table = []
    for scale in SCALES:
        pictures = sample(pipe, texts * 2, guidance=float(scale))
        found = judging.opinion(judge, pictures)
        one, two = found["features"].chunk(2)
        variety = (one - two).norm(dim=1).mean().item()
        table.append({
            "guidance": scale, **share_right(judge, found, scenes * 2), "variety": variety, "saturation": saturation(pictures),
            "clipped": clipping(pictures),
        })  # fmt: skip
    real = draw_shown(config, scenes * 2, 1)
    one, two = judging.opinion(judge, real)["features"].chunk(2)
    true = {"variety": (one - two).norm(dim=1).mean().item(), "saturation": saturation(real), "clipped": clipping(real)}
    return {"table": table, "true pictures": true}


def turn_steps(pipe, judge, texts, scenes, guidance):
    """Per sampler and number of steps: accuracy, and the mean squared distance to the picture of the most steps."""
    stock, table = pipe.scheduler, []
    for name in SAMPLERS:
        pipe.scheduler, rows = samplers.make(name, stock.config), []
        for steps in STEPS:
            pictures = sample(pipe, texts, steps, guidance)
            rows.append((steps, pictures, share_right(judge, judging.opinion(judge, pictures), scenes)))
        last = rows[-1][1]
        table += [{"sampler": name, "steps": steps, **share, "to the last": (x - last).square().mean().item()} for steps, x, share in rows]
    pipe.scheduler = stock
    return table


def say_no(pipe, judge, config, texts, scenes, guidance):
    """Sharpness with and without a prompt against poor quality; the share judged cartoon with and without "cartoon" as negative prompt,
    for prompts that leave the style open.
    """
    against = {}
    for negative in ("", POOR):
        pictures = sample(pipe, texts, guidance=guidance, negative_prompt=[negative] * len(texts))
        against[negative or "nothing"] = {"sharpness": sharpness(pictures), **share_right(judge, judging.opinion(judge, pictures), scenes)}
    against["true pictures"] = {"sharpness": sharpness(draw_shown(config, scenes, 1))}
    styleless, cartoon = [text.rsplit(", ", 1)[0] for text in texts], {}
    for negative in ("", "cartoon"):
        pictures = sample(pipe, styleless, guidance=guidance, negative_prompt=[negative] * len(texts))
        found = judging.opinion(judge, pictures)
        cartoon[negative or "nothing"] = {
            "cartoon": (found["style"].argmax(1) == judge.classes["style"].index("cartoon")).float().mean().item(),
            "object": judging.hits(judge, found, scenes)["object"].mean().item(),
        }
    return {"quality": against, "style": cartoon}


def change_pictures(pipe, judge, config, texts, scenes, guidance):
    """Per strength of image-to-image from a true picture in another style: root mean square distance to the source in shares of white,
    and the shares with the object, with the style asked for, and with the style of the source.
    """
    styles, table = list(STYLES), []
    sources = [replace(s, style=styles[(styles.index(s.style) + 3) % len(styles)]) for s in scenes]
    pictures = draw_shown(config, sources, 1)
    again = StableDiffusionImg2ImgPipeline(**pipe.components, requires_safety_checker=False)
    for strength in STRENGTHS:
        made = sample(again, texts, 40, guidance, image=list(pictures.add(1).div(2)), strength=strength)
        found = judging.opinion(judge, made)
        asked, old = judging.hits(judge, found, scenes), judging.hits(judge, found, sources)
        table.append({
            "strength": strength, "distance": (made - pictures).square().mean().sqrt().item() / 2,
            **{key: share.mean().item() for key, share in
               (("object", asked["object"]), ("style", asked["style"]), ("style of the source", old["style"]))},
        })  # fmt: skip
    return table


def main(
    config: Annotated[str, typer.Option(help="which configuration the model was trained with")] = "cpu",
    folder: Annotated[Path, typer.Option(help="where the evaluation is")] = Path("build/pocket"),
    model: Annotated[Path | None, typer.Option(help="the pipeline; default: the diffusion stage's, or the shipped one")] = None,
    count: Annotated[int, typer.Option(help="number of prompts")] = 64,
):
    """Turn every knob, and write what came of it into the evaluation."""
    config, folder = CONFIGS[config], folder / config
    path, results = load_results(config, folder)
    pipe, judge = load_pipeline(folder, model), ruler(config, folder)
    texts, scenes = map(list, zip(*prompts.one_thing(config.mix, count), strict=True))
    asked, guidance = (pipe, judge, config, texts, scenes), results["guidance"]
    found = {"prompts": count}
    for name, turn in (
        ("guidance", partial(turn_guidance, *asked)),
        ("steps", partial(turn_steps, pipe, judge, texts, scenes, guidance)),
        ("negative", partial(say_no, *asked, guidance)),
        ("image to image", partial(change_pictures, *asked, guidance)),
    ):
        found[name] = turn()
        print(name, json.dumps(found[name]), flush=True)
    add(path, "behaviour", found)


if __name__ == "__main__":
    typer.run(main)

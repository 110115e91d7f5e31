"""Measure the ControlNet: does it keep to the sketch, and to the prompt? `python -m pocket.reports.scribble`.

Fixed prompts with the lines of true pictures of them, as they are and scribbled; once with the things where the base puts them, once
anywhere. Agreement is the F1 of `pocket.ruler.agreement`; chance is the agreement with the sketch of another prompt. Writes
`scribble.json`, and a sheet of stick drawings.
"""

import textwrap
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from diffusers import ControlNetModel, StableDiffusionControlNetPipeline, StableDiffusionPipeline

import sdlab
from pocket.reports.base import name_judge, ruler
from pocket.reports.results import write_results
from pocket.ruler import judge as judging
from pocket.ruler import prompts
from pocket.ruler.agreement import agreement
from pocket.ruler.pictures import draw_shown, sample, to_pil
from pocket.stages.config import CONFIGS
from pocket.stages.controlnet import as_hint, outline_things, place
from pocket.world.scene import draw_apart
from pocket.world.scribble import scribble
from pocket.world.sketches import ASKED, stick_drawing
from sdlab.assets import ASSETS
from sdlab.system.device import pick

STEPS, GUIDANCE = 25, 4.0


def load_pipeline(config, folder, model=None):
    """The stock pipeline of the shipped model with the ControlNet in `model`, else the one trained in `folder`, else the shipped one."""
    trained = folder / "controlnet" / "model"
    controlnet = ControlNetModel.from_pretrained(model or (trained if trained.exists() else ASSETS / "pocket-scribble"))
    base = StableDiffusionPipeline.from_pretrained(ASSETS / "pocket", dtype=torch.float32)
    return StableDiffusionControlNetPipeline(**base.components, controlnet=controlnet, requires_safety_checker=False).to(pick())


def draw_scribbles(scenes, side, seed):
    """Scribbles of the things in true pictures of scenes, the same pictures as in `outline_things`: uint8 (B, 1, side, side)."""
    rng, hand = np.random.default_rng(seed), np.random.default_rng(seed)
    return torch.from_numpy(np.stack([scribble(draw_apart(scene, rng, side)[1], hand) for scene in scenes]))[:, None]


def sheet(pipe, side):
    """Stick drawings, and under each what the model makes of it without and with the control."""
    texts = [text for _, text in ASKED]
    titles = [textwrap.fill(text, 20) for text in texts]
    rows = sketches = [stick_drawing(name, side) for name, _ in ASKED]
    for strength in (0.0, 1.0):
        made = sample(pipe, texts, STEPS, GUIDANCE, image=sketches, controlnet_conditioning_scale=strength)
        rows = rows + [to_pil(picture) for picture in made]
    return sdlab.grid(rows, titles + ["without the sketch"] * len(texts) + ["with it"] * len(texts), columns=len(texts))


def measure(pipe, judge, config, texts, scenes):
    """Draw the texts without a sketch, from lines and from scribbles; yield `(what it was drawn from, its numbers)`, true pictures last."""
    lines = outline_things(scenes, config.shown, 1)
    hints = {"no sketch": torch.zeros_like(lines), "lines": lines, "scribbles": draw_scribbles(scenes, config.shown, 1)}
    for kind in (*hints, "true pictures"):
        if kind in hints:
            told = {"image": list(as_hint(hints[kind])), "controlnet_conditioning_scale": 0.0 if kind == "no sketch" else 1.0}
            pictures = sample(pipe, texts, STEPS, GUIDANCE, **told)
        else:
            pictures = draw_shown(config, scenes, 1)
        yield kind, {
            "agreement": agreement(pictures, lines), "chance": agreement(pictures, lines.roll(1, 0)),
            **judging.accuracy(judge, judging.opinion(judge, pictures), scenes),
        }  # fmt: skip


def main(
    config: Annotated[str, typer.Option(help="which configuration it was trained with")] = "cpu",
    folder: Annotated[Path, typer.Option(help="where the stages left their results")] = Path("build/pocket"),
    model: Annotated[Path | None, typer.Option(help="the ControlNet; default: the stage's, or the shipped one")] = None,
    count: Annotated[int, typer.Option(help="number of prompts")] = 128,
):
    """Score the ControlNet and write the numbers and the sheet."""
    config, folder = CONFIGS[config], folder / config
    folder.mkdir(parents=True, exist_ok=True)
    pipe, judge = load_pipeline(config, folder, model), ruler(config, folder)
    texts, scenes = map(list, zip(*prompts.one_thing(config.mix, count), strict=True))
    table = []
    for where, there in (("in the middle", scenes), ("anywhere", [place(scene) for scene in scenes])):
        for kind, row in measure(pipe, judge, config, texts, there):
            table.append({"things": where, "drawn from": kind, **row})
            print(table[-1], flush=True)
    results = {
        "judge": name_judge(config, folder), "prompts": count, "steps": STEPS, "guidance": GUIDANCE, "table": table,
        "parameters": sum(p.numel() for p in pipe.controlnet.parameters()),
    }  # fmt: skip
    write_results(folder / "scribble.json", results)
    sheet(pipe, config.shown).savefig(folder / "scribble.png", dpi=110)


if __name__ == "__main__":
    typer.run(main)

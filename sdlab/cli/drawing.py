"""Commands that draw: from a prompt, over a picture, into a mask, along a sketch."""

from pathlib import Path
from typing import Annotated

import typer

from sdlab.cli import app
from sdlab.cli.options import (
    AsJson,
    Fit,
    Guidance,
    Height,
    Images,
    Memory,
    Model,
    Negative,
    Prompt,
    Sampler,
    Seed,
    Steps,
    To,
    Width,
)
from sdlab.cli.telling import tell_drawn, told


@app.command()
def generate(
    prompt: Prompt, negative_prompt: Negative = "", steps: Steps = None, guidance: Guidance = None, seed: Seed = 0, images: Images = 1,
    width: Width = None, height: Height = None, sampler: Sampler = None, model: Model = None,
    refiner: Annotated[str | None, typer.Option(help="the model that finishes what an XL began")] = None,
    handover: Annotated[float | None, typer.Option(help="with a refiner: the share of the noise that the base removes")] = None,
    hosted: Annotated[bool, typer.Option("--hosted", help="let the hosted service draw; wants a token, see HF_TOKEN")] = False,
    memory: Memory = "auto", to: To = Path("outputs"), as_json: AsJson = False,
):  # fmt: skip
    """Draw pictures of a prompt.

    \b
    sdlab generate "a lion on the beach, cartoon" --seed 3 --images 4
    sdlab generate "a castle at sunset" --model pocket-xl --refiner pocket-xl-refiner --to castle.png
    """
    asked = {"steps": steps, "guidance": guidance, "width": width, "height": height, "sampler": sampler, "handover": handover}
    asked |= {"negative_prompt": negative_prompt, "seed": seed, "images": images}
    if hosted:
        _draw_hosted(prompt, asked, model, to, as_json)
    else:
        _draw(prompt, asked, model, memory, to, as_json, refiner)


@app.command()
def img2img(
    prompt: Prompt,
    image: Annotated[Path, typer.Argument(help="the picture to paint over")],
    strength: Annotated[float | None, typer.Option(help="how much is drawn anew, 0 to 1; default 0.6")] = None,
    fit: Fit = "crop", negative_prompt: Negative = "", steps: Steps = None, guidance: Guidance = None, seed: Seed = 0,
    images: Images = 1, width: Width = None, height: Height = None, sampler: Sampler = None, model: Model = None,
    memory: Memory = "auto", to: To = Path("outputs"), as_json: AsJson = False,
):  # fmt: skip
    """Paint over a picture.

    \b
    sdlab img2img "a lion on the beach, watercolor" photo.jpg --strength 0.6
    """
    asked = {"image": image, "strength": strength, "fit": fit, "negative_prompt": negative_prompt, "steps": steps, "guidance": guidance}
    asked |= {"seed": seed, "images": images, "width": width, "height": height, "sampler": sampler}
    _draw(prompt, asked, model, memory, to, as_json)


@app.command()
def inpaint(
    prompt: Prompt,
    image: Annotated[Path, typer.Argument(help="the picture")],
    mask: Annotated[Path, typer.Argument(help="white where it is drawn anew, black where it stays")],
    strength: Annotated[float | None, typer.Option(help="how much is drawn anew inside, 0 to 1; default 1")] = None,
    fit: Fit = "crop", negative_prompt: Negative = "", steps: Steps = None, guidance: Guidance = None, seed: Seed = 0,
    images: Images = 1, width: Width = None, height: Height = None, sampler: Sampler = None, model: Model = None,
    memory: Memory = "auto", to: To = Path("outputs"), as_json: AsJson = False,
):  # fmt: skip
    """Draw a part of a picture anew.

    The rest stays as it is, pixel for pixel.

    \b
    sdlab inpaint "a sailboat on the beach" photo.jpg mask.png
    """
    asked = {"image": image, "mask": mask, "strength": strength, "fit": fit, "negative_prompt": negative_prompt, "steps": steps}
    asked |= {"guidance": guidance, "seed": seed, "images": images, "width": width, "height": height, "sampler": sampler}
    _draw(prompt, asked, model, memory, to, as_json)


@app.command()
def sketch(
    prompt: Prompt,
    drawing: Annotated[Path, typer.Argument(help="white lines on black, or the name of a drawing that ships: cat, fish or house")],
    scale: Annotated[float | None, typer.Option(help="how closely it is followed, 0 to 2; default 1")] = None,
    start: Annotated[float | None, typer.Option(help="from which share of the steps on; default 0")] = None,
    end: Annotated[float | None, typer.Option(help="up to which share of the steps; default 1")] = None,
    fit: Fit = "crop", negative_prompt: Negative = "", steps: Steps = None, guidance: Guidance = None, seed: Seed = 0,
    images: Images = 1, width: Width = None, height: Height = None, sampler: Sampler = None, model: Model = "pocket-scribble",
    memory: Memory = "auto", to: To = Path("outputs"), as_json: AsJson = False,
):  # fmt: skip
    """Draw a picture along the lines of a sketch.

    \b
    sdlab sketch "a castle, watercolor" sketch.png --end 0.6
    sdlab sketch "a house in the snow, cartoon" house
    """
    from sdlab.display.widgets.beginning import DRAWINGS

    if not drawing.exists():
        drawing = DRAWINGS.get(str(drawing), drawing)
    asked = {"sketch": drawing, "sketch_scale": scale, "sketch_start": start, "sketch_end": end, "fit": fit, "steps": steps}
    asked |= {"negative_prompt": negative_prompt, "guidance": guidance, "seed": seed, "images": images, "width": width}
    _draw(prompt, asked | {"height": height, "sampler": sampler}, model, memory, to, as_json)


def _check_order(prompt, asked):
    """Tell those who gave the picture first, as other programs want it."""
    picture = asked.get("image") or asked.get("sketch")
    if picture is not None and not picture.exists() and Path(prompt).exists():
        raise ValueError(f"the prompt comes first, and then the picture: {str(picture)!r} {prompt}")


def _draw(prompt, asked, model, memory, to, as_json, refiner=None):
    from sdlab.gallery.saving import check_place, save
    from sdlab.pipes import loading
    from sdlab.pipes.generation import generate as make
    from sdlab.pipes.recipe import Recipe

    with told("Nothing was saved."):
        _check_order(prompt, asked)
        recipe = Recipe(prompt, **asked)  # refused before anything is loaded
        check_place(to)
        base = loading.load(model, memory=memory)
        pair = (base, loading.load(refiner, base=base, memory=memory)) if refiner else base
        run = make(pair, recipe, progress=not as_json)
        tell_drawn(run, save(run, to=to), as_json)


def _draw_hosted(prompt, asked, model, to, as_json):
    from sdlab.gallery.saving import check_place, save
    from sdlab.pipes.hosted import MODEL, generate_hosted
    from sdlab.pipes.recipe import Recipe

    with told("Nothing was saved."):
        check_place(to)
        run = generate_hosted(Recipe(prompt, **asked), model=model or MODEL)
        tell_drawn(run, save(run, to=to), as_json)

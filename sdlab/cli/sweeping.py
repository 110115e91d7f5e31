"""A sweep from the command line, also by several processes that `accelerate launch` starts."""

from typing import Annotated

import typer

from sdlab.cli import app
from sdlab.cli.telling import told


@app.command()
def sweep(
    prompt: Annotated[list[str], typer.Option(help="what to draw; give it several times for several prompts")],
    negative_prompt: Annotated[list[str] | None, typer.Option(help="what to steer away from; several times for several")] = None,
    guidance: Annotated[str | None, typer.Option(help="values, such as 2,5,7.5")] = None,
    steps: Annotated[str | None, typer.Option(help="values, such as 10,20,50")] = None,
    seed: Annotated[str | None, typer.Option(help="values, such as 1,2,3")] = None,
    sampler: Annotated[str | None, typer.Option(help="names, such as 'DDIM,Euler a'")] = None,
    width: Annotated[str | None, typer.Option(help="values in pixels")] = None,
    height: Annotated[str | None, typer.Option(help="values in pixels")] = None,
    handover: Annotated[str | None, typer.Option(help="with a refiner: values between 0 and 1")] = None,
    model: Annotated[str | None, typer.Option(help="name, folder or Hub id; default: SDLAB_MODEL, else pocket")] = None,
    refiner: Annotated[str | None, typer.Option(help="the model that finishes what an XL began")] = None,
    folder: Annotated[str, typer.Option(help="the gallery: pictures found here are not made again")] = "outputs/sweeps",
    batch: Annotated[int | None, typer.Option(help="pictures at most that are drawn together")] = None,
):
    """Draw every combination of some values.

    Each picture is kept with its recipe. Run it again after an interruption, and it goes on. `accelerate launch --multi_gpu
    --num_processes 2 -m sdlab sweep …` shares the pictures between two processes, on two GPUs or on a CPU.

    \b
    sdlab sweep --prompt "a lion on the beach, cartoon" --guidance 2,5,7.5 --seed 1,2,3
    """
    whole, real, name = (int, "whole numbers"), (float, "numbers"), (str.strip, "names")
    asked = {
        "guidance": (guidance, real), "steps": (steps, whole), "seed": (seed, whole), "sampler": (sampler, name),
        "width": (width, whole), "height": (height, whole), "handover": (handover, real),
    }  # fmt: skip
    knobs = {"prompt": prompt, "negative_prompt": negative_prompt}
    knobs |= {knob: _split(knob, text, *kind) for knob, (text, kind) in asked.items() if text is not None}
    _draw({knob: values for knob, values in knobs.items() if values}, model, refiner, folder, batch)


def _draw(knobs, model, refiner, folder, batch):
    from sdlab.pipes.loading import load
    from sdlab.study.sharing import draw_shared, join_processes
    from sdlab.study.sweep import sweep

    state, device = join_processes()
    with told("What is finished is kept; the same command goes on."):
        base = load(model, device)
        pair = (base, load(refiner, device, base=base)) if refiner else base
        runs = sweep(pair, knobs["prompt"][0], gallery=folder, batch=batch, **knobs)
        drawn = draw_shared(runs, state)
    who = f"process {state.process_index + 1} of {state.num_processes} " if state.num_processes > 1 else ""
    typer.echo(f"{who}made {drawn} of {runs.pictures} pictures in {folder}")
    state.destroy_process_group()


def _split(knob, text, kind, called):
    """The values in a text, with commas between them."""
    try:
        return [kind(part) for part in text.split(",")]
    except ValueError as error:
        raise typer.BadParameter(f"{knob} is {text!r}: give {called} with commas between them, such as 1,2,3") from error

"""A menu loop: one picture after the other, until you stop."""

from pathlib import Path
from typing import Annotated

import typer

from sdlab.cli import app
from sdlab.cli.options import Memory, Model, Seed, To
from sdlab.cli.telling import told

MENU = "1 another picture of it, 0 stop, or a new prompt"


@app.command()
def chat(
    model: Model = None,
    hosted: Annotated[bool, typer.Option("--hosted", help="let the hosted service draw; wants a token, see HF_TOKEN")] = False,
    seed: Seed = 0,
    memory: Memory = "auto",
    to: To = Path("outputs"),
):
    """Ask for a prompt, draw it, and ask again. What goes wrong is told, and you are asked again.

    \b
    sdlab chat
    sdlab chat --hosted
    """
    from sdlab.gallery.saving import save
    from sdlab.pipes.recipe import LARGEST_SEED

    with told():
        draw = _choose(model, hosted, memory)
    prompt, answer = None, _ask("prompt (0 stops)")
    while answer not in (None, "0"):
        if answer == "1" and prompt is not None:
            seed = (seed + 1) % LARGEST_SEED
        else:
            prompt = answer
        try:
            for file in save(draw(prompt, seed), to=to):
                typer.echo(file)
        except (TypeError, ValueError, OSError, MemoryError, RuntimeError) as error:
            typer.echo(f"Error: {error}", err=True)
        except KeyboardInterrupt:
            typer.echo("Stopped; this picture was not saved.", err=True)
        answer = _ask(MENU)


def _choose(model, hosted, memory):
    """The function that draws: `(prompt, seed)` → a Generation."""
    if hosted:
        from sdlab.pipes.hosted import MODEL, generate_hosted

        return lambda prompt, seed: generate_hosted(prompt, model=model or MODEL, seed=seed)
    from sdlab.pipes import loading
    from sdlab.pipes.generation import generate

    pipe = loading.load(model, memory=memory)
    return lambda prompt, seed: generate(pipe, prompt, seed=seed)


def _ask(question):
    """What the user types; None at the end of the input, and for Ctrl-C."""
    try:
        answer = ""
        while not answer:
            answer = input(f"{question}: ").strip()
        return answer
    except (EOFError, KeyboardInterrupt):
        typer.echo()
        return None

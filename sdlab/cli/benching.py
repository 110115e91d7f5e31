"""Measure this machine, and put it beside others."""

import io
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from sdlab.cli import app
from sdlab.cli.options import Model
from sdlab.cli.telling import told

KEPT = "What is measured is kept; the same command with this --out goes on."


@app.command()
def bench(
    files: Annotated[list[Path] | None, typer.Argument(help="with --compare: result files")] = None,
    compare: Annotated[bool, typer.Option("--compare", help="make one table of result files, beside published figures")] = False,
    model: Model = None,
    random_weights: Annotated[bool, typer.Option("--random-weights", help="sd15 or sdxl in full size, without a download")] = False,
    knobs: Annotated[str | None, typer.Option(help="names, such as 'bfloat16,batch 4'; default: all")] = None,
    repeats: Annotated[int, typer.Option(min=2, help="timed calls of each knob, in turn with the baseline's")] = 5,
    steps: Annotated[int | None, typer.Option(min=1, help="default: 25; of a large model on a CPU 1")] = None,
    device: Annotated[str | None, typer.Option(help="cuda, mps or cpu; default: the best there is")] = None,
    note: Annotated[str, typer.Option(help="what a reader of the file should know of the machine, such as 'on battery'")] = "",
    out: Annotated[Path | None, typer.Option(help="result file, .json; its drawing goes beside it")] = None,
):
    """Measure how fast a model draws here, and which settings pay.

    Every knob is timed in turn with a baseline, which is float16 with sliced attention on a GPU and float32 on a CPU. The file is whole
    after every knob; the same command goes on after an interruption.

    \b
    sdlab bench
    sdlab bench --model sd15 --random-weights --knobs "bfloat16,channels_last" --out mine.json
    sdlab bench --compare mine.json yours.json
    """
    with told(KEPT):
        if compare != bool(files):
            raise ValueError("--compare and result files go together, as in sdlab bench --compare mine.json yours.json")
        if compare:
            _compare(files)
        else:
            _measure(model, random_weights, knobs, repeats, steps, device, note, out)


def _compare(files):
    from sdlab.bench import results, table

    found = [results.read(file) for file in files]
    empty = next((file for file, result in zip(files, found, strict=True) if not result.entries), None)
    if empty:
        raise ValueError(f"{str(empty)!r} holds no measurement yet: run sdlab bench with this --out again")
    typer.echo(repr(table.compare_machines(found)))


def _measure(model, random_weights, knobs, repeats, steps, device, note, out):
    from sdlab.bench import running, showing
    from sdlab.system.files import check_writable, replace_file

    out = out or Path("outputs") / "benchmarks" / f"{datetime.now():%Y-%m-%d-%H%M%S}.json"
    if out.suffix != ".json":
        raise ValueError(f"--out is {str(out)!r}: it must end in .json")
    check_writable(out.parent)
    typer.echo(f"what is measured goes into {out}", err=True)
    names = [name.strip() for name in knobs.split(",")] if knobs else None
    for result, name in running.run(out, model, random_weights, names, repeats, steps, device, note):
        typer.echo(showing.tell(name, result.entries[name]))
    typer.echo(showing.tell_limit(result))
    for line in running.project(result):
        typer.echo(line)
    if len(result.entries) > 1:
        drawing = io.BytesIO()
        showing.show_ratios(result).savefig(drawing, format="png")
        replace_file(out.with_suffix(".png"), drawing.getvalue())
    typer.echo(out)

"""The command line that every stage shares."""

from pathlib import Path
from typing import Annotated

import typer

from pocket.stages.config import CONFIGS
from sdlab.training.settings import OtherSettings


def stage(train, minutes_field):
    """Run `train(config, folder, minutes, seed, start)` from the command line; minutes default to the configuration's."""

    def command(
        config: Annotated[str, typer.Option(help=f"which machine: {' or '.join(CONFIGS)}")] = "cpu",
        folder: Annotated[Path, typer.Option(help="where checkpoints, logs and models go")] = Path("build/pocket"),
        minutes: Annotated[float | None, typer.Option(help="how long to train in all; default: the configuration's")] = None,
        seed: Annotated[int, typer.Option(help="of the start, the data and the noise")] = 0,
        start: Annotated[Path | None, typer.Option(help="begin with this trained result instead of from nothing")] = None,
    ):
        if config not in CONFIGS:
            raise typer.BadParameter(f"config {config!r} is unknown: choose one of {', '.join(CONFIGS)}")
        chosen = CONFIGS[config]
        try:
            train(chosen, folder / config, getattr(chosen, minutes_field) if minutes is None else minutes, seed, start)
        except OtherSettings as error:
            raise typer.BadParameter(str(error)) from error

    typer.run(command)

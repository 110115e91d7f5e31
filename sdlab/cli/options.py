"""Options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

Prompt = Annotated[str, typer.Argument(help="what to draw")]
Negative = Annotated[str, typer.Option("--negative-prompt", help="what to steer away from")]
Steps = Annotated[int | None, typer.Option(help="denoising steps; default: what the model recommends")]
Guidance = Annotated[float | None, typer.Option(help="guidance scale; default: what the model recommends")]
Seed = Annotated[int, typer.Option(help="of the first picture's noise; further pictures take the next ones")]
Images = Annotated[int, typer.Option(help="how many pictures")]
Width = Annotated[int | None, typer.Option(help="in pixels, a multiple of 8; default: the model's own")]
Height = Annotated[int | None, typer.Option(help="in pixels, a multiple of 8; default: the model's own")]
Sampler = Annotated[str | None, typer.Option(help="a sampler's name, such as 'DPM++ 2M'; default: the model's own")]
Model = Annotated[str | None, typer.Option(help="name, folder, file or Hub id; default: SDLAB_MODEL, else pocket")]
Memory = Annotated[str, typer.Option(help="auto, full, half, tiling, offload, sequential or slicing")]
Fit = Annotated[str, typer.Option(help="how a picture gets the size that is drawn: crop, pad or stretch")]
To = Annotated[Path, typer.Option(help="a folder, or a file ending in .png, .jpg or .webp; nothing is overwritten")]
AsJson = Annotated[bool, typer.Option("--json", help="print one line of JSON, for scripts")]

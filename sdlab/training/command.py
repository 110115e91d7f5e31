"""Train a DDPM from the command line: `python -m sdlab.training.command --images FOLDER`.

The model, loss and sampler of notebook 10, on the course's drawings or on pictures of your own. It stops on time, resumes where it
stopped, and leaves `model.safetensors`, `model.json` and `samples.png`. `accelerate launch --multi_gpu --num_processes 2
-m sdlab.training.command …` runs it in two processes, on two GPUs or on a CPU.
"""

import hashlib
import json
from pathlib import Path
from typing import Annotated

import torch
import typer
from safetensors.torch import save_file

from sdlab.display.grids import tiles
from sdlab.scratch import ddpm, drawings, folder, sampling
from sdlab.scratch.muon import Muon, groups
from sdlab.scratch.unet import UNet
from sdlab.training.run import Run
from sdlab.training.settings import OtherSettings


class Loss(torch.nn.Module):
    """The network with its loss around it, which is what Accelerate spreads over processes."""

    def __init__(self, network, schedule, kind):
        super().__init__()
        self.network, self.schedule, self.kind = network, schedule, kind

    def forward(self, x0):
        """Pictures (B, 3, side, side) → the mean loss."""
        loss, _ = ddpm.losses(self.network, self.schedule, x0, self.kind)
        return loss.mean()


def source(images, side, batch):
    """The pictures to learn from.

    Args:
        images: a folder, or None for the course's drawings.
        side: pixels.
        batch: pictures at once.

    Returns:
        A function from a seed to endless batches, a word for which pictures they are, and what was left out: `[(path, reason)]`.
    """
    if images is None:
        drawings.originals(side)  # refuses a side that the drawings do not have
        return lambda seed: (x for x, _ in drawings.batches(batch, side, seed)), "the course's drawings", []
    pictures, skipped = folder.load(images, side)
    which = hashlib.sha256(pictures.numpy().tobytes()).hexdigest()[:12]
    return lambda seed: folder.batches(pictures, batch, seed), f"{len(pictures):,} pictures, {which}", skipped


def main(
    images: Annotated[Path | None, typer.Option(help="a folder of pictures; default: the course's drawings")] = None,
    out: Annotated[Path, typer.Option(help="where checkpoints and results go")] = Path("build/ddpm"),
    side: Annotated[int, typer.Option(help="pixels, a multiple of 4")] = 16,
    minutes: Annotated[float, typer.Option(help="how long to train in all, resumed parts included")] = 2.5,
    batch: Annotated[int, typer.Option(help="pictures a step and process")] = 64,
    lr: Annotated[float, typer.Option(help="the peak learning rate")] = 2e-3,
    levels: Annotated[int, typer.Option(help="T, how many noise levels")] = 512,
    target: Annotated[str, typer.Option(help="what is predicted: eps, x0 or v")] = "v",
    width: Annotated[int, typer.Option(help="channels at full size, a multiple of 8; three and four times as many below")] = 32,
    seed: Annotated[int, typer.Option(help="of the start, the data and the noise")] = 0,
):
    """Train, resuming from the last checkpoint in `out` if there is one, and draw 64 samples."""
    if side % 4:
        raise typer.BadParameter(f"side is {side}: it must be a multiple of 4, because the U-Net halves it twice")
    if width < 8 or width % 8:
        raise typer.BadParameter(f"width is {width}: it must be a multiple of 8, because channels are normalized in eight groups")
    if target not in ddpm.TARGETS:
        raise typer.BadParameter(f"target is {target!r}: choose one of {', '.join(ddpm.TARGETS)}")
    try:
        batches, which, skipped = source(images, side, batch)
    except (FileNotFoundError, ValueError) as error:
        raise typer.BadParameter(str(error)) from error
    run = Run(out.name, out.parent, minutes, lr, seed, precision="bf16" if torch.cuda.is_available() else "no")
    run.accelerator.print(f"learning from {which}")
    if images:
        run.report_skipped(skipped)
    torch.manual_seed(seed)
    sizes = {"channels": 3, "widths": (width, 3 * width, 4 * width)}
    described = {**sizes, "levels": levels, "target": target, "side": side}
    loss = Loss(UNet(**sizes), ddpm.cosine(levels), target).to(run.device, memory_format=torch.channels_last)
    try:
        model, optimizer, average = run.begin(loss, Muon(groups(loss), lr=lr), {**described, "batch": batch, "images": which})
    except OtherSettings as error:
        raise typer.BadParameter(str(error)) from error
    pictures = batches(run.own_seed)
    for _ in run.steps(optimizer, batch):
        run.update(model(next(pictures).to(run.device)))
    if run.accelerator.is_main_process:
        average.copy_to(loss.parameters())
        save_file({name: value.contiguous() for name, value in loss.network.state_dict().items()}, out / "model.safetensors")
        (out / "model.json").write_text(json.dumps(described) + "\n", encoding="utf-8")
        denoise = sampling.denoiser(loss.network.eval(), loss.schedule, target)
        noise = torch.randn(64, 3, side, side, generator=torch.Generator().manual_seed(seed)).to(run.device)
        drawn = sampling.last(sampling.ddim(denoise, loss.schedule, noise, sampling.space_levels(loss.schedule, 50), eta=1.0))
        tiles(drawn, columns=16).save(out / "samples.png")
        print(f"{run.samples:,} pictures in {run.spent:.1f} minutes; 64 samples in {out / 'samples.png'}")
    run.accelerator.end_training()


if __name__ == "__main__":
    typer.run(main)

"""DDPM in 40 lines, with `sdlab.scratch` alone: `python -m docs.ddpm_in_40_lines` trains, draws, and writes `drawings.png`."""

from itertools import islice

import torch
import typer
from PIL import Image

from sdlab.scratch import ddpm, drawings, judge, sampling
from sdlab.scratch.muon import Muon, groups
from sdlab.scratch.unet import UNet


def main(steps: int = 1200, into: str = "drawings.png"):
    """Train for so many steps on the sixty drawings, and write 64 new ones."""
    torch.manual_seed(0)
    schedule = ddpm.cosine(512)  # 512 noise levels
    network = UNet().to(memory_format=torch.channels_last)
    average = ddpm.Average(network, decay=0.998)  # of the weights; it draws better than they do
    optimizer = Muon(groups(network), lr=2e-3)
    fall = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1, 2 - 2 * step / steps))  # to 0, over the second half

    pictures = (x for x, _ in drawings.batches(64))  # (64, 3, 16, 16) each, in −1…1
    training = ddpm.train(network, pictures, schedule, optimizer, "v", average)
    for step, (losses, _) in enumerate(islice(training, steps), 1):
        fall.step()
        if step % 100 == 0:
            print(f"step {step:5d}: loss {losses.mean():.3f}", flush=True)

    denoise, noise = sampling.denoiser(average.model, schedule, "v"), torch.randn(64, 3, 16, 16)
    x = sampling.last(sampling.ddim(denoise, schedule, noise, sampling.space_levels(schedule, 50), eta=1.0))
    sheet = x.unflatten(0, (8, 8)).permute(0, 3, 1, 4, 2).reshape(128, 128, 3)  # (8, 8, 3, 16, 16) → rows of pictures
    Image.fromarray(((sheet + 1) * 127.5).round().byte().numpy()).resize((512, 512), Image.NEAREST).save(into)
    print(f"{judge.recognition(x):.0%} of 64 pictures are recognised; they are in {into}")


if __name__ == "__main__":
    typer.run(main)

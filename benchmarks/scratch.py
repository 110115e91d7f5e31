"""Our DDPM beside `denoising-diffusion-pytorch` and `smalldiffusion`: pictures a second in training, and seconds to a quality level.

Same data, about the same number of parameters, same optimizer, weight average and batch, one process, in turns, so that a busy machine
slows all alike. Each library brings its network, its loss and its sampler with 50 network evaluations. The two are not among the
course's packages:

    .venv/bin/pip install --no-deps denoising-diffusion-pytorch==2.3.4 smalldiffusion==0.5.0 einops ema-pytorch pytorch-fid
    .venv/bin/python -m benchmarks.scratch

Both import torchvision, for image folders that are not used here; where it is not installed, an empty shell takes its place.
"""

import importlib.util
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Annotated
from unittest.mock import MagicMock

import torch
import typer

from sdlab.scratch import ddpm, drawings, judge, sampling
from sdlab.scratch.muon import Muon, groups
from sdlab.scratch.unet import UNet
from sdlab.system.device import describe

os.environ.setdefault("TQDM_DISABLE", "1")  # the others' bars would run through the table
BATCH, LEVELS, SIDE = 64, 512, 16
TABLE = Path("docs/benchmark-scratch.md")


class Ours:
    """`sdlab`, as in notebook 10."""

    def __init__(self):
        self.schedule = ddpm.cosine(LEVELS)
        self.network = UNet().to(memory_format=torch.channels_last)

    def loss(self, x0):
        """The mean loss of a batch in −1…1."""
        return ddpm.losses(self.network, self.schedule, x0, "v")[0].mean()

    def sample(self, network, count):
        """`count` pictures in −1…1."""
        denoise, noise = sampling.denoiser(network, self.schedule, "v"), torch.randn(count, 3, SIDE, SIDE)
        return sampling.last(sampling.ddim(denoise, self.schedule, noise, sampling.space_levels(self.schedule, 50), eta=1.0))


class Lucidrains:
    """`denoising-diffusion-pytorch`."""

    def __init__(self):
        from denoising_diffusion_pytorch import GaussianDiffusion, Unet

        self.network = Unet(dim=22, dim_mults=(1, 2, 4))
        settings = {"timesteps": LEVELS, "sampling_timesteps": 50, "beta_schedule": "cosine", "ddim_sampling_eta": 1.0}
        self.wrapped = lambda network: GaussianDiffusion(network, image_size=SIDE, objective="pred_v", **settings)
        self.diffusion = self.wrapped(self.network)

    def loss(self, x0):
        """The mean loss of a batch in −1…1; the library wants 0…1."""
        return self.diffusion((x0 + 1) / 2)

    def sample(self, network, count):
        """`count` pictures in −1…1."""
        return self.wrapped(network).sample(batch_size=count) * 2 - 1


class Small:
    """`smalldiffusion`."""

    def __init__(self):
        from smalldiffusion import ScheduleCosine
        from smalldiffusion.model_unet import Unet

        self.schedule = ScheduleCosine(LEVELS)
        self.network = Unet(SIDE, 3, 3, ch=32, ch_mult=(1, 2, 2), num_res_blocks=1, attn_resolutions=(4,), dropout=0.0)

    def loss(self, x0):
        """The mean loss of a batch in −1…1."""
        from smalldiffusion import generate_train_sample

        x0, sigma, eps, _ = generate_train_sample(x0, self.schedule)
        return self.network.get_loss(x0, sigma, eps)

    def sample(self, network, count):
        """`count` pictures in −1…1, by the library's DDPM sampler."""
        from smalldiffusion import samples

        return sampling.last(samples(network, self.schedule.sample_sigmas(50), gam=1, mu=0.5, batchsize=count))


class Training:
    """A library in training: its optimizer, the running average of its weights, the seconds it has had."""

    def __init__(self, name, rival, optimizer):
        self.name, self.rival = name, rival
        self.average = ddpm.Average(rival.network, 0.998)
        self.optimizer = optimizer(rival.network)
        self.seconds, self.steps, self.speeds, self.reached, self.best = 0.0, 0, [], None, 0.0
        self.data = drawings.batches(BATCH, SIDE)

    def train(self, seconds):
        """Train for so long, and note the speed."""
        self.rival.network.train()
        start, steps = time.perf_counter(), 0
        while time.perf_counter() - start < seconds:
            loss = self.rival.loss(next(self.data)[0])
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.average.update(self.rival.network)
            steps += 1
        spent = time.perf_counter() - start
        self.seconds, self.steps = self.seconds + spent, self.steps + steps
        self.speeds.append(steps * BATCH / spent)

    @torch.no_grad()
    def look(self, level, count=96):
        """Draw, and note the second at which the share recognised first reaches `level`."""
        share = judge.recognition(self.rival.sample(self.average.model.eval(), count))
        self.best = max(self.best, share)
        if self.reached is None and share >= level:
            self.reached = self.seconds
        print(f"{self.name:46s}{self.seconds:6.0f} s  {share:4.0%} recognised", flush=True)


def adamw(network):
    """What all are trained with."""
    return torch.optim.AdamW(network.parameters(), lr=2e-3, betas=(0.9, 0.99))


def main(
    seconds: Annotated[float, typer.Option(help="training seconds each library gets at most")] = 240,
    turn: Annotated[float, typer.Option(help="seconds a turn")] = 20,
    level: Annotated[float, typer.Option(help="the share of samples recognised that counts as reached")] = 0.5,
):
    """Train all in turns, print as they go, and write the table to docs."""
    if importlib.util.find_spec("torchvision") is None:
        sys.modules |= {name: MagicMock() for name in ("torchvision", "torchvision.transforms")}
    torch.manual_seed(0)
    trainings = [
        Training("sdlab", Ours(), adamw),
        Training("denoising-diffusion-pytorch", Lucidrains(), adamw),
        Training("smalldiffusion", Small(), adamw),
        Training("sdlab with Muon, as in the notebooks", Ours(), lambda network: Muon(groups(network), lr=2e-3)),
    ]
    while any(t.seconds < seconds and t.reached is None for t in trainings):
        for training in trainings:
            if training.seconds < seconds and training.reached is None:
                training.train(turn)
                training.look(level)
    base = statistics.median(trainings[0].speeds)
    reached = {t.name: f"{t.reached:.0f} s" if t.reached else f"not in {t.seconds:.0f} s ({t.best:.0%})" for t in trainings}
    rows = [
        f"| {t.name} | {sum(p.numel() for p in t.rival.network.parameters()) / 1e6:.2f} M | {statistics.median(t.speeds):.0f} "
        f"| {statistics.median(t.speeds) / base:.2f} | {reached[t.name]} |"
        for t in trainings
    ]
    head = f"| library | parameters | pictures a second in training | against sdlab | {level:.0%} of the samples recognised after |"
    text = "\n".join([head, "|---|---|---|---|---|", *rows])
    TABLE.write_text(
        f"# From scratch, beside two libraries\n\n`python -m benchmarks.scratch`, on: {describe()}\n\n{text}\n", encoding="utf-8"
    )
    print(text)


if __name__ == "__main__":
    typer.run(main)

"""Our DDPM beside `denoising-diffusion-pytorch` and `smalldiffusion`: speed in training, quality after equal seconds, cost of a picture.

Each library is run as its own authors' example does: the README of denoising-diffusion-pytorch, `examples/fashion_mnist_unet.py` of
smalldiffusion, notebook 10 of this course. So each has its own network, noise levels, loss and sampler. Equal for all are the pictures,
the batch, the seconds, the average of the weights, channels-last memory, numbers of parameters within 5% of one another, a constant
learning rate as in the examples, and AdamW; ours has a second row with Muon, as in the notebooks. Three learning rates are tried for each.
All train in one process, in turns, so that a busy machine slows all alike. The two libraries are not among the course's packages:

    .venv/bin/pip install --no-deps denoising-diffusion-pytorch==2.3.4 smalldiffusion==0.5.0 einops ema-pytorch pytorch-fid
    .venv/bin/python -m benchmarks.scratch               # forty minutes on two cores
    .venv/bin/python -m benchmarks.scratch --seconds 8 --turn 4 --count 16 --into build/trial.md        # a trial

Both import torchvision, for image folders that are not used here; where it is not installed, an empty shell takes its place.
"""

import importlib.util
import io
import statistics
import sys
import time
from contextlib import redirect_stderr
from pathlib import Path
from typing import Annotated
from unittest.mock import MagicMock

import torch
import typer

from sdlab.display.intervals import share
from sdlab.scratch import ddpm, drawings, judge, sampling
from sdlab.scratch.muon import Muon, groups
from sdlab.scratch.unet import UNet
from sdlab.system.device import describe

BATCH, SIDE = 64, 16
RATES = (7e-4, 2e-3, 6e-3)  # of learning
WITHIN = 1.05  # the largest number of parameters, in those of the smallest network


class Ours:
    """`sdlab`, as in notebook 10, its network a sixth smaller."""

    evaluations = 50

    def __init__(self):
        self.schedule = ddpm.cosine(512)
        self.network = UNet(widths=(32, 88, 112))

    def loss(self, x0):
        """The mean loss of a batch in −1…1."""
        return ddpm.losses(self.network, self.schedule, x0, "v")[0].mean()

    def sample(self, network, count):
        """`count` pictures in −1…1."""
        denoise, noise = sampling.denoiser(network, self.schedule, "v"), torch.randn(count, 3, SIDE, SIDE)
        levels = sampling.space_levels(self.schedule, self.evaluations)
        return sampling.last(sampling.ddim(denoise, self.schedule, noise, levels, eta=1.0))


class Lucidrains:
    """`denoising-diffusion-pytorch`, as in its README, with three sizes of grid instead of four, for pictures an eighth as wide."""

    evaluations = 250

    def __init__(self):
        from denoising_diffusion_pytorch import GaussianDiffusion, Unet

        self.network = Unet(dim=20, dim_mults=(1, 2, 4), flash_attn=True)
        settings = {"image_size": SIDE, "timesteps": 1000, "sampling_timesteps": self.evaluations}
        self.wrapped = lambda network: GaussianDiffusion(network, **settings)
        self.diffusion = self.wrapped(self.network)

    def loss(self, x0):
        """The mean loss of a batch in −1…1; the library wants 0…1."""
        return self.diffusion((x0 + 1) / 2)

    def sample(self, network, count):
        """`count` pictures in −1…1."""
        return self.wrapped(network).sample(batch_size=count) * 2 - 1


class Small:
    """`smalldiffusion`, as in its example for Fashion-MNIST, half as wide."""

    evaluations = 20

    def __init__(self):
        from smalldiffusion import Scaled, ScheduleLogLinear, Unet

        self.schedule = ScheduleLogLinear(sigma_min=0.01, sigma_max=20, N=800)
        self.network = Scaled(Unet)(SIDE, 3, 3, ch=32, ch_mult=(1, 1, 2), attn_resolutions=(SIDE // 2,))

    def loss(self, x0):
        """The mean loss of a batch in −1…1."""
        from smalldiffusion import generate_train_sample

        x0, sigma, eps, _ = generate_train_sample(x0, self.schedule)
        return self.network.get_loss(x0, sigma, eps)

    def sample(self, network, count):
        """`count` pictures in −1…1, by the library's accelerated sampler."""
        from smalldiffusion import samples

        return sampling.last(samples(network, self.schedule.sample_sigmas(self.evaluations), gam=1.6, batchsize=count))


class Training:
    """A library in training at one learning rate: its optimizer, the average of its weights, the seconds it has had, what it drew."""

    def __init__(self, rival, optimizer, rate):
        torch.manual_seed(0)
        self.rival, self.rate = rival(), rate
        self.network = self.rival.network.to(memory_format=torch.channels_last)
        self.average = ddpm.Average(self.network, 0.998)
        self.optimizer = optimizer(self.network, rate)
        self.seconds, self.speeds, self.shares, self.costs = 0.0, [], [], []
        self.data = drawings.batches(BATCH, SIDE)

    def train(self, seconds):
        """Train for so long, and note the speed."""
        self.network.train()
        start, steps = time.perf_counter(), 0
        while time.perf_counter() - start < seconds:
            loss = self.rival.loss(next(self.data)[0])
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.average.update(self.network)
            steps += 1
        spent = time.perf_counter() - start
        self.seconds += spent
        self.speeds.append(steps * BATCH / spent)

    @torch.no_grad()
    def look(self, count):
        """Draw, and note which pictures are recognised, and what one costs in milliseconds."""
        torch.manual_seed(0)
        start = time.perf_counter()
        with redirect_stderr(io.StringIO()):  # the others' progress bars would run through the table
            x = self.rival.sample(self.average.model.eval(), count)
        self.costs.append(1000 * (time.perf_counter() - start) / count)
        self.shares.append(share(judge.recognise(x) < judge.DRAWINGS))


def adamw(network, rate):
    """What all are trained with."""
    return torch.optim.AdamW(network.parameters(), lr=rate)


def muon(network, rate):
    """What the notebooks train with."""
    return Muon(groups(network), lr=rate)


ROWS = {
    "sdlab": (Ours, adamw),
    "denoising-diffusion-pytorch": (Lucidrains, adamw),
    "smalldiffusion": (Small, adamw),
    "sdlab with Muon, as in the notebooks": (Ours, muon),
}


def check_sizes(sizes):
    """The comparison is of libraries and not of sizes: `{name: parameters}` must be within `WITHIN`."""
    if max(sizes.values()) > WITHIN * min(sizes.values()):
        raise ValueError(f"the networks have {sizes} parameters: they must be within {WITHIN - 1:.0%} of one another")


def write_table(trainings, into):
    """The table of all trainings, `{name: [one for each rate]}`, as Markdown; returns it."""
    base = statistics.median(speed for one in trainings["sdlab"] for speed in one.speeds)
    rates = ", ".join(f"{rate:g}" for rate in RATES)
    head = (
        "| library | parameters | pictures per second in training | in those of sdlab "
        f"| recognised after {trainings['sdlab'][0].seconds:.0f} s, at learning rates {rates} | evaluations per picture | ms per picture |"
    )
    lines = [head, "|---|---|---|---|---|---|---|"]
    for name, ones in trainings.items():
        speed = statistics.median(speed for one in ones for speed in one.speeds)
        best = max(ones, key=lambda one: one.shares[-1].value)
        shares = ", ".join(f"**{one.shares[-1]}**" if one is best else f"{one.shares[-1].value:.0%}" for one in ones)
        cost = statistics.median(cost for one in ones for cost in one.costs)
        size = sum(p.numel() for p in best.network.parameters()) / 1e6
        lines.append(f"| {name} | {size:.2f} M | {speed:.0f} | {speed / base:.2f} | {shares} | {best.rival.evaluations} | {cost:.1f} |")
    table = "\n".join(lines)
    about = f"`python -m benchmarks.scratch`, on: {describe('cpu')}"
    into.parent.mkdir(parents=True, exist_ok=True)
    into.write_text(f"# From scratch, beside two libraries\n\n{about}\n\n{table}\n", encoding="utf-8")
    return table


def main(
    seconds: Annotated[float, typer.Option(help="of training, for each library at each learning rate")] = 120,
    turn: Annotated[float, typer.Option(help="seconds in which one trains before the next does")] = 20,
    count: Annotated[int, typer.Option(help="pictures drawn at the middle and at the end")] = 128,
    into: Annotated[Path, typer.Option(help="the file of the table")] = Path("docs/benchmark-scratch.md"),
):
    """Train all in turns, print as they go, and write the table."""
    if importlib.util.find_spec("torchvision") is None:
        shells = ("torchvision", "torchvision.transforms", "torchvision.utils")
        sys.modules |= {name: MagicMock() for name in shells}
    trainings = {name: [Training(rival, optimizer, rate) for rate in RATES] for name, (rival, optimizer) in ROWS.items()}
    check_sizes({name: sum(p.numel() for p in ones[0].network.parameters()) for name, ones in trainings.items()})
    turns = max(1, round(seconds / turn))
    for number in range(1, turns + 1):
        for name, ones in trainings.items():
            for one in ones:
                one.train(seconds / turns)
                if number in (turns // 2, turns):
                    one.look(count)
                    print(f"{name:38s} rate {one.rate:<7g}{one.seconds:6.0f} s  {one.shares[-1]} recognised", flush=True)
    print(write_table(trainings, into))


if __name__ == "__main__":
    typer.run(main)

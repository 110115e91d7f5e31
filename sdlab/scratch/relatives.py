"""Two younger relatives of diffusion, on the same network: flow matching, which is trained on straight paths from data to noise, and
consistency distillation, which learns from a trained diffusion model where each of its paths ends.

Tensors are as in `sdlab.scratch.ddpm`: data `x0` (B, …) in −1…1. The time of flow matching runs from 0, data, to 1, noise.
"""

import json

import torch
from safetensors.torch import load_file

from sdlab.assets import ASSETS
from sdlab.scratch import ddpm
from sdlab.scratch.unet import UNet

SHIPPED = ASSETS / "rivals"
CLOCK = 1000  # what the network is told at time 1, for its time embedding was made for whole levels


def load_trained(name):
    """A network for the sixty drawings that came with the course, trained for some minutes by `python -m benchmarks.rivals`.

    Args:
        name: "diffusion", which predicts v on `ddpm.cosine(512)`, or "flow matching", a velocity for `velocity_of`.
    """
    network = UNet()
    network.load_state_dict({key: value.float() for key, value in load_file(SHIPPED / f"{name}.safetensors").items()})
    return network.to(memory_format=torch.channels_last).eval()


def load_race():
    """What `python -m benchmarks.rivals` measured: its minutes, its seeds, and a table with a row for each way of drawing.

    A row has its name, the parameters, the evaluations of the network per picture, and lists with one number for each seed: pictures seen
    in training, the share recognised, drawings found, Fréchet distance, milliseconds per picture. That of true pictures has less.
    """
    return json.loads((SHIPPED / "table.json").read_text(encoding="utf-8"))


def load_samples():
    """The first pictures that the first seed's networks drew in that race: for each row's name (16, 3, 16, 16) in −1…1."""
    return {name: pictures / 127.5 - 1 for name, pictures in load_file(SHIPPED / "samples.safetensors").items()}


def train_flow_matching(model, batches, optimizer, average=None):
    """Learn the velocity noise − data at random points of the straight paths between them (Liu et al. 2023, arXiv:2209.03003, eq. 1).

    Args:
        model: called as `model(xt, clock)`, with `clock` (B,) in 0…`CLOCK`.
        batches: yields x0.
        optimizer: over the model's parameters.
        average: a `ddpm.Average` to keep up to date, or None.

    Yields:
        Losses (B,) and clocks (B,) as whole numbers, as `ddpm.train` does.
    """
    for x0 in batches:
        t, eps = torch.rand(len(x0), device=x0.device), torch.randn_like(x0)
        share = t.reshape(-1, *[1] * (x0.ndim - 1))  # (B, 1, …)
        velocity = model((1 - share) * x0 + share * eps, CLOCK * t)
        losses = (velocity - (eps - x0)).square().flatten(1).mean(1)
        optimizer.zero_grad()
        losses.mean().backward()
        optimizer.step()
        if average:
            average.update(model)
        yield losses.detach(), (CLOCK * t).long().clamp(max=CLOCK - 1)


def follow(velocity, x, steps):
    """Follow a velocity field from noise to data in equal Euler steps; yields x after each.

    Args:
        velocity: `(x, t) → dx/dt`, with t a number in 0…1.
        x: noise, (B, …).
        steps: how many evaluations of the field.
    """
    for i in range(steps):
        x = x - velocity(x, 1 - i / steps) / steps
        yield x


def velocity_of(model):
    """The field of a model trained by `train_flow_matching`, for `follow`."""

    @torch.no_grad()
    def velocity(x, t):
        return model(x, torch.full(x.shape[:1], CLOCK * t, device=x.device))

    return velocity


def as_flow(schedule, x, level):
    """Where x_t (B, …) of a diffusion lies in the coordinates of flow matching, in which the shares of data and noise add up to 1.

    There x_t = sqrt(abar) x_0 + sqrt(1 - abar) eps is at the time t = sqrt(1 - abar) / (sqrt(abar) + sqrt(1 - abar)) of the straight path
    from x_0 to eps. Paths can be compared only in the same coordinates.

    Args:
        schedule: a `ddpm.Schedule`.
        x: noisy data.
        level: a whole number, or None for clean data, which stays as it is.
    """
    if level is None:
        return x
    abar = schedule.abar[level].item()
    return x / (abar**0.5 + (1 - abar) ** 0.5)


def bend(path):
    """How long each path is, in lengths of the straight line between its ends: 1 is straight. `path` is a list of (B, …); gives (B,)."""
    path = torch.stack(list(path)).flatten(2)  # (steps, B, D)
    lengths = path.diff(dim=0).norm(dim=2).sum(0)
    return lengths / (path[-1] - path[0]).norm(dim=1)


def distil(student, average, teacher, schedule, levels, batches, optimizer, kind="v"):
    """Consistency distillation (Song et al. 2023, arXiv:2303.01469, algorithm 2): at neighbours on one path of the teacher, the student
    must predict the same end.

    From a noisy picture the teacher takes one DDIM step without fresh noise. What the student's own average predicts after that step is
    what the student has to predict before it. After the last level's step nothing is left to predict, and the teacher's answer is taken.

    Args:
        student: begins as a copy of the teacher's network; predicts a target of `kind`.
        average: a `ddpm.Average` of the student with a short memory, such as decay 0.95.
        teacher: a denoiser, `(xt, t) → x0`, of `sdlab.scratch.sampling.denoiser`.
        schedule: of both.
        levels: falling whole numbers, where the path is cut into steps.
        batches: yields x0.
        optimizer: over the student's parameters.
        kind: what the student predicts, see `ddpm.target`.

    Yields:
        Losses (B,) and levels (B,) of the batch.
    """
    ends = torch.tensor([*levels, 0])  # of the steps
    for x0 in batches:
        place = torch.randint(len(levels), x0.shape[:1])  # which step of the path
        t, after = ends[place].to(x0.device), ends[place + 1].to(x0.device)
        xt = ddpm.q_sample(schedule, x0, t, torch.randn_like(x0))
        with torch.no_grad():
            end = teacher(xt, t)
            step = ddpm.q_sample(schedule, end, after, ddpm.as_eps(schedule, end, xt, t))
            said = ddpm.as_x0(kind, schedule, average.model(step, after), step, after).clamp(-1, 1)
            at_the_last = (place == len(levels) - 1).to(x0.device).reshape(-1, *[1] * (x0.ndim - 1))
            aim = torch.where(at_the_last, end, said)
        guess = ddpm.as_x0(kind, schedule, student(xt, t), xt, t)
        losses = (guess - aim).square().flatten(1).mean(1)
        optimizer.zero_grad()
        losses.mean().backward()
        optimizer.step()
        average.update(student)
        yield losses.detach(), t


def jump(denoise, schedule, x, levels, generator=None):
    """Sample a consistency model: jump to the end, add noise, jump again (Song et al. 2023, algorithm 1); yields each end.

    Args:
        denoise: `(xt, t) → x0`.
        schedule: a `ddpm.Schedule`.
        x: noise, (B, …).
        levels: falling whole numbers, the first of them the last of the schedule; one level is one jump.
        generator: of the noise between the jumps.
    """
    for level in levels:
        t = torch.full(x.shape[:1], level, device=x.device)
        if level != levels[0]:
            fresh = torch.randn(x.shape, generator=generator, dtype=x.dtype).to(x.device)
            x = ddpm.q_sample(schedule, x, t, fresh)
        x = denoise(x, t)
        yield x

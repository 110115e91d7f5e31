"""Two younger relatives of diffusion, on the same network: flow matching, which is trained on straight paths from data to noise, and
consistency distillation, which learns from a trained diffusion model where each of its paths ends.

Tensors are as in `sdlab.scratch.ddpm`: data `x0` (B, …) in −1…1. The time of flow matching runs from 0, data, to 1, noise.
"""

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
        steps: how many looks at the field.
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


def bend(path):
    """How much longer a path is than the straight line between its ends: 1 is straight. `path` is a list of (B, …)."""
    path = torch.stack(list(path)).flatten(2)  # (steps, B, D)
    lengths = path.diff(dim=0).norm(dim=2).sum(0)
    return (lengths / (path[-1] - path[0]).norm(dim=1)).mean().item()


def distil(student, average, teacher, schedule, levels, batches, optimizer, kind="v"):
    """Consistency distillation (Song et al. 2023, arXiv:2303.01469, algorithm 2): neighbours on one path of the teacher must name one end.

    From a noisy picture the teacher takes one DDIM step. The student, one step behind, is asked to say what its own average says there;
    at the last level the teacher itself answers.

    Args:
        student: begins as a copy of the teacher's network; predicts a target of `kind`.
        average: a `ddpm.Average` of the student with a short memory, such as decay 0.95.
        teacher: a denoiser, `(xt, t) → x0`, of `sdlab.scratch.sampling.denoiser`.
        schedule: of both.
        levels: falling whole numbers, the path's stations.
        batches: yields x0.
        optimizer: over the student's parameters.
        kind: what the student predicts, see `ddpm.target`.

    Yields:
        Losses (B,) and levels (B,) of the batch.
    """
    stations = torch.tensor([*levels, 0])
    for x0 in batches:
        place = torch.randint(len(levels), x0.shape[:1])  # which step of the path
        t, after = stations[place].to(x0.device), stations[place + 1].to(x0.device)
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

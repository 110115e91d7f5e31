"""Samplers, each a function that yields the sample after every step: the caller shows it, or stops.

A denoiser answers "what is the clean data?": `denoise(xt, t)` takes noisy data (B, …) and their levels (B,) in a `ddpm.Schedule`, and
gives x0. Left out: samplers that take steps of an ODE in sigma, the standard deviation of the noise where the data keep their size
(Karras et al. 2022); diffusers has them, and notebook 03 compares them.
"""

from collections import deque
from itertools import pairwise

import torch

from sdlab.scratch import ddpm


def last(steps):
    """Run a sampler to its end: what it yields last."""
    return deque(steps, maxlen=1).pop()


def denoiser(model, schedule, kind="eps", condition=None, clamp=True):
    """What the samplers need, from a network: `(xt, t) → x0`.

    Args:
        model: predicts a target of `kind`, see `ddpm.target`; called as in `ddpm.losses`.
        schedule: the one it was trained with.
        kind: "eps", "x0" or "v".
        condition: what the model is told, (B, …), or None.
        clamp: keep x0 within −1…1, where the data is.
    """

    @torch.no_grad()
    def denoise(xt, t):
        prediction = model(xt, t) if condition is None else model(xt, t, condition)
        x0 = ddpm.as_x0(kind, schedule, prediction, xt, t)
        return x0.clamp(-1, 1) if clamp else x0

    return denoise


def ideal_denoiser(data, schedule):
    """The best denoiser there is for a data set: the mean of its points (N, …), each weighted by how likely it became x_t.

    The weights are Bayes' rule with q(x_t | x_0), eq. 4 of Ho et al. 2020.
    """
    points = data.flatten(1)  # (N, D)

    def denoise(xt, t):
        abar = ddpm.at(schedule.abar, t, xt).reshape(-1, 1)  # (B, 1)
        distance = (xt.flatten(1)[:, None] - abar[:, None].sqrt() * points.to(xt)).square().sum(-1)  # (B, N)
        weights = torch.softmax(-distance / (2 * (1 - abar)), 1)
        return (weights @ points.to(xt)).reshape(xt.shape)

    return denoise


def ancestral(denoise, schedule, x, noise=True, generator=None):
    """DDPM's own sampler: every level, each with fresh noise but the last (Ho et al. 2020, algorithm 2).

    Args:
        denoise: `(xt, t) → x0`, with t of shape (B,).
        schedule: a `ddpm.Schedule`.
        x: pure noise (B, …).
        noise: False leaves out the fresh noise; what that costs is a lesson.
        generator: of the fresh noise.
    """
    for level in reversed(range(schedule.steps)):
        t = torch.full(x.shape[:1], level, device=x.device)
        x0 = denoise(x, t)
        mean, variance = ddpm.posterior(schedule, x0, x, t)
        fresh = noise and level > 0
        x = mean + variance.sqrt() * torch.randn(x.shape, generator=generator, dtype=x.dtype).to(x.device) if fresh else mean
        yield x


def space_levels(schedule, steps):
    """`steps` levels evenly spaced from the last to near the first, in falling order ("trailing", Lin et al. 2024, table 2)."""
    if not 1 <= steps <= schedule.steps:
        raise ValueError(f"steps is {steps}: it must lie between 1 and {schedule.steps}, the levels of the schedule")
    return [round(schedule.steps - i * schedule.steps / steps) - 1 for i in range(steps)]


def ddim(denoise, schedule, x, levels, eta=0.0, generator=None):
    """DDIM: any falling selection of levels, with a share `eta` of DDPM's noise (Song et al. 2021, eq. 12 and 16).

    Args:
        denoise: `(xt, t) → x0`.
        schedule: a `ddpm.Schedule`.
        x: noise at the first of `levels`, (B, …).
        levels: falling whole numbers, such as `space_levels(schedule, 50)`.
        eta: 0 is deterministic, 1 as noisy as DDPM.
        generator: of the noise where eta > 0.
    """
    for level, after in pairwise([*levels, None]):
        t = torch.full(x.shape[:1], level, device=x.device)
        x0 = denoise(x, t)
        eps = ddpm.as_eps(schedule, x0, x, t)
        abar = ddpm.at(schedule.abar, t[:1], x)
        abar_after = torch.ones_like(abar) if after is None else ddpm.at(schedule.abar, t[:1] * 0 + after, x)
        sigma = eta * ((1 - abar_after) / (1 - abar) * (1 - abar / abar_after)).sqrt()
        x = abar_after.sqrt() * x0 + (1 - abar_after - sigma**2).sqrt() * eps
        if eta > 0:
            x = x + sigma * torch.randn(x.shape, generator=generator, dtype=x.dtype).to(x.device)
        yield x


def guide(with_condition, without, scale, rescale=0.0):
    """Classifier-free guidance of a denoiser (Ho & Salimans 2022, eq. 6): 0 is without the condition, 1 with it, more is past it.

    Args:
        with_condition: a denoiser, `(xt, t) → x0`.
        without: the same without the condition, or with a negative one.
        scale: the guidance scale.
        rescale: how far the guess is brought back to the standard deviation it has with the condition, 0…1 (Lin et al. 2024, eq. 15
            and 16).
    """

    def denoise(x, t):
        plain, told = without(x, t), with_condition(x, t)
        guess = plain + scale * (told - plain)
        if rescale:
            inner = tuple(range(1, x.ndim))
            tamed = guess * (told.std(inner, keepdim=True) / guess.std(inner, keepdim=True))
            guess = rescale * tamed + (1 - rescale) * guess
        return guess

    return denoise

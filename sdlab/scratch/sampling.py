"""Samplers, each a function that yields the sample after every step: the caller shows it, or stops.

A denoiser answers "what is the clean data?". In the first half, `denoise(xt, t)` takes a level of a `ddpm.Schedule`, and the data
shrinks as noise is added. In the second half, `denoise(x, sigma)` takes the noise's deviation, and the data keeps its size; there a
step is a step of an ODE. `to_sigmas` leads from one to the other.
"""

import math
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


def ddim_inverse(denoise, schedule, x, levels):
    """DDIM run backwards: nearly clean data → the noise that DDIM draws it from (Song et al. 2021, section 4.3).

    Args:
        denoise: `(xt, t) → x0`.
        schedule: a `ddpm.Schedule`.
        x: data at the first of `levels`, (B, …).
        levels: rising whole numbers; the closer together, the more exactly `ddim` returns.
    """
    for level, after in pairwise(levels):
        t = torch.full(x.shape[:1], level, device=x.device)
        x0 = denoise(x, t)
        eps = ddpm.as_eps(schedule, x0, x, t)
        x = ddpm.q_sample(schedule, x0, torch.full_like(t, after), eps)
        yield x


def to_sigmas(denoise, schedule):
    """A denoiser over sigmas from one over levels: `(xt, t) → x0` becomes `(x, sigma) → x0`, at the level nearest to sigma."""
    log_sigmas = schedule.sigmas.log()

    def over_sigmas(x, sigma):
        level = (log_sigmas - math.log(float(sigma))).abs().argmin()  # on the CPU, in float64, wherever sigma is
        t = torch.full(x.shape[:1], int(level), device=x.device)
        return denoise(x / (1 + sigma**2) ** 0.5, t)

    return over_sigmas


def euler(denoise, x, sigmas):
    """Euler steps on the probability-flow ODE (Karras et al. 2022, algorithm 2 without churn); `sigmas` fall to 0."""
    for sigma, after in pairwise(sigmas):
        slope = (x - denoise(x, sigma)) / sigma  # (B, …)
        x = x + slope * (after - sigma)
        yield x


def heun(denoise, x, sigmas):
    """Heun steps: the mean of the slopes at both ends, for two looks a step (Karras et al. 2022, algorithm 1)."""
    for sigma, after in pairwise(sigmas):
        slope = (x - denoise(x, sigma)) / sigma
        ahead = x + slope * (after - sigma)
        if after > 0:  # at the last step there is no slope at the end
            slope = (slope + (ahead - denoise(ahead, after)) / after) / 2
            ahead = x + slope * (after - sigma)
        x = ahead
        yield x


def dpmpp_2m(denoise, x, sigmas):
    """DPM-Solver++ (2M): one look a step, and the last one remembered (Lu et al. 2022, arXiv:2211.01095, algorithm 2)."""
    before = h_before = None
    for sigma, after in pairwise(sigmas):
        x0 = denoise(x, sigma)
        if after == 0:
            x = x0
        else:
            h = (sigma / after).log()  # the step in log signal-to-noise
            r = None if before is None else h_before / h
            direction = x0 if before is None else x0 + (x0 - before) / (2 * r)
            x = (after / sigma) * x - torch.expm1(-h) * direction
            before, h_before = x0, h
        yield x


def guide(with_condition, without, scale, rescale=0.0):
    """Classifier-free guidance of a denoiser (Ho & Salimans 2022, eq. 6): 0 is without the condition, 1 with it, more is past it.

    Args:
        with_condition: a denoiser, `(x, noise level) → x0`.
        without: the same without the condition, or with a negative one.
        scale: the guidance scale.
        rescale: how far the guess is brought back to the deviation it has with the condition, 0…1 (Lin et al. 2024, eq. 15 and 16).
    """

    def denoise(x, noise_level):
        plain, told = without(x, noise_level), with_condition(x, noise_level)
        guess = plain + scale * (told - plain)
        if rescale:
            inner = tuple(range(1, x.ndim))
            tamed = guess * (told.std(inner, keepdim=True) / guess.std(inner, keepdim=True))
            guess = rescale * tamed + (1 - rescale) * guess
        return guess

    return denoise

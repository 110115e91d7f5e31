"""The theory of DDPM as code, in reading order: schedule, forward process, posterior, targets, loss, training.

Names are the papers': `x0` clean data, `xt` noisy data, `eps` noise, `abar` the running product of `1 - beta`. Time `t` counts from 0 to
T - 1, as in code everywhere; the papers' t is one more. Equation numbers are Ho et al. 2020 (arXiv:2006.11239) unless said otherwise.
Left out: learned variances, and the continuous-time view.
"""

import copy
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F

TARGETS = ("eps", "x0", "v")  # what a network may be asked for


@dataclass(frozen=True)
class Schedule:
    """How much noise is added when: `betas`, a (T,) tensor, and what follows from it."""

    betas: torch.Tensor

    @property
    def steps(self):
        """T, the number of noise levels."""
        return len(self.betas)

    @cached_property
    def abar(self):
        """(T,): the share of the data's variance that is left, the running product of 1 - beta."""
        return torch.cumprod(1 - self.betas, 0)

    @cached_property
    def abar_before(self):
        """(T,): `abar` one level earlier; 1 before the first."""
        return torch.cat([torch.ones_like(self.abar[:1]), self.abar[:-1]])

    @cached_property
    def snr(self):
        """(T,): the signal-to-noise ratio abar / (1 - abar)."""
        return self.abar / (1 - self.abar)


def linear(steps=1000, first=1e-4, last=0.02):
    """Betas on a straight line (section 4)."""
    return Schedule(torch.linspace(first, last, steps, dtype=torch.float64))


def scaled_linear(steps=1000, first=0.00085, last=0.012):
    """Betas whose roots lie on a straight line, as in Stable Diffusion (Rombach et al. 2022, their code)."""
    return Schedule(torch.linspace(first**0.5, last**0.5, steps, dtype=torch.float64) ** 2)


def cosine(steps=1000, offset=0.008, largest=0.999):
    """Abar falls as a squared cosine (Nichol & Dhariwal 2021, eq. 17)."""
    t = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
    abar = torch.cos((t + offset) / (1 + offset) * torch.pi / 2) ** 2
    return Schedule((1 - abar[1:] / abar[:-1]).clamp(max=largest))


def at(values, t, like):
    """`values[t]` with the shape of a factor for `like`: (T,) and (B,) → (B, 1, 1, …), in the dtype and on the device of `like`."""
    values = values.to(like.dtype).to(like.device)  # in this order, because Apple's GPUs have no float64
    return values[t].reshape(-1, *[1] * (like.ndim - 1))


def add_noise_once(schedule, x, t, eps):
    """One step of the forward process, x_{t-1} → x_t (eq. 2). The mean is sqrt(1 - beta) x, so that the variance stays 1."""
    beta = at(schedule.betas, t, x)
    return (1 - beta).sqrt() * x + beta.sqrt() * eps


def q_sample(schedule, x0, t, eps):
    """All steps at once, x_0 → x_t (eq. 4). This is why training is parallel: no level has to wait for the one before it."""
    abar = at(schedule.abar, t, x0)
    return abar.sqrt() * x0 + (1 - abar).sqrt() * eps


def posterior(schedule, x0, xt, t):
    """The step back when x_0 is known, q(x_{t-1} | x_t, x_0): its mean, shaped as x, and its variance (B, 1, …) (eq. 7)."""
    beta, abar, before = at(schedule.betas, t, xt), at(schedule.abar, t, xt), at(schedule.abar_before, t, xt)
    mean = (before.sqrt() * beta * x0 + (1 - beta).sqrt() * (1 - before) * xt) / (1 - abar)
    return mean, beta * (1 - before) / (1 - abar)


def target(kind, schedule, x0, eps, t):
    """What the network is asked for: "eps", "x0", or "v" = sqrt(abar) eps - sqrt(1 - abar) x0 (Salimans & Ho 2022, appendix D)."""
    abar = at(schedule.abar, t, x0)
    targets = {"eps": eps, "x0": x0, "v": abar.sqrt() * eps - (1 - abar).sqrt() * x0}
    if kind not in TARGETS:
        raise ValueError(f"target {kind!r} is unknown: choose one of {', '.join(TARGETS)}")
    return targets[kind]


def as_x0(kind, schedule, prediction, xt, t):
    """The clean data that a prediction of `kind` stands for."""
    abar = at(schedule.abar, t, xt)
    if kind == "eps":
        return (xt - (1 - abar).sqrt() * prediction) / abar.sqrt()
    return abar.sqrt() * xt - (1 - abar).sqrt() * prediction if kind == "v" else prediction


def as_eps(schedule, x0, xt, t):
    """The noise that is left in x_t when x_0 is known."""
    abar = at(schedule.abar, t, xt)
    return (xt - abar.sqrt() * x0) / (1 - abar).sqrt()


def losses(model, schedule, x0, kind="eps", condition=None, generator=None):
    """The training loss of each sample (eq. 14): a random level, the noise at that level, and the squared error of the prediction.

    Args:
        model: called as `model(xt, t)`, or `model(xt, t, condition)` with one.
        schedule: the noise levels.
        x0: data, (B, …).
        kind: the target, see `target`.
        condition: what the model is told, (B, …), or None.
        generator: of levels and noise, on the CPU; None for torch's own.

    Returns:
        Losses (B,) and levels (B,).
    """
    t = torch.randint(schedule.steps, x0.shape[:1], generator=generator).to(x0.device)
    eps = torch.randn(x0.shape, generator=generator).to(x0)
    xt = q_sample(schedule, x0, t, eps)
    prediction = model(xt, t) if condition is None else model(xt, t, condition)
    return F.mse_loss(prediction, target(kind, schedule, x0, eps, t), reduction="none").flatten(1).mean(1), t


class Average:
    """An exponential moving average of a model's weights, which samples better than the weights themselves (appendix B).

    The decay warms up as min(decay, (1 + step) / (10 + step)), so that a short run is not an average of its own start.
    """

    def __init__(self, model, decay=0.999):
        self.model, self.decay, self.step = copy.deepcopy(model).eval().requires_grad_(False), decay, 0

    @torch.no_grad()
    def update(self, model):
        """Take the model's new weights into the average."""
        self.step += 1
        decay = min(self.decay, (1 + self.step) / (10 + self.step))
        for mean, now in zip(self.model.state_dict().values(), model.state_dict().values(), strict=True):
            if mean.is_floating_point():
                mean.lerp_(now, 1 - decay)
            else:
                mean.copy_(now)


def train(model, batches, schedule, optimizer, kind="eps", average=None):
    """Train on every batch, and yield after each: the caller plots, logs, samples, or stops.

    Args:
        model: see `losses`.
        batches: yields x0, or (x0, condition).
        schedule: the noise levels.
        optimizer: over the model's parameters.
        kind: the target, see `target`.
        average: an `Average` to keep up to date, or None.

    Yields:
        Losses (B,) and levels (B,) of the batch, detached.
    """
    for batch in batches:
        x0, condition = batch if isinstance(batch, tuple | list) else (batch, None)
        model.train()
        loss, t = losses(model, schedule, x0, kind, condition)
        optimizer.zero_grad()  # or the gradients of all earlier batches would be added to this one's
        loss.mean().backward()
        optimizer.step()
        if average:
            average.update(model)
        yield loss.detach(), t

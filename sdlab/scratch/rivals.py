"""Three older ways to draw: a variational autoencoder, a generative adversarial network, a normalizing flow; each written to be read.

All learn pictures (B, 3, 16, 16) in −1…1, draw with one evaluation of their network, and train as a Python generator that yields after
every step. `average` is a `ddpm.Average` of the model to keep up to date, or None.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

from sdlab.scratch.autoencoder import divergence

LATENTS = 64  # numbers that a picture is drawn from, in the first two


def _down(last):
    """(B, 3, 16, 16) → (B, last)."""
    return nn.Sequential(
        nn.Conv2d(3, 48, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(48, 96, 4, 2, 1), nn.GroupNorm(8, 96), nn.LeakyReLU(0.2),
        nn.Conv2d(96, 192, 4, 2, 1), nn.GroupNorm(8, 192), nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(4 * 192, last),
    )  # fmt: skip


def _up():
    """(B, LATENTS) → (B, 3, 16, 16)."""
    return nn.Sequential(
        nn.Linear(LATENTS, 4 * 192), nn.Unflatten(1, (192, 2, 2)), nn.GroupNorm(8, 192), nn.SiLU(),
        nn.Upsample(scale_factor=2), nn.Conv2d(192, 96, 3, padding=1), nn.GroupNorm(8, 96), nn.SiLU(),
        nn.Upsample(scale_factor=2), nn.Conv2d(96, 48, 3, padding=1), nn.GroupNorm(8, 48), nn.SiLU(),
        nn.Upsample(scale_factor=2), nn.Conv2d(48, 48, 3, padding=1), nn.SiLU(), nn.Conv2d(48, 3, 3, padding=1), nn.Tanh(),
    )  # fmt: skip


def draw_noise(model, *shape):
    """Normal noise where the model is; drawn on the CPU, so that a seed gives the same on every device."""
    return torch.randn(*shape).to(next(model.parameters()))


class VAE(nn.Module):
    """Picture → a normal distribution of latents → picture (Kingma & Welling 2014)."""

    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = _down(2 * LATENTS), _up()

    @torch.no_grad()
    def sample(self, count):
        """Decode pure noise: (count, 3, 16, 16)."""
        return self.decoder(draw_noise(self, count, LATENTS))


def train_vae(model, batches, optimizer, average=None, kl=0.02):
    """Yield the mean squared error after every step; `kl` weighs the divergence beside it."""
    for x in batches:
        mean, log_variance = model.encoder(x).chunk(2, 1)
        z = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
        error = F.mse_loss(model.decoder(z), x)
        optimizer.zero_grad()
        (error + kl * divergence(mean, log_variance).mean()).backward()
        optimizer.step()
        if average:
            average.update(model)
        yield error.item()


class GAN(nn.Module):
    """A generator that forges pictures and a discriminator that is shown both (Goodfellow et al. 2014)."""

    def __init__(self):
        super().__init__()
        self.generator, self.discriminator = _up(), _down(1)

    @torch.no_grad()
    def sample(self, count):
        """Forge pictures: (count, 3, 16, 16)."""
        return self.generator(draw_noise(self, count, LATENTS))


def train_gan(model, batches, generator_optimizer, discriminator_optimizer, average=None, gamma=1.0):
    """Yield both losses, the generator's and the discriminator's, after every step.

    The generator's loss is the non-saturating one (Goodfellow et al. 2014, section 3). The discriminator's has, beside its own, `gamma` / 2
    times the squared slope of its score at true pictures (R1; Mescheder et al. 2018, eq. 9).
    """
    for x in batches:
        x = x.detach().requires_grad_()
        forged = model.generator(draw_noise(model, len(x), LATENTS))
        true_score, false_score = model.discriminator(x), model.discriminator(forged.detach())
        (slope,) = torch.autograd.grad(true_score.sum(), x, create_graph=True)
        loss = F.softplus(-true_score).mean() + F.softplus(false_score).mean() + gamma / 2 * slope.square().flatten(1).sum(1).mean()
        discriminator_optimizer.zero_grad()
        loss.backward()
        discriminator_optimizer.step()

        fooled = F.softplus(-model.discriminator(forged)).mean()
        generator_optimizer.zero_grad()
        fooled.backward()
        generator_optimizer.step()
        if average:
            average.update(model)
        yield fooled.item(), loss.item()


class Coupling(nn.Module):
    """Half of the pixels stay, and say how the other half is scaled and shifted: easy to undo (Dinh et al. 2017, eq. 7 and 8)."""

    def __init__(self, flip, width=64, side=16):
        super().__init__()
        checker = (torch.arange(side)[:, None] + torch.arange(side)[None]) % 2
        self.register_buffer("stays", (checker == flip).float()[None, None])  # (1, 1, side, side)
        self.network = nn.Sequential(
            nn.Conv2d(3, width, 3, padding=1), nn.SiLU(),
            nn.Conv2d(width, width, 3, padding=2, dilation=2), nn.GroupNorm(8, width), nn.SiLU(),
            nn.Conv2d(width, 6, 3, padding=1),
        )  # fmt: skip
        nn.init.zeros_(self.network[-1].weight)
        nn.init.zeros_(self.network[-1].bias)

    def _scale_and_shift(self, kept):
        log_scale, shift = self.network(kept).chunk(2, 1)
        return 2 * torch.tanh(log_scale) * (1 - self.stays), shift * (1 - self.stays)

    def forward(self, x):
        """X → z, and the logarithm of how much the volume changes, (B,)."""
        log_scale, shift = self._scale_and_shift(x * self.stays)
        return x * log_scale.exp() + shift, log_scale.flatten(1).sum(1)

    def inverse(self, z):
        """Z → x."""
        log_scale, shift = self._scale_and_shift(z * self.stays)
        return (z - shift) * (-log_scale).exp()


class Flow(nn.Module):
    """An invertible network from pictures to noise, trained by likelihood: Real NVP at a single scale (Dinh et al. 2017)."""

    def __init__(self, couplings=8):
        super().__init__()
        self.couplings = nn.ModuleList(Coupling(i % 2) for i in range(couplings))

    def log_likelihood(self, x):
        """Log p(x) in nats, (B,): of the noise it becomes, plus the change of volume (Dinh et al. 2017, eq. 2)."""
        volume = torch.zeros(len(x), device=x.device)
        for coupling in self.couplings:
            x, change = coupling(x)
            volume = volume + change
        return -0.5 * (x.square() + math.log(2 * math.pi)).flatten(1).sum(1) + volume

    @torch.no_grad()
    def sample(self, count):
        """Noise through the inverse: (count, 3, 16, 16)."""
        x = draw_noise(self, count, 3, 16, 16)
        for coupling in reversed(self.couplings):
            x = coupling.inverse(x)
        return x


def train_flow(model, batches, optimizer, average=None, noise=0.05):
    """Yield the negative log-likelihood per number after every step; a little noise keeps flat areas from being infinitely likely."""
    for x in batches:
        loss = -model.log_likelihood(x + noise * torch.randn_like(x)).mean() / x[0].numel()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if average:
            average.update(model)
        yield loss.item()

"""A small autoencoder, written to be read: a picture to a grid of latents a quarter as wide, and back (Rombach et al. 2022, section 3.1).

It is variational: the encoder gives a mean and a variance for each latent, the decoder sees a draw from them, and a small penalty keeps
them near a standard normal distribution. Left out: the perceptual and adversarial losses that make large ones sharp.
"""

import math

import torch
from torch import nn


class Residual(nn.Module):
    """A convolution, a nonlinearity, a convolution, added to what came in."""

    def __init__(self, width):
        super().__init__()
        self.inner = nn.Sequential(
            nn.GroupNorm(8, width), nn.SiLU(), nn.Conv2d(width, width, 3, padding=1),
            nn.SiLU(), nn.Conv2d(width, width, 3, padding=1),
        )  # fmt: skip

    def forward(self, x):
        """(B, width, H, W) → the same."""
        return x + self.inner(x)


class Autoencoder(nn.Module):
    """Pictures (B, 3, H, W) ↔ latents (B, latents, H/4, W/4).

    Args:
        widths: channels at half and at quarter size; multiples of 8.
        latents: numbers in each cell of the latent grid.
    """

    def __init__(self, widths=(32, 96), latents=4):
        super().__init__()
        half, quarter = widths
        self.encoder = nn.Sequential(
            nn.Conv2d(3, half, 4, stride=2, padding=1), Residual(half),
            nn.Conv2d(half, quarter, 4, stride=2, padding=1), Residual(quarter),
            nn.Conv2d(quarter, 2 * latents, 1),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            nn.Conv2d(latents, quarter, 3, padding=1), Residual(quarter), Residual(quarter),
            nn.Upsample(scale_factor=2), nn.Conv2d(quarter, half, 3, padding=1), Residual(half),
            nn.Upsample(scale_factor=2), nn.Conv2d(half, half, 3, padding=1), nn.SiLU(), nn.Conv2d(half, 3, 3, padding=1),
        )  # fmt: skip

    def encode(self, x):
        """Mean and log variance of the latents, (B, latents, H/4, W/4) each."""
        mean, log_variance = self.encoder(x).chunk(2, 1)
        return mean, log_variance.clamp(-20, 10)

    def decode(self, z):
        """Latents → pictures."""
        return self.decoder(z)


def divergence(mean, log_variance):
    """The mean over latents of KL(N(mean, variance) ‖ N(0, 1)), in nats (Kingma & Welling 2014, appendix B): (B,)."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).flatten(1).mean(1)


def psnr(error, span=2.0):
    """Peak signal-to-noise ratio in dB of a mean squared error between pictures: 10 dB more is a tenth of the error.

    Args:
        error: a number, or a tensor of one.
        span: between the darkest and the brightest value: 2 for pictures in −1…1, 255 for bytes.
    """
    return 10 * math.log10(span**2 / float(error))


def train(model, batches, optimizer, kl=1e-3):
    """Train on every batch of pictures, and yield after each.

    Args:
        model: an `Autoencoder`.
        batches: yields pictures (B, 3, H, W).
        optimizer: over the model's parameters.
        kl: the weight of the divergence beside the mean squared error.

    Yields:
        Squared errors (B,) and divergences (B,), detached.
    """
    for x in batches:
        mean, log_variance = model.encode(x)
        z = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)  # a draw through which gradients flow
        error = (model.decode(z) - x).square().flatten(1).mean(1)
        away = divergence(mean, log_variance)
        optimizer.zero_grad()
        (error + kl * away).mean().backward()
        optimizer.step()
        yield error.detach(), away.detach()

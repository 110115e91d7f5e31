"""How sharp decoded pictures are, and whether two autoencoders speak of the same latents.

All pictures are tensors (B, 3, H, W) in −1…1.
"""

import time

import torch
import torch.nn.functional as F

from pocket.stages.enlarge import edges
from sdlab.scratch.autoencoder import psnr
from sdlab.scratch.judge import frechet_distance

CHUNK = 32  # pictures that are coded at once


@torch.no_grad()
def decode(vae, latents):
    """Pictures of latents (B, 4, h, w)."""
    return torch.cat([vae.decode(part.to(vae.device)).sample.float().clamp(-1, 1).cpu() for part in latents.split(CHUNK)])


@torch.no_grad()
def encode(vae, pictures):
    """The means of the latents of pictures, (B, 4, h, w)."""
    return torch.cat([vae.encode(part.to(vae.device)).latent_dist.mean.float().cpu() for part in pictures.split(CHUNK)])


def double(pictures):
    """Pictures twice as wide by bicubic interpolation: what one has without a better decoder."""
    return F.interpolate(pictures, scale_factor=2.0, mode="bicubic").clamp(-1, 1)


def edge_strength(pictures):
    """How much neighbouring pixels differ on average, in units of the whole range from black to white."""
    return sum(difference.abs().mean().item() for difference in edges(pictures)) / 4  # two directions, range of two


def features_of(judge):
    """What a judge sees in pictures: a function from pictures to its features, (B, D)."""

    @torch.no_grad()
    def features(pictures):
        device = next(judge.parameters()).device
        return torch.cat([judge.features(part.to(device)).cpu() for part in pictures.split(CHUNK)])

    return features


def likeness(pictures, true, features):
    """Numbers of decoded pictures beside the true ones.

    Args:
        pictures: decoded.
        true: of the same scenes.
        features: from pictures to what the Fréchet distance compares, (N, D).
    """
    return {
        "psnr_db": psnr(F.mse_loss(pictures, true)),
        "edge_strength": edge_strength(pictures),
        "frechet": frechet_distance(features(pictures), features(true)),
    }


def agreement(latents, others):
    """How well two encoders' latents (B, 4, h, w) agree: the error over the deviation (root mean squares), and the correlation."""
    error = (latents - others).square().mean().sqrt() / others.std()
    return {
        "relative_error": error.item(),
        "correlation": torch.corrcoef(torch.stack([latents.flatten(), others.flatten()]))[0, 1].item(),
    }


@torch.no_grad()
def milliseconds(call, repeats=20):
    """The median time of a call in milliseconds, after three that do not count."""
    times = []
    for _ in range(repeats + 3):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1000 * sorted(times[3:])[repeats // 2]

"""The latent space."""

from types import SimpleNamespace

import torch

from tests.course.exercises import STUB, Exercise


def a_pca():
    """An autoencoder of 17.5 dB, and a PCA of 10 dB and one more for each number."""
    return {"psnr": lambda x: x, "pca": lambda n: 10.0 + n, "little": SimpleNamespace(decode=lambda z: 17.5), "codes": None}


def latents():
    return {"codes": 1.6 * torch.tensor([-1.0, 1.0]).repeat(10_000)}


EXERCISES = [
    Exercise(
        "12",
        "How many numbers",
        given=a_pca,
        wrong={
            STUB: "are needed",
            "enough = 9": "the smallest number is wanted",
            "enough = 7.5": "a whole number",
            "enough = 48": "the smallest number is wanted",
            "enough = None": "enough is None",
            "enough = [n for n in range(1, 49) if psnr(pca(n)) >= target]": "a whole number from 1 to 48",
        },
    ),
    Exercise(
        "12",
        "The scaling factor",
        given=latents,
        wrong={
            STUB: "turns [-1.0, 0.0, 2.0] into [-9.0, 0.0, 18.0]",
            "factor = codes.std().item()": "the standard deviation 2.56",
            "factor = 1 / codes.var().item()": "it should be 1",
            "factor = 1.0": "the standard deviation 1.60",
            "def to_decoder(z, factor):\n    return z * factor": "turns [-1.0, 0.0, 2.0] into [-9.0, 0.0, 18.0]",
            "def to_diffusion(z, factor):\n    return z / factor\n"
            "def to_decoder(z, factor):\n    return z * factor\n"
            "factor = codes.std().item()": "are multiplied",
        },
    ),
]

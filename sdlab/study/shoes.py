"""What can be checked of a product picture of shoes: is it a shoe, of the colour asked for, on white, in the middle?

The shipped judge has never seen a shoe. Its 256 features of a picture tell shoes from other things all the same, and two small layers on
them do so: the judge that knows shoes. `python -m pocket.shipping.shoes` trains it, and its weights belong to those of the judge.
"""

from functools import cache

import numpy as np
import torch
from safetensors.torch import load_file

from sdlab.assets import ASSETS
from sdlab.study import judge, metrics
from sdlab.system.calls import check_call

WEIGHTS = ASSETS / "shoes-judge" / "shoes.safetensors"
RIM = 1 / 16  # of the side: the strip at the four edges by which the background is known
WHITE = 0.88  # how bright it is at least; the world's white paper is 0.94 or more
NEAR = 0.1  # of the side: how far from the middle the thing's centre may be
FAINT = 0.03  # differences from the background that are not looked at


def make_layers():
    """The judge that knows shoes, before it is trained: features of the judge (n, 256) → one number (n, 1), above 0 for a shoe."""
    return torch.nn.Sequential(torch.nn.Linear(256, 64), torch.nn.ReLU(), torch.nn.Linear(64, 1))


@cache
def _shipped():
    layers = make_layers()
    layers.load_state_dict(load_file(WEIGHTS))
    return layers.requires_grad_(False)


@check_call("shoe_score(pictures)")
def shoe_score(pictures):
    """How much pictures look like a shoe: above 0 they do, and the larger the surer; (n,) numpy.

    Args:
        pictures: PIL pictures of any size.
    """
    return _shipped()(metrics.features(pictures))[:, 0].numpy()


@check_call("check_shoes(pictures, colours)")
def check_shoes(pictures, colours):
    """Four checks of product pictures.

    Args:
        pictures: PIL pictures, square, of one size.
        colours: the colour asked for, of each.

    Returns:
        `{"shoe": [bool, …], "colour": …, "white": …, "centred": …}`. The colour is the judge's answer. White is a bright rim on all four
        sides. Centred is a thing whose centre of mass, weighted by how much its pixels differ from the rim, is within a tenth of the side
        from the middle.
    """
    pictures = metrics.check_pictures(pictures)
    pixels = np.stack([np.asarray(picture.convert("RGB"), np.float32) / 255 for picture in pictures])
    answers = judge.answers(pictures, "colour")
    return {
        "shoe": (shoe_score(pictures) > 0).tolist(),
        "colour": [answer == asked for answer, asked in zip(answers, colours, strict=True)],
        "white": [bool(min(map(np.mean, _rim(one))) > WHITE and np.ptp(np.mean(np.concatenate(_rim(one)), 0)) < 0.05) for one in pixels],
        "centred": [bool(np.abs(_centre(one)).max() < NEAR) for one in pixels],
    }


def _rim(pixels):
    """The four strips at the edges of a picture, (n, 3) each."""
    width = max(1, round(len(pixels) * RIM))
    strips = pixels[:width], pixels[-width:], pixels[:, :width], pixels[:, -width:]
    return [strip.reshape(-1, 3) for strip in strips]


def _centre(pixels):
    """Where the thing's middle is, x and y, in shares of the side from the picture's middle; far away where there is no thing."""
    background = np.median(np.concatenate(_rim(pixels)), 0)
    weight = np.abs(pixels - background).mean(-1)
    weight[weight < FAINT] = 0
    if not weight.any():
        return np.array([1.0, 1.0])
    places = (np.arange(len(pixels)) + 0.5) / len(pixels) - 0.5
    return np.array([(weight.sum(axis) * places).sum() for axis in (0, 1)]) / weight.sum()

"""Numbers of pictures: what a lesson measures in place of saying that one picture looks better.

Each takes PIL pictures of one size, and says its range and its source. Most give one number for each picture, for
`sdlab.display.intervals` to say how sure their mean is.
"""

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import distance_transform_edt, laplace

from sdlab.scratch.judge import frechet_distance
from sdlab.study import judge as judging
from sdlab.system.calls import brief, check_call


def check_pictures(pictures):
    """The pictures as a list, which must hold PIL pictures and nothing else; a single one becomes a list of one."""
    pictures = [pictures] if isinstance(pictures, Image.Image) else list(pictures)
    if not pictures or not all(isinstance(picture, Image.Image) for picture in pictures):
        raise TypeError(f"pictures is {brief(pictures)}: give PIL pictures, such as generation.images")
    return pictures


def _pixels(pictures):
    """PIL pictures → float arrays, (n, H, W, 3) in 0…1."""
    pictures = check_pictures(pictures)
    sizes = {picture.size for picture in pictures}
    if len(sizes) > 1:
        raise ValueError(f"the pictures are of {len(sizes)} sizes, {brief(sorted(sizes))}: these numbers compare pictures of one size")
    return np.stack([np.asarray(picture.convert("RGB"), np.float32) / 255 for picture in pictures])


@check_call("sharpness(pictures)")
def sharpness(pictures):
    """The standard deviation of the Laplacian of the grey values: 0 for an even picture, about 0.5 for noise of black and white (n,).

    Edges make it large, and so does noise. It depends on the size: compare pictures of one size (Pech-Pacheco et al. 2000).
    """
    return np.array([laplace(picture).std() for picture in _pixels(pictures).mean(-1)])


@check_call("saturation(pictures)")
def saturation(pictures):
    """The mean saturation, largest less smallest channel over the largest, as in HSV (Smith 1978): 0 for grey, 1 for pure colours (n,)."""
    pixels = _pixels(pictures)
    high, low = pixels.max(-1), pixels.min(-1)
    return ((high - low) / np.maximum(high, 1e-6)).mean((1, 2))


@check_call("clipping(pictures)")
def clipping(pictures):
    """The share of channel values that are as dark or as bright as a byte can be, 0…1 (n,): what guidance burns out."""
    pixels = _pixels(pictures)
    return ((pixels == 0) | (pixels == 1)).mean((1, 2, 3))


@check_call("distance(pictures, others)")
def distance(pictures, others, where=None):
    """How far pictures are from others, pair by pair: the root mean square difference, 0…1 of the way from black to white (n,).

    Args:
        pictures: PIL pictures of one size.
        others: as many.
        where: which pixels count, bool (H, W) or one for each pair (n, H, W); default: all.
    """
    pixels, their = _pixels(pictures), _pixels(others)
    if pixels.shape != their.shape:
        raise ValueError(f"{pixels.shape[:3]} and {their.shape[:3]} pictures, rows and columns: give as many of the same size")
    squares = np.square(pixels - their).mean(-1)  # (n, H, W)
    counted = np.broadcast_to(True if where is None else np.asarray(where, bool), squares.shape)
    if not counted.any((1, 2)).all():
        raise ValueError("where is False everywhere: there is no pixel to compare")
    return np.sqrt(np.array([square[here].mean() for square, here in zip(squares, counted, strict=True)]))


@check_call("followed(pictures, sketches)")
def followed(pictures, sketches):
    """How much of a sketch is found in a picture: the share of its white that has an edge at most 1/64 of the side away, 0…1 (n,).

    A busy picture has edges everywhere. Compare with the mirrored sketch, whose lines are in the wrong place. The edges are those of Canny
    (1986) on each channel.
    """
    from skimage.feature import canny

    found = []
    for pixels, sketch in zip(_pixels(pictures), _pixels(sketches).mean(-1) > 0.5, strict=True):
        edges = np.any([canny(channel, 1.0, 0.06, 0.14) for channel in np.moveaxis(pixels, -1, 0)], 0)
        near = distance_transform_edt(~edges) <= len(edges) / 64 if edges.any() else edges
        found.append(near[sketch].mean() if sketch.any() else 0.0)
    return np.array(found)


@check_call("latent_distance(latents, others)")
def latent_distance(latents, others):
    """How far latents (n, 4, h, w) are from others, pair by pair: the root mean square difference over the deviation of the first (n,)."""
    if latents.shape != others.shape or latents.ndim != 4:
        raise ValueError(f"latents are {tuple(latents.shape)} and {tuple(others.shape)}: give two tensors of one shape (n, 4, h, w)")
    latents, others = latents.detach().float().cpu(), others.detach().float().cpu()
    return ((latents - others).square().mean((1, 2, 3)).sqrt() / latents.std()).numpy()


def features(pictures, judge=None):
    """What the judge sees in pictures: 256 numbers each, (n, 256)."""
    return judging.opinion(judge or judging.shipped(), judging.to_tensor(check_pictures(pictures)))["features"]


@check_call("variety(pictures)")
def variety(pictures, judge=None):
    """How unlike one another pictures of one prompt are: the mean distance of two of them in the judge's features, from 0 up.

    What it means depends on the judge: compare it with the variety of other pictures, not with a number from elsewhere.

    Args:
        pictures: two or more, of one prompt and several seeds.
        judge: another one than the shipped.
    """
    if len(pictures := list(pictures)) < 2:
        raise ValueError(f"there is {len(pictures)} picture: variety needs two or more, of one prompt and several seeds")
    return torch.pdist(features(pictures, judge)).mean().item()


@check_call("frechet(pictures, others)")
def frechet(pictures, others, judge=None):
    """The Fréchet distance of two sets of pictures in the judge's features: 0 for sets with one mean and covariance (Heusel et al. 2017).

    With few pictures it is too large by much: compare sets of one size only, and say how far two sets of true pictures are apart.
    """
    return frechet_distance(features(pictures, judge), features(others, judge))


@check_call("kid(pictures, others)")
def kid(pictures, others, judge=None):
    """The kernel distance of two sets of pictures in the judge's features (KID; Bińkowski et al. 2018, section 4).

    Its mean is right however few the pictures are, unlike Fréchet's: about 0 for sets of one kind, sometimes a little below.
    """
    if min(len(pictures := check_pictures(pictures)), len(others := check_pictures(others))) < 2:
        raise ValueError(f"there are {len(pictures)} and {len(others)} pictures: two or more of each are needed")
    x, y = (features(some, judge).double() for some in (pictures, others))

    def kernel(a, b):
        return (a @ b.T / a.shape[1] + 1) ** 3

    def within(a):
        values = kernel(a, a)
        return (values.sum() - values.trace()) / (len(a) * (len(a) - 1))

    return (within(x) + within(y) - 2 * kernel(x, y).mean()).item()

"""An endless stream of pictures of the world, for every stage of training."""

import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from pocket.world.scene import Inventor, draw


class Scenes(IterableDataset):
    """Yields `(picture, scene)`, the picture a uint8 tensor (3 or more, side, side), for ever; `seed` decides which.

    Args:
        invent: `rng` → a scene.
        paint: `(scene, rng, side)` → the picture, (side, side, 3 or more): three channels of colour, and what goes with them.
        side: of the picture, in pixels.
        seed: whole numbers.
    """

    def __init__(self, invent, paint, side, seed):
        self.invent, self.paint, self.side, self.seed = invent, paint, side, seed

    def __iter__(self):
        worker = get_worker_info()
        rng = np.random.default_rng([*self.seed, worker.id if worker else 0])
        while True:
            scene = self.invent(rng)
            pixels = np.asarray(self.paint(scene, rng, self.side))
            yield torch.from_numpy(pixels.copy()).permute(2, 0, 1), scene


def _collate(items):
    pictures, scenes = zip(*items, strict=True)
    return torch.stack(pictures), list(scenes)


def batches(config, size, *seed, mix=None, paint=draw, invent=None):
    """Endless batches `(pictures, scenes)`: uint8 (size, 3, side, side) and a list.

    `seed` is any whole numbers; scenes are of `mix`, or else of the configuration's, or what `invent` invents; `paint` as in `Scenes`.
    """
    data = Scenes(invent or Inventor(mix or config.mix), paint, config.side, seed)
    return iter(
        DataLoader(data, batch_size=size, num_workers=config.workers, collate_fn=_collate, prefetch_factor=4 if config.workers else None)
    )


def to_unit(pictures, device="cpu"):
    """uint8 pictures 0…255 → float tensors −1…1, as the autoencoder wants them."""
    return pictures.to(device, non_blocking=True).float().div_(127.5).sub_(1)

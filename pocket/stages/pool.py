"""Encoded pictures, kept while they are trained on: drawing and encoding one costs more than learning from it once."""

import torch

from pocket.world.stream import to_unit
from sdlab.system.device import has_bf16


class Pool:
    """Encoded pictures with their scenes, refreshed a few at a time: each is drawn about `reuse` times before it leaves.

    Args:
        stream: of `pocket.world.stream.batches`; what its pictures hold after three channels of colour is kept as it is.
        vae: the frozen autoencoder.
        size: how many pictures are kept.
        batch: how many are drawn at once.
        reuse: how often each is drawn, on average.
        device: where latents live.
        side: of the latents. Where the autoencoder shrinks pictures more than that, each of their pixels is repeated, which is what
            `pocket.stages.enlarge` made it for.
    """

    def __init__(self, stream, vae, size, batch, reuse, device, side):
        self.stream, self.vae, self.size, self.device, self.side = stream, vae, size, device, side
        self.latents, self.beside, self.scenes, self.oldest = None, None, [], 0
        self.batch, self.fresh, self.debt = batch, batch / reuse, 0.0
        for _ in range(size // 6 // batch):  # enough to begin without learning a handful of pictures by heart
            self._renew()

    @torch.no_grad()
    def _renew(self):
        pictures, scenes = next(self.stream)
        colours = to_unit(pictures[:, :3], self.device)
        wider = self.side * 2 ** (len(self.vae.config.block_out_channels) - 1) // colours.shape[-1]
        colours = colours.repeat_interleave(wider, 2).repeat_interleave(wider, 3)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=has_bf16(self.device)):  # nearly four times as fast on a CPU
            latents = self.vae.encode(colours).latent_dist.sample().float()  # (B, 4, h, w)
        if self.latents is None:
            self.latents = latents.new_empty((self.size, *latents.shape[1:]))
            self.beside = pictures.new_empty((self.size, *pictures[0, 3:].shape), device=self.device)
        for latent, beside, scene in zip(latents, pictures[:, 3:], scenes, strict=True):
            self.latents[self.oldest], self.beside[self.oldest] = latent, beside
            if len(self.scenes) < self.size:
                self.scenes.append(scene)
            else:
                self.scenes[self.oldest] = scene
            self.oldest = (self.oldest + 1) % self.size

    def draw(self, rng):
        """A batch of latents (B, 4, h, w), of what lay beside the colours, uint8 (B, channels, H, W), and the list of their scenes."""
        self.debt += self.fresh
        while self.debt >= self.batch:
            self._renew()
            self.debt -= self.batch
        chosen = rng.integers(len(self.scenes), size=self.batch)
        at = torch.as_tensor(chosen, device=self.device)
        return self.latents[at], self.beside[at], [self.scenes[i] for i in chosen]

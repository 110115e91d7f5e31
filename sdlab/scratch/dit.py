"""A small diffusion transformer, written to be read: no convolutions, and one size of grid, where `unet` has three.

The data are cut into patches. Each patch becomes a token, every token looks at all others, and each is turned back into its patch
(Peebles & Xie 2023, arXiv:2212.09748). Stable Diffusion 3 and FLUX have transformers of this kind. Left out: conditions. There, the
tokens of the text take part in the attention (Esser et al. 2024, section 4).
"""

import torch
import torch.nn.functional as F
from torch import nn

from sdlab.scratch.unet import time_embedding


class Block(nn.Module):
    """Attention, then two linear layers for each token; the noise level scales, shifts and gates both (adaLN-Zero, section 3.2)."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = (nn.LayerNorm(width, elementwise_affine=False) for _ in range(2))
        self.ask, self.answer = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.think = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(approximate="tanh"), nn.Linear(4 * width, width))
        self.time = nn.Linear(width, 6 * width)
        nn.init.zeros_(self.time.weight)  # gates are 0: a block begins as nothing
        nn.init.zeros_(self.time.bias)

    def forward(self, x, time):
        """X (B, tokens, width) and time (B, width) → (B, tokens, width)."""
        scale1, shift1, gate1, scale2, shift2, gate2 = self.time(F.silu(time))[:, None].chunk(6, 2)  # (B, 1, width) each
        h = self.ask(self.norm1(x) * (1 + scale1) + shift1)
        query, key, value = h.unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # (B, heads, tokens, width / heads) each
        seen = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        x = x + gate1 * self.answer(seen)
        return x + gate2 * self.think(self.norm2(x) * (1 + scale2) + shift2)


class DiT(nn.Module):
    """The network; called as a `unet.UNet` without a condition.

    Args:
        channels: of the data.
        side: of the grid, in cells; a multiple of `patch`.
        patch: the side of a patch.
        width: of a token; a multiple of 4 and of `heads`.
        depth: the number of blocks.
        heads: of the attention.
    """

    def __init__(self, channels=3, side=16, patch=2, width=128, depth=4, heads=4):
        super().__init__()
        if side % patch:
            raise ValueError(f"side is {side} and patch {patch}: a side must be a whole number of patches")
        self.channels, self.side, self.patch, self.width = channels, side, patch, width
        self.enter = nn.Linear(channels * patch**2, width)
        self.place_embedding = nn.Parameter(_places(side // patch, width))  # what tells a token where it is; learned from there on
        self.time = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.norm, self.last_time = nn.LayerNorm(width, elementwise_affine=False), nn.Linear(width, 2 * width)
        self.leave = nn.Linear(width, channels * patch**2)
        for layer in (self.last_time, self.leave):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x, t):
        """X (B, channels, side, side) and levels t (B,) → the shape of x."""
        if x.shape[-2:] != (self.side, self.side):
            raise ValueError(f"the grid is {x.shape[-2]}×{x.shape[-1]}: this network was made for {self.side}×{self.side}")
        time = self.time(time_embedding(t, self.width))  # (B, width)
        h = F.pixel_unshuffle(x, self.patch).flatten(2).transpose(1, 2)  # (B, tokens, channels · patch²)
        h = self.enter(h) + self.place_embedding
        for block in self.blocks:
            h = block(h, time)
        scale, shift = self.last_time(F.silu(time))[:, None].chunk(2, 2)
        h = self.leave(self.norm(h) * (1 + scale) + shift).transpose(1, 2)
        return F.pixel_shuffle(h.unflatten(2, (self.side // self.patch, -1)), self.patch)


def _places(cells, width):
    """Sines and cosines of row and of column: (cells², width)."""
    where = time_embedding(100 * torch.arange(cells) / cells, width // 2)  # (cells, width / 2)
    rows, columns = where[:, None].expand(-1, cells, -1), where[None].expand(cells, -1, -1)
    return torch.cat([rows, columns], 2).flatten(0, 1)

"""A small U-Net, written to be read: noisy data and a noise level in, a prediction of the same shape out.

The grid is halved twice and doubled twice; what is found on the way down is handed across to the way up. The noise level enters every
block through an embedding (Ho et al. 2020, appendix B). A condition is a class number, or the vectors of a text, which the lower levels
look at by cross-attention (Rombach et al. 2022, section 3.3). Left out: several blocks a level, and attention at full size.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn


def time_embedding(t, width):
    """Sines and cosines of t at `width / 2` frequencies (Vaswani et al. 2017, section 3.5): (B,) → (B, width)."""
    frequencies = torch.exp(-math.log(10_000) * torch.arange(width // 2, device=t.device) / (width // 2))
    angles = t[:, None].float() * frequencies[None]  # (B, width / 2)
    return torch.cat([angles.sin(), angles.cos()], 1)


class Block(nn.Module):
    """Two convolutions with a shortcut; the noise level scales and shifts between them (Dhariwal & Nichol 2021, section 3)."""

    def __init__(self, before, after, time_width, groups=8):
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(groups, before), nn.Conv2d(before, after, 3, padding=1)
        self.norm2, self.conv2 = nn.GroupNorm(groups, after), nn.Conv2d(after, after, 3, padding=1)
        self.time = nn.Linear(time_width, 2 * after)
        self.shortcut = nn.Conv2d(before, after, 1) if before != after else nn.Identity()
        nn.init.zeros_(self.conv2.weight)  # a block begins as its shortcut
        nn.init.zeros_(self.conv2.bias)

    def forward(self, x, time):
        """X (B, before, H, W) and time (B, time_width) → (B, after, H, W)."""
        h = self.conv1(F.silu(self.norm1(x)))
        scale, shift = self.time(time)[:, :, None, None].chunk(2, 1)  # (B, after, 1, 1) each
        h = self.conv2(F.silu(self.norm2(h) * (1 + scale) + shift))
        return self.shortcut(x) + h


class Attention(nn.Module):
    """Every cell of the grid looks at all cells, or at the vectors of a text."""

    def __init__(self, channels, text_width=None, heads=4, groups=8):
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels)
        self.attend = nn.MultiheadAttention(channels, heads, kdim=text_width, vdim=text_width, batch_first=True)
        nn.init.zeros_(self.attend.out_proj.weight)

    def forward(self, x, text=None):
        """X (B, C, H, W), text (B, tokens, text_width) or None for the grid itself → (B, C, H, W)."""
        cells = self.norm(x).flatten(2).transpose(1, 2)  # (B, H·W, C)
        context = cells if text is None else text
        seen, _ = self.attend(cells, context, context, need_weights=False)
        return x + seen.transpose(1, 2).reshape(x.shape)


class UNet(nn.Module):
    """The network.

    Args:
        channels: of the data: 1 for grey pictures, 3 for colour.
        widths: channels at full, half and quarter size; multiples of 8.
        classes: how many classes a condition can name; class `classes` then means "none". 0 for no classes.
        text_width: width of the text's vectors, or None for no text.
    """

    def __init__(self, channels=3, widths=(32, 96, 128), classes=0, text_width=None):
        super().__init__()
        first, *_ = widths
        time_width = 4 * first
        self.first, self.text_width = first, text_width
        self.time = nn.Sequential(nn.Linear(first, time_width), nn.SiLU(), nn.Linear(time_width, time_width))
        self.class_embedding = nn.Embedding(classes + 1, time_width) if classes else None
        self.enter = nn.Conv2d(channels, first, 3, padding=1)
        steps = list(zip((first, *widths[:-1]), widths, strict=True))  # (32, 32), (32, 96), (96, 128)
        self.down = nn.ModuleList(Block(a, b, time_width) for a, b in steps)
        self.middle = Block(widths[-1], widths[-1], time_width)
        self.look_around = Attention(widths[-1])
        self.look_at_text = Attention(widths[-1], text_width) if text_width else None
        self.up = nn.ModuleList(Block(2 * b, a, time_width) for a, b in reversed(steps))
        self.leave = nn.Sequential(nn.GroupNorm(8, first), nn.SiLU(), nn.Conv2d(first, channels, 3, padding=1))

    def forward(self, x, t, condition=None):
        """X (B, channels, H, W), levels t (B,), and class numbers (B,) or a text (B, tokens, text_width) → the shape of x.

        H and W must be multiples of 4.
        """
        if x.shape[-1] % 4 or x.shape[-2] % 4:
            raise ValueError(f"the grid is {x.shape[-2]}×{x.shape[-1]}: both sides must be multiples of 4, because it is halved twice")
        time = self.time(time_embedding(t, self.first))  # (B, time_width)
        if self.class_embedding is not None:
            nobody = torch.full_like(t, self.class_embedding.num_embeddings - 1)
            time = time + self.class_embedding(nobody if condition is None else condition)
        h, handed_across = self.enter(x), []
        for level, block in enumerate(self.down):
            h = block(h, time)
            handed_across.append(h)
            if level < len(self.down) - 1:
                h = F.avg_pool2d(h, 2)
        h = self.look_around(self.middle(h, time))
        if self.look_at_text is not None and condition is not None:
            h = self.look_at_text(h, condition)
        for level, block in enumerate(self.up):
            h = block(torch.cat([h, handed_across.pop()], 1), time)
            if level < len(self.up) - 1:
                h = F.interpolate(h, scale_factor=2)
        return self.leave(h)

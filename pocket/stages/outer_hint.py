"""A ControlNet for sketches twice as wide: one halving more in front of what a trained one makes of a sketch.

The new level begins by halving the sketch, so that the grown ControlNet begins with all that the small one knows. A SiLU follows each
convolution there; what is large and not negative passes it unchanged, so that the pixels of a sketch, 0 to 1, go through it `LOUD` times as
large.
"""

import torch
from diffusers import ControlNetModel

LOUD = 16.0  # SiLU(16) = 16 − 2·10⁻⁶
# What each tap of a 3×3 convolution over the halved sketch reads of the whole one, at −2, −1, 0, 1, 2 pixels from where it stands. A pixel
# of the half is the mean of two. The last tap's other pixel, at 3, is out of sight.
HALVING = torch.tensor([[0.5, 0.5, 0, 0, 0], [0, 0, 0.5, 0.5, 0], [0, 0, 0, 0, 1.0]])  # (taps, pixels)
SEEN_BY = ((0, 0), (0, 1), (1, 1), (2, 1), (2, 2))  # where that pixel lies: the next convolution's tap, and the shift that it finds there


@torch.no_grad()
def grow(small):
    """The grown ControlNet of a trained one, for sketches, grey and 0…1, of twice the side.

    Args:
        small: a ControlNetModel; its first convolution has at least nine channels, one for each pixel around.

    Returns:
        A stock ControlNetModel in float32.

    Raises:
        ValueError: the first convolution has too few channels.
    """
    widths = small.config.conditioning_embedding_out_channels
    if widths[0] < 9:
        raise ValueError(f"the sketch's first convolution has {widths[0]} channels: 9 or more are needed, one for each pixel around")
    large = ControlNetModel.from_config(small.config, conditioning_embedding_out_channels=(widths[0], *widths))
    old, weights = small.state_dict(), large.state_dict()
    for name, value in old.items():
        if name.startswith("controlnet_cond_embedding.blocks."):
            *path, number, kind = name.split(".")
            name = ".".join([*path, str(int(number) + 2), kind])
        if not name.startswith("controlnet_cond_embedding.conv_in."):
            weights[name].copy_(value)
    _halve(small.controlnet_cond_embedding.conv_in, large.controlnet_cond_embedding)
    return large


def _halve(old, embedding):
    """Let the new level give what the convolution `old` gave for the halved sketch."""
    first, same, halving = embedding.conv_in, embedding.blocks[0], embedding.blocks[1]
    for convolution in (first, same, halving):
        convolution.weight.zero_()
        convolution.bias.zero_()
    first.weight[:9] = LOUD / 3 * torch.eye(9).view(9, 1, 3, 3)  # channel 3·row + column: a pixel around, grey
    torch.nn.init.dirac_(same.weight)
    reach = torch.einsum("oyx,yh,xw->ohw", old.weight.sum(1), HALVING, HALVING) / LOUD  # (out, 5, 5)
    for h, (tap_y, row) in enumerate(SEEN_BY):
        for w, (tap_x, column) in enumerate(SEEN_BY):
            halving.weight[:, 3 * row + column, tap_y, tap_x] = reach[:, h, w]
    halving.bias.copy_(old.bias)

"""An autoencoder for pictures twice as wide over the same latents: one level more at each end of a trained one.

The outer level of the encoder begins by halving the picture, that of the decoder by doubling the features, so that the grown autoencoder
begins with all that the small one knows. Left out: attention in the middle, which the pocket's autoencoders do not have.
"""

import torch
from diffusers import AutoencoderKL

# What each tap of a 3×3 convolution over the halved picture reads of the whole one, at −1, 0, 1, 2, 3 pixels from where it stands. A pixel
# of the half is the mean of two. The first tap's other pixel, at −2, is out of sight: the stock downsampler pads at the far side only.
HALVING = torch.tensor([[1.0, 0, 0, 0, 0], [0, 0.5, 0.5, 0, 0], [0, 0, 0, 0.5, 0.5]])  # (taps, pixels)
SEEN_BY = ((0, 0), (0, 1), (0, 2), (2, 1), (2, 2))  # where that pixel lies: the downsampler's tap, and the shift that it finds there


def grow(small):
    """The grown autoencoder of a trained one: a factor twice as large, the latents and `scaling_factor` the same.

    The new level is as wide as the outermost old one, 32: with fewer channels the level below would not get what it got.

    Args:
        small: an AutoencoderKL without attention; its outermost level has at least 27 channels.

    Returns:
        A stock AutoencoderKL in float32.

    Raises:
        ValueError: the outermost level is too narrow.
    """
    widths, level = small.config.block_out_channels, len(small.config.block_out_channels)
    if widths[0] < 27:
        raise ValueError(f"the outermost level has {widths[0]} channels: 27 or more are needed, nine pixels of three colours")
    settings = {name: value for name, value in small.config.items() if not name.startswith("_")} | {
        "block_out_channels": (widths[0], *widths),
        "down_block_types": ("DownEncoderBlock2D",) * (level + 1),
        "up_block_types": ("UpDecoderBlock2D",) * (level + 1),
        "sample_size": 2 * small.config.sample_size,
    }
    large = AutoencoderKL(**settings)
    _transplant(small, large)
    _halve(small.encoder.conv_in, large.encoder)
    _double(large.decoder)
    return large


@torch.no_grad()
def _transplant(small, large):
    """Copy the weights that both have; the encoder's levels lie one further in, its first convolution stays out."""
    weights = large.state_dict()
    for name, value in small.state_dict().items():
        if name.startswith("encoder.down_blocks."):
            _, _, level, rest = name.split(".", 3)
            name = f"encoder.down_blocks.{int(level) + 1}.{rest}"
        if not name.startswith("encoder.conv_in."):
            weights[name].copy_(value)


def _begin_idle(block):
    """Let a block's resnets hand on what they are given."""
    for resnet in block.resnets:
        resnet.conv2.weight.zero_()
        resnet.conv2.bias.zero_()


@torch.no_grad()
def _halve(old, encoder):
    """Let the outer level give what the convolution `old` gave for the halved picture.

    `conv_in` lays the nine pixels around each side by side, 27 channels; the downsampler reads them as means of two by two.
    """
    encoder.conv_in.bias.zero_()
    encoder.conv_in.weight[:27] = torch.eye(27).view(27, 3, 3, 3)  # channel 9·colour + 3·row + column
    _begin_idle(encoder.down_blocks[0])
    inner = encoder.down_blocks[0].downsamplers[0].conv
    reach = torch.einsum("ocyx,yh,xw->ochw", old.weight, HALVING, HALVING)  # (out, 3, 5, 5)
    inner.weight.zero_()
    for h, (tap_y, row) in enumerate(SEEN_BY):
        for w, (tap_x, column) in enumerate(SEEN_BY):
            inner.weight[:, 3 * row + column : 27 : 9, tap_y, tap_x] = reach[:, :, h, w]
    inner.bias.copy_(old.bias)


@torch.no_grad()
def _double(decoder):
    """Let the outer level give the old features twice as wide, for the old last convolution."""
    sampler = decoder.up_blocks[-2].upsamplers[0].conv
    torch.nn.init.dirac_(sampler.weight)
    sampler.bias.zero_()
    _begin_idle(decoder.up_blocks[-1])

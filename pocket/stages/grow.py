"""A U-Net for pictures twice as wide, grown from a trained one: a level more on the outside, which begins by doing nothing.

At first the new outer level hands every second pixel inwards and every result back to a block of four, so that the grown U-Net begins
with all that the small one knows of small pictures.
"""

import torch
from diffusers import UNet2DConditionModel

TIME_WIDTH = 32  # sines and cosines for each number that SDXL tells its U-Net


def grow_architecture(unet, context, added):
    """The architecture of a U-Net with one level more: SDXL's, with `context` numbers a token and `added` numbers beside the time."""
    old = unet.config
    return UNet2DConditionModel(
        sample_size=2 * old.sample_size,
        in_channels=old.in_channels,
        out_channels=old.out_channels,
        block_out_channels=(old.block_out_channels[0], *old.block_out_channels),
        down_block_types=("DownBlock2D", *old.down_block_types),
        up_block_types=(*old.up_block_types, "UpBlock2D"),
        layers_per_block=old.layers_per_block,
        cross_attention_dim=context,
        attention_head_dim=old.attention_head_dim,
        norm_num_groups=old.norm_num_groups,
        addition_embed_type="text_time",
        addition_time_embed_dim=TIME_WIDTH,
        projection_class_embeddings_input_dim=added,
    )


@torch.no_grad()
def transplant(old, new):
    """Give the grown U-Net `new` the weights of `old`, each a level further in, and an outer level that begins by doing nothing."""
    weights = new.state_dict()
    for name, value in old.state_dict().items():
        kind, _, rest = name.partition(".")
        if kind == "down_blocks":
            level, _, rest = rest.partition(".")
            name = f"down_blocks.{int(level) + 1}.{rest}"
        place = weights[name]
        if place.shape != value.shape:  # keys and values from the words: the new words begin unheard
            place.zero_()[:, : value.shape[1]] = value
        else:
            place.copy_(value)
    outer_down, inner_up, outer_up = new.down_blocks[0], new.up_blocks[-2], new.up_blocks[-1]
    for resnet in (*outer_down.resnets, *outer_up.resnets):
        resnet.conv2.weight.zero_()
        resnet.conv2.bias.zero_()
        if resnet.conv_shortcut is not None:  # of what comes from inside and what comes across, the first
            torch.nn.init.dirac_(resnet.conv_shortcut.weight)
            resnet.conv_shortcut.bias.zero_()
    for sampler in (outer_down.downsamplers[0], inner_up.upsamplers[0]):
        torch.nn.init.dirac_(sampler.conv.weight)
        sampler.conv.bias.zero_()
    new.add_embedding.linear_2.weight.zero_()
    new.add_embedding.linear_2.bias.zero_()

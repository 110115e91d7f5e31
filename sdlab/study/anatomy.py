"""Look inside a pipeline: count its parts, trace its shapes, and see where each word is looked at.

The real SD 1.5 and SDXL are built here from their published configurations on torch's meta device, which holds shapes and no
numbers: their parameters are counted without a download. Left out: their tokenizers, which have no parameters.
"""

import math
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.nn.functional as F

CLIP_L = {
    "vocab_size": 49408,
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "projection_dim": 768,
}
BIG_G = {
    "vocab_size": 49408,
    "hidden_size": 1280,
    "intermediate_size": 5120,
    "num_hidden_layers": 32,
    "num_attention_heads": 20,
    "projection_dim": 1280,
}
SD_VAE = {
    "block_out_channels": (128, 256, 512, 512), "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2, "latent_channels": 4, "sample_size": 512,
}  # fmt: skip
SD15_UNET = {
    "sample_size": 64, "block_out_channels": (320, 640, 1280, 1280), "layers_per_block": 2, "cross_attention_dim": 768,
    "attention_head_dim": 8, "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
    "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
}  # fmt: skip
SDXL_UNET = {
    "sample_size": 128, "block_out_channels": (320, 640, 1280), "layers_per_block": 2, "cross_attention_dim": 2048,
    "attention_head_dim": (5, 10, 20), "transformer_layers_per_block": (1, 2, 10), "use_linear_projection": True,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "addition_embed_type": "text_time", "addition_time_embed_dim": 256, "projection_class_embeddings_input_dim": 2816,
}  # fmt: skip


def parameters(module):
    """How many numbers a module learns."""
    return sum(p.numel() for p in module.parameters())


def parts(pipe):
    """The five parts of a pipeline: `{part: (class name, parameters)}`; tokenizer and scheduler have none to learn."""
    names = ("tokenizer", "text_encoder", "unet", "vae", "scheduler")
    found = {name: getattr(pipe, name) for name in names}
    return {n: (type(part).__name__, parameters(part) if isinstance(part, torch.nn.Module) else 0) for n, part in found.items()}


def on_paper(name):
    """The parts of "sd15" or "sdxl" on the meta device: `{part: module}`. No weights are fetched or held.

    Sources: Rombach et al. 2022 (SD 1.5 as released); Podell et al. 2023, table 1 (SDXL).
    """
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    with torch.device("meta"):
        if name == "sd15":
            return {
                "text_encoder": CLIPTextModel(CLIPTextConfig(**CLIP_L)),
                "unet": UNet2DConditionModel(**SD15_UNET),
                "vae": AutoencoderKL(**SD_VAE),
            }
        if name == "sdxl":
            return {
                "text_encoder": CLIPTextModel(CLIPTextConfig(**CLIP_L)),
                "text_encoder_2": CLIPTextModelWithProjection(CLIPTextConfig(hidden_act="gelu", **BIG_G)),
                "unet": UNet2DConditionModel(**SDXL_UNET),
                "vae": AutoencoderKL(**SD_VAE | {"sample_size": 1024}),
            }
    raise ValueError(f"on_paper({name!r}): only 'sd15' and 'sdxl' are known here, choose one")


@dataclass(frozen=True)
class Level:
    """What one block of a U-Net gives back: its name, channels, height and width, and parameters."""

    name: str
    channels: int
    height: int
    width: int
    parameters: int


def trace(unet, side=None):
    """The shapes a latent takes on its way through a U-Net, seen by hooks on its blocks: a list of `Level`.

    Args:
        unet: a `UNet2DConditionModel`; on the meta device it costs nothing.
        side: latent height and width; default: the model's own.
    """
    side = side or unet.config.sample_size
    named = [("conv_in", unet.conv_in)]
    named += [(f"down {i}", block) for i, block in enumerate(unet.down_blocks)]
    named += [("middle", unet.mid_block)]
    named += [(f"up {i}", block) for i, block in enumerate(unet.up_blocks)]
    named += [("conv_out", unet.conv_out)]
    levels = []

    def note(name):
        def hook(module, _, output):
            output = output[0] if isinstance(output, tuple) else output
            levels.append(Level(name, *output.shape[1:], parameters(module)))

        return hook

    handles = [module.register_forward_hook(note(name)) for name, module in named]
    place = {"device": unet.device, "dtype": unet.dtype}
    extra = {}
    if unet.config.addition_embed_type == "text_time":
        extra = {"added_cond_kwargs": {"text_embeds": torch.zeros(1, 1280, **place), "time_ids": torch.zeros(1, 6, **place)}}
    try:
        with torch.no_grad():
            context = torch.zeros(1, 77, unet.config.cross_attention_dim, **place)
            unet(torch.zeros(1, 4, side, side, **place), torch.zeros(1, **place), context, **extra)
    finally:
        for handle in handles:
            handle.remove()
    return levels


class _Watcher:
    """An attention processor that computes plain softmax attention and keeps the cross-attention's weights."""

    def __init__(self, kept):
        self.kept = kept

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None, temb=None, **_):
        cross = encoder_hidden_states is not None
        context = encoder_hidden_states if cross else hidden_states
        query = attn.head_to_batch_dim(attn.to_q(hidden_states))  # (B·heads, cells, d)
        key, value = (attn.head_to_batch_dim(layer(context)) for layer in (attn.to_k, attn.to_v))
        weights = attn.get_attention_scores(query, key, attention_mask)  # (B·heads, cells, tokens)
        if cross:
            heads = weights.unflatten(0, (-1, attn.heads))  # (B, heads, cells, tokens)
            self.kept.append(heads[-1].mean(0).float().cpu())  # the prompt's half of a guided batch comes last
        out = attn.batch_to_head_dim(weights @ value)
        return attn.to_out[1](attn.to_out[0](out))


@contextmanager
def watching(unet):
    """Inside the `with` block, collect the cross-attention of every call: a list of (cells, tokens) tensors."""
    kept, before = [], unet.attn_processors
    unet.set_attn_processor(_Watcher(kept))
    try:
        yield kept
    finally:
        unet.set_attn_processor(before)


def grid_of(cells, aspect):
    """Height and width of the grid that has so many cells and is nearest to an aspect, height over width: `(h, w)`."""
    sides = (h for h in range(1, cells + 1) if cells % h == 0)
    height = min(sides, key=lambda h: abs(math.log(h * h / (cells * aspect))))
    return height, cells // height


def word_maps(pipe, recipe):
    """Where each word of a prompt is looked at while its picture is made.

    The cross-attention of all layers, heads and steps is averaged on the picture's grid (Tang et al. 2022, DAAM, without its
    thresholds).

    Returns:
        The `Generation`, and `{word: map}` with maps (h, w) of the finest cross-attention, scaled to at most 1.
    """
    from sdlab.pipes.generation import generate

    with watching(pipe.unet) as kept:
        generation = generate(pipe, recipe, progress=False)
    shapes = [grid_of(weights.shape[0], generation.recipe.height / generation.recipe.width) for weights in kept]
    finest = max(shapes)
    total = 0
    for weights, shape in zip(kept, shapes, strict=True):
        maps = weights.T.reshape(1, -1, *shape)  # (1, tokens, h, w)
        total = total + F.interpolate(maps, finest, mode="bilinear")[0]
    tokens = pipe.tokenizer.tokenize(recipe.prompt)
    words, current = {}, []
    for position, token in enumerate(tokens, start=1):  # position 0 is the start of text
        current.append(position)
        if token.endswith("</w>"):
            word = "".join(tokens[p - 1] for p in current).removesuffix("</w>")
            attention = total[current].sum(0)
            words.setdefault(word, attention / attention.max())
            current = []
    return generation, words

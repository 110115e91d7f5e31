"""How fast could it be? The work of a picture, counted, over the speed at which the device multiplies large matrices, measured."""

import torch

from sdlab.bench.clock import read_clock
from sdlab.bench.preparing import modules_of

GUIDED = 2  # the U-Net and the text encoders work with the prompt and without it
SHORTEST = 0.05  # seconds that one product must take for the clock to be trusted
TRIES = 5


@torch.no_grad()
def count_work(pipe, side):
    """Floating-point operations of one guided picture, by torch's own counter, a multiplication and an addition as two.

    The parts are built again on the meta device, which has shapes and no numbers, so that counting takes seconds.

    Args:
        pipe: a pipeline, not compiled.
        side: of the picture, in pixels.

    Returns:
        `{"text": …, "step": …, "decode": …}`.
    """
    latent = side // pipe.vae_scale_factor
    with torch.device("meta"):
        unet, vae = (type(part).from_config(part.config).eval() for part in (pipe.unet, pipe.vae))
        encoders = [type(part)(part.config).eval() for name, part in modules_of(pipe).items() if name.startswith("text_encoder")]
        tokens = pipe.tokenizer.model_max_length
        z, level, ids = torch.zeros(GUIDED, 4, latent, latent), torch.zeros(GUIDED), torch.zeros(GUIDED, tokens, dtype=torch.long)
        words, more = torch.zeros(GUIDED, tokens, unet.config.cross_attention_dim), {}
        if unet.config.addition_embed_type == "text_time":
            pooled = unet.config.projection_class_embeddings_input_dim - 6 * unet.config.addition_time_embed_dim
            more = {"added_cond_kwargs": {"text_embeds": torch.zeros(GUIDED, pooled), "time_ids": torch.zeros(GUIDED, 6)}}
        return {
            "text": sum(_count(encoder, ids) for encoder in encoders),
            "step": _count(unet, z, level, words, **more),
            "decode": _count(vae.decode, z[:1]),
        }


def _count(called, *arguments, **more):
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        called(*arguments, **more)
    return counter.get_total_flops()


def measure_rate(device, dtype, shortest=SHORTEST):
    """Operations per second of large matrix products: the fastest of several, for it is a limit.

    Args:
        device: where.
        dtype: of the matrices.
        shortest: seconds that a product must take; matrices grow until it does.
    """
    side = 512
    while True:
        a, b = (torch.randn(side, side, device=device, dtype=torch.float32).to(dtype) for _ in range(2))
        seconds = min(_time_product(a, b, device) for _ in range(TRIES))
        if seconds >= shortest:
            return 2 * side**3 / seconds
        side *= 2


def _time_product(a, b, device):
    start = read_clock(device)
    a @ b
    return read_clock(device) - start


def share_of_limit(work, sample, rate):
    """Which share of the device's speed a sample used: the work of its pictures over what the device could have done in that time."""
    done = sample.pictures * (work["text"] + len(sample.steps) * work["step"] + work["decode"])
    return done / (rate * sample.total)

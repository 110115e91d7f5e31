"""Pictures that borrow from another picture of their batch: a style by example, and an edit by words. No weight changes.

The pictures go through the U-Net in groups. The first of each group is the one that the others borrow from; it is drawn as it would be
alone. Left out: the style of real photographs by inversion (Hertz et al. 2024, section 5); here the example is noised anew for every step.
"""

from contextlib import ExitStack, contextmanager

import torch
import torch.nn.functional as F

from sdlab.system.calls import check_call


def match(x, example):
    """Features with the mean and the standard deviation, channel by channel, of an example's (AdaIN; Huang & Belongie 2017, eq. 8).

    Both are (…, cells, channels).
    """
    normal = (x - x.mean(-2, keepdim=True)) / (x.std(-2, keepdim=True) + 1e-5)
    return normal * example.std(-2, keepdim=True) + example.mean(-2, keepdim=True)


class SharedAttention:
    """Self-attention in which each picture looks at its own cells and at those of its group's first (Hertz et al. 2024, StyleAligned)."""

    def __init__(self, group):
        self.group = group

    def __call__(self, attn, hidden_states, *_, **__):
        """Features (B, cells, channels) → the same, having attended."""
        groups = hidden_states.unflatten(0, (-1, self.group))  # (groups, group, cells, channels)
        query, key, value = attn.to_q(groups), attn.to_k(groups), attn.to_v(groups)
        query, key = match(query, query[:, :1]), match(key, key[:, :1])
        key, value = (torch.cat([x[:, :1].expand_as(x), x], dim=2) for x in (key, value))  # twice as many cells
        heads = (x.flatten(0, 1).unflatten(2, (attn.heads, -1)).transpose(1, 2) for x in (query, key, value))
        out = F.scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2)  # (B, cells, channels)
        return attn.to_out[1](attn.to_out[0](out))


class KeptAttention:
    """Attention whose weights are, for some steps, those of the group's first picture (Hertz et al. 2022, Prompt-to-Prompt, Alg. 1).

    Made for one layer, which calls it once in every step; it counts these calls.
    """

    def __init__(self, group, steps):
        self.group, self.left = group, steps

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, *_, **__):
        """Features (B, cells, channels) → the same, having attended to themselves, or to words (B, tokens, width)."""
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        query, key, value = (attn.head_to_batch_dim(x) for x in (attn.to_q(hidden_states), attn.to_k(context), attn.to_v(context)))
        weights = attn.get_attention_scores(query, key)  # (B·heads, cells, tokens)
        if self.left > 0:
            groups = weights.unflatten(0, (-1, self.group, attn.heads))
            weights = groups[:, :1].expand_as(groups).flatten(0, 2)
        self.left -= 1
        out = attn.batch_to_head_dim(weights @ value)
        return attn.to_out[1](attn.to_out[0](out))


@contextmanager
def attending(unet, to_itself=None, to_words=None):
    """Inside the `with` block, other attention: `to_itself()` makes the processor of a self-attention layer, `to_words()` that of a
    cross-attention layer; None leaves them as they are.
    """
    before = unet.attn_processors
    makers = {name: to_itself if ".attn1." in name else to_words for name in before}
    unet.set_attn_processor({name: make() if (make := makers[name]) else own for name, own in before.items()})
    try:
        yield
    finally:
        unet.set_attn_processor(before)


@contextmanager
def matching(unet, group):
    """Inside the `with` block, every feature of the U-Net's finest level has the mean and standard deviation that it has in the group's
    first picture (as "reference AdaIN" in the ControlNet extension of Zhang 2023 has it, there on all levels).
    """

    def hook(module, inputs, output):  # (B, channels, h, w)
        groups = output.flatten(2).transpose(1, 2).unflatten(0, (-1, group))
        return match(groups, groups[:, :1]).flatten(0, 1).transpose(1, 2).unflatten(2, output.shape[2:])

    handles = [layer.register_forward_hook(hook) for layer in (*unet.down_blocks[0].resnets, *unet.up_blocks[-1].resnets)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _seeded(seeds):
    return [torch.Generator("cpu").manual_seed(seed) for seed in seeds]


@check_call('draw_like(pipe, example, ["a lion in a garden"])')
def draw_like(pipe, example, prompts, *, seeds=None, steps=25, guidance=4.0, attention=True, features=True):
    """Pictures of prompts in the style of an example.

    The example goes through the U-Net beside them, without a prompt, noised anew for every step.

    Args:
        pipe: a Stable Diffusion pipeline, with DDIM or another sampler whose latents begin with standard deviation 1.
        example: a PIL picture.
        prompts: what to draw; they should say nothing of the style.
        seeds: one for each prompt; default: 0, 1, 2, …
        steps: denoising steps.
        guidance: guidance scale.
        attention: let every picture attend to the example's cells too (StyleAligned).
        features: give the finest features the example's mean and standard deviation (AdaIN).

    Returns:
        A list of PIL pictures, one for each prompt.
    """
    from diffusers.utils.torch_utils import randn_tensor

    from sdlab.pipes.models import native_side
    from sdlab.pipes.pictures import prepare_picture

    side, group, place = native_side(pipe), 1 + len(prompts), {"device": pipe.device, "dtype": pipe.unet.dtype}
    generators = _seeded([0, *(seeds if seeds is not None else range(len(prompts)))])
    pixels = pipe.image_processor.preprocess(prepare_picture(example, side, side)).to(**place)
    with torch.no_grad():
        clean = pipe.vae.encode(pixels).latent_dist.mean * pipe.vae.config.scaling_factor
    latents = randn_tensor((group, *clean.shape[1:]), generator=generators, **place)
    noise = latents[:1].clone()

    def renew(pipe, step, timestep, values):
        following = pipe.scheduler.timesteps[step + 1 : step + 2]
        if len(following):
            values["latents"][:1] = pipe.scheduler.add_noise(clean, noise, following)
        return values

    with ExitStack() as changed:
        if attention:
            changed.enter_context(attending(pipe.unet, to_itself=lambda: SharedAttention(group)))
        if features:
            changed.enter_context(matching(pipe.unet, group))
        pictures = pipe(
            ["", *prompts], latents=latents, generator=generators, num_inference_steps=steps, guidance_scale=guidance,
            callback_on_step_end=renew,
        ).images  # fmt: skip
    return pictures[1:]


@check_call('edit_words(pipe, "a lion on the beach", "a tiger on the beach")')
def edit_words(pipe, before, after, *, seed=0, steps=25, guidance=4.0, to_words=0.8, to_itself=0.0):
    """A picture of a prompt, and one of the prompt with a word exchanged, which keeps the attention of the first.

    Args:
        pipe: a Stable Diffusion pipeline.
        before: the prompt of the first.
        after: that of the second, of the same number of tokens, for attention is kept place by place.
        seed: of the noise of both.
        steps: denoising steps.
        guidance: guidance scale.
        to_words: the share of the steps, from the first on, in which the cross-attention is kept; 0 to 1.
        to_itself: the same of the self-attention.

    Returns:
        Both PIL pictures.

    Raises:
        ValueError: the prompts are not of the same number of tokens.
    """
    lengths = [len(pipe.tokenizer(text).input_ids) for text in (before, after)]
    if lengths[0] != lengths[1]:
        raise ValueError(f"{before!r} and {after!r} have {lengths[0]} and {lengths[1]} tokens: exchange a word for one of the same number")
    kept = {name: lambda share=share: KeptAttention(2, round(share * steps)) for name, share in
            (("to_words", to_words), ("to_itself", to_itself))}  # fmt: skip
    with attending(pipe.unet, **kept):
        return pipe(
            [before, after], generator=_seeded([seed, seed]), num_inference_steps=steps, guidance_scale=guidance,
        ).images  # fmt: skip

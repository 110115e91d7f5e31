"""Captioned pictures as a pipeline's U-Net takes them: latents, and what its text encoders make of the captions. Encoded once."""

import torch


class Examples:
    """The latents and the encoded captions of pictures, on the CPU.

    Args:
        pipe: a pipeline of Stable Diffusion or SDXL, whose autoencoder and text encoders are used once and stay as they are.
        examples: of `read_examples`.
    """

    def __init__(self, pipe, examples):
        self.scaling = pipe.vae.config.scaling_factor
        self.shift = pipe.vae.config.shift_factor or 0.0
        self.mean, self.deviation = _encode_pictures(pipe, [one.pixels for one in examples])  # (n, 4, h, w) each
        self.words, self.pooled = _encode_captions(pipe, [one.caption for one in examples])  # (n, 77, d), and (n, d) or None
        side = examples[0].pixels.shape[-1]
        # SDXL is told of each picture its size before it was cut, where it was cut, and its size now (Podell et al. 2023, section 2.2)
        self.frames = torch.tensor([[*one.frame, side, side] for one in examples], dtype=torch.float32)

    def draw(self, step, count, seed, levels):
        """What a step sees: the numbers of the examples (count,), latents and noise (count, 4, h, w), and noise levels (count,).

        The same seed and step give the same, whatever was drawn before.
        """
        rng = torch.Generator().manual_seed((1_000_003 * seed + step) % 2**63)
        chosen = torch.randint(len(self.mean), (count,), generator=rng)
        grain, noise = torch.randn(2, count, *self.mean.shape[1:], generator=rng)
        times = torch.randint(levels, (count,), generator=rng)
        latents = (self.mean[chosen] + self.deviation[chosen] * grain - self.shift) * self.scaling
        return chosen, latents, noise, times

    def tell(self, chosen, device):
        """What the U-Net is told of some examples beside latents and noise level."""
        told = {"encoder_hidden_states": self.words[chosen].to(device)}
        if self.pooled is not None:
            told["added_cond_kwargs"] = {"text_embeds": self.pooled[chosen].to(device), "time_ids": self.frames[chosen].to(device)}
        return told

    def split(self, drawn, start, stop, batch, device):
        """Examples `start` to `stop` of what was drawn, `batch` at a time, on a device: latents, noise, levels, and what is told."""
        chosen, *values = drawn
        for first in range(start, stop, batch):
            part = slice(first, first + batch)
            yield *(value[part].to(device) for value in values), self.tell(chosen[part], device)


def set_dtype(module, dtype):
    """Let a model compute in a dtype; diffusers warns of it even where it is the same."""
    if module.dtype != dtype:
        torch.nn.Module.to(module, dtype)


@torch.no_grad()
def _encode_pictures(pipe, pictures, at_once=4):
    """Mean and standard deviation of the latents of uint8 pictures (3, side, side), before scaling."""
    before, found = pipe.vae.dtype, []
    dtype = torch.float32 if pipe.vae.config.force_upcast else before  # SDXL's encoder overflows in float16
    set_dtype(pipe.vae, dtype)
    try:
        for start in range(0, len(pictures), at_once):
            pixels = torch.stack(pictures[start : start + at_once]).to(pipe.vae.device, dtype) / 127.5 - 1
            latents = pipe.vae.encode(pixels).latent_dist
            found.append((latents.mean.float().cpu(), latents.std.float().cpu()))
    finally:
        set_dtype(pipe.vae, before)
    return [torch.cat(part) for part in zip(*found, strict=True)]


@torch.no_grad()
def _encode_captions(pipe, captions, at_once=32):
    """The vectors of captions (n, 77, d), and of SDXL the pooled ones (n, d), else None; each wording is encoded once."""
    distinct = list(dict.fromkeys(captions))
    words, pooled = [], []
    for start in range(0, len(distinct), at_once):
        part = distinct[start : start + at_once]
        encoded = pipe.encode_prompt(prompt=part, device=pipe.device, num_images_per_prompt=1, do_classifier_free_guidance=False)
        words.append(encoded[0].float().cpu())
        pooled += [encoded[2].float().cpu()] if len(encoded) == 4 else []
    where = [distinct.index(caption) for caption in captions]
    return torch.cat(words)[where], torch.cat(pooled)[where] if pooled else None

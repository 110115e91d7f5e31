"""Stable Diffusion 1.5 and SDXL in full size with random weights: how long they take does not depend on what the weights say.

Their architectures are those of the published configurations (`sdlab.study.anatomy`), and nothing is downloaded. Left out: their
vocabulary, for which the pocket model's stands in; a text is cut or filled to as many tokens either way. Their pictures mean nothing.
"""

import torch

from sdlab.assets import ASSETS
from sdlab.study.anatomy import on_paper
from sdlab.system import device as devices
from sdlab.system.calls import brief

NAMES = ("sd15", "sdxl")
NOISE = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1}  # of both


def build(name, dtype):
    """A pipeline of true size, in main memory.

    Args:
        name: "sd15" or "sdxl".
        dtype: of its weights.

    Returns:
        A stock diffusers pipeline.

    Raises:
        ValueError: another name.
        MemoryError: the weights do not fit into the memory that is free.
    """
    if name not in NAMES:
        raise ValueError(f"model {brief(name)} has no random weights: they are made for {' and '.join(NAMES)}, others are loaded")
    parts = on_paper(name)
    need = sum(p.numel() for part in parts.values() for p in part.parameters()) * dtype.itemsize
    if need > (free := devices.free_memory("cpu")):
        raise MemoryError(f"the weights of {name} take {need / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free: close other programs")
    return assemble({part: fill(module, dtype) for part, module in parts.items()})


def fill(module, dtype):
    """Random numbers for a module on the meta device, such that what goes through it neither grows nor dies away much."""
    module = torch.nn.Module.to(module, dtype).to_empty(device="cpu").eval()  # diffusers' own `to` has a warning that is not about these
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, weight in module.named_parameters():
            if weight.ndim > 1:
                bound = (3 / weight[0].numel()) ** 0.5  # of numbers spread evenly, with a standard deviation of 1 / √inputs
                weight.uniform_(-bound, bound, generator=generator)
            else:
                weight.fill_(1.0 if name.endswith("weight") else 0.0)
        for name, buffer in module.named_buffers():
            if not name.endswith("position_ids"):
                raise NotImplementedError(f"buffer {name} of {type(module).__name__} is new, and random numbers may not do for it")
            buffer.copy_(torch.arange(buffer.numel()).view_as(buffer))
    return module


def assemble(parts):
    """The pipeline of these parts: SDXL's, if there is a second text encoder."""
    from diffusers import EulerDiscreteScheduler, PNDMScheduler, StableDiffusionPipeline, StableDiffusionXLPipeline
    from transformers import CLIPTokenizer

    tokenizer = CLIPTokenizer.from_pretrained(ASSETS / "pocket" / "tokenizer")
    if "text_encoder_2" in parts:
        scheduler = EulerDiscreteScheduler(**NOISE)
        return StableDiffusionXLPipeline(**parts, tokenizer=tokenizer, tokenizer_2=tokenizer, scheduler=scheduler, add_watermarker=False)
    return StableDiffusionPipeline(
        **parts, tokenizer=tokenizer, scheduler=PNDMScheduler(**NOISE, skip_prk_steps=True), safety_checker=None, feature_extractor=None,
        requires_safety_checker=False,
    )  # fmt: skip

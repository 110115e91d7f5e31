"""Memory plans: how a pipeline is laid out, so that it fits into the memory of the device; the fastest that fits comes first.

What a plan needs is estimated from the weights and from two numbers that were counted on paper, with torch's `MemTracker` over the true
architectures (`python -m benchmarks.memory`): what a U-Net and a decoder hold at their peak. Attention slicing makes attention slower than
it is by itself, so it comes last.
"""

import warnings
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import torch

from sdlab.system import device as devices
from sdlab.system.calls import brief

UNET_PEAK = 26  # times its widest layer, over both halves of a guided batch: SD 1.5 at 512 pixels; SDXL at 1024 has 16
DECODER_PEAK = 3  # times its last wide layer: Stable Diffusion's at 512 and at 1024 pixels
TILE = 512  # pixels of a tile that diffusers decodes at once
RESERVE = 0.6e9  # bytes for the libraries' own use: contexts, kernels, workspaces
GUIDED = 2  # halves of a batch
HALVES = {"cpu": torch.bfloat16}  # where float16 is no fast format


@dataclass(frozen=True)
class Plan:
    """A way to lay out a pipeline.

    Args:
        does: what it does, for a message.
        half: weights in half precision.
        tiling: the autoencoder works on tiles, one picture at a time.
        offload: "parts" keeps only the part at work on the device, "layers" only the layer at work.
        slicing: attention one head after the other.
    """

    does: str
    half: bool = False
    tiling: bool = False
    offload: str | None = None
    slicing: bool = False


PLANS = {
    "full": Plan("everything on the device"),
    "half": Plan("half precision", half=True),
    "tiling": Plan("half precision, pictures decoded tile by tile", half=True, tiling=True),
    "offload": Plan("only the part at work on the GPU, the rest in main memory", half=True, tiling=True, offload="parts"),
    "sequential": Plan("only the layer at work on the GPU, which is many times slower", half=True, tiling=True, offload="layers"),
    "slicing": Plan("attention head by head, which is slower", half=True, tiling=True, slicing=True),
}
ON = {  # the kind of device → its plans, the fastest first; a Mac and a CPU have one memory, so that nothing can be moved out of it
    "cuda": ("full", "half", "tiling", "offload", "sequential"),
    "mps": ("full", "half", "tiling", "slicing"),
    "cpu": ("full", "half", "tiling", "slicing"),
}


_CHOSEN = WeakKeyDictionary()  # U-Net → the plan that "auto" chose for it; pipelines that share their parts share it


@dataclass(frozen=True)
class Needs:
    """What decides how much memory a pipeline takes: bytes of its parts and of its largest layer, and what one picture adds at the peak."""

    parts: tuple[int, ...]
    layer: int
    unet: int
    decoder: int
    tile: int


def measure_needs(pipe, side):
    """The `Needs` of a pipeline for pictures of `side` pixels, in the dtype that it has."""
    modules = [part for part in pipe.components.values() if isinstance(part, torch.nn.Module)]
    bits = pipe.unet.dtype.itemsize
    decoder_bits = 4 if pipe.vae.config.get("force_upcast", False) else bits  # then it is decoded in float32
    wide = pipe.vae.config.block_out_channels[min(1, len(pipe.vae.config.block_out_channels) - 1)]
    latent = side // pipe.vae_scale_factor
    return Needs(
        parts=tuple(sum(p.numel() * p.element_size() for p in module.parameters()) for module in modules),
        layer=max(p.numel() * p.element_size() for module in modules for p in module.parameters()),
        unet=UNET_PEAK * GUIDED * latent * latent * pipe.unet.config.block_out_channels[0] * bits,
        decoder=DECODER_PEAK * side * side * wide * decoder_bits,
        tile=DECODER_PEAK * min(side, TILE) ** 2 * wide * decoder_bits,
    )


def estimate(name, needs, is_half):
    """Bytes that a plan takes on the device at its peak.

    Args:
        name: of `PLANS`.
        needs: of the pipeline as it is.
        is_half: whether it is in half precision already.
    """
    plan = PLANS[name]
    weights = {None: sum(needs.parts), "parts": max(needs.parts), "layers": needs.layer}[plan.offload]
    drawing = max(needs.unet, needs.tile if plan.tiling else needs.decoder)
    shrunk = 0.5 if plan.half and not is_half else 1.0
    return round(shrunk * (weights + drawing) + RESERVE)


def choose(kind, needs, free, is_half):
    """The name of the fastest plan that fits into `free` bytes of a kind of device; the last one, where none does."""
    names = [name for name in ON[kind] if not (name == "half" and is_half)]
    return next((name for name in names if estimate(name, needs, is_half) <= free), names[-1])


def check_memory(memory):
    """Refuse a plan that does not exist.

    Raises:
        ValueError: the message names those that do.
    """
    if memory != "auto" and memory not in PLANS:
        raise ValueError(f"memory is {brief(memory)}: it must be 'auto' or one of {', '.join(map(repr, PLANS))}")


def place(pipe, device, side, memory="auto"):
    """Lay out a pipeline that was loaded into main memory, and say so where it is not simply on the device.

    Args:
        pipe: the pipeline.
        device: where it is to compute.
        side: of its pictures, in pixels.
        memory: "auto", or the name of a plan.

    Returns:
        The pipeline.

    Raises:
        ValueError: there is no such plan for this device.
    """
    check_memory(memory)
    if memory != "auto" and memory not in ON[device.type]:
        raise ValueError(f"memory is {memory!r}, which needs a GPU with a memory of its own: here it can be {', '.join(ON[device.type])}")
    is_half, needs = pipe.unet.dtype.itemsize < 4, measure_needs(pipe, side)
    free = devices.free_memory(device) + (sum(needs.parts) if device.type == "cpu" else 0)  # there the weights are in it already
    name = choose(device.type, needs, free, is_half) if memory == "auto" else memory
    plan = PLANS[name]
    if memory == "auto":
        _CHOSEN[pipe.unet] = name
    if name != "full":
        full, found = (f"{size / 1e9:.1f} GB" for size in (estimate("full", needs, is_half), free))
        why = "as asked" if memory != "auto" else f"for all of it takes {full}, and {found} are free; memory='full' tries it all the same"
        warnings.warn(f"the model is loaded with memory={name!r} ({plan.does}), {why}", stacklevel=3)
    return apply(pipe, plan, device)


def apply(pipe, plan, device):
    """Carry out a plan."""
    if plan.half and pipe.unet.dtype.itemsize == 4:
        pipe.to(HALVES.get(device.type, torch.float16))
    if plan.tiling:
        pipe.vae.enable_tiling()
        pipe.vae.enable_slicing()
    if plan.slicing:
        pipe.enable_attention_slicing()
    if plan.offload == "parts":
        pipe.enable_model_cpu_offload(device=device)
    elif plan.offload == "layers":
        pipe.enable_sequential_cpu_offload(device=device)
    else:
        pipe.to(device)
    return pipe


def step_down(pipe):
    """Lay a pipeline out by the next plan that takes less memory, if its plan was left to "auto"; the plan's name, or None."""
    chosen, names = _CHOSEN.get(pipe.unet), ON[pipe.device.type]
    if chosen is None:
        return None
    later = names[names.index(chosen) + 1 :]
    if pipe.unet.dtype.itemsize < 4:
        later = [name for name in later if name != "half"]
    if not later:
        return None
    _CHOSEN[pipe.unet] = later[0]
    apply(pipe, PLANS[later[0]], pipe.device)
    return later[0]


def tell_shortage(pipe, width, height):
    """What one picture takes beside the weights, and what is free: for a message."""
    needs = measure_needs(pipe, round((width * height) ** 0.5))
    need, free = (f"{size / 1e9:.1f} GB" for size in (max(needs.unet, needs.decoder), devices.free_memory(pipe.device)))
    return f"one picture of {width}×{height} takes about {need} beside the weights, and {free} are free on {pipe.device}"

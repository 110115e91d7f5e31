"""From settings to a pipeline that is ready to be called, and the arguments of its call."""

import copy
import warnings

import torch

from sdlab.bench.onnx import OnnxUNet
from sdlab.pipes import samplers
from sdlab.pipes.loading import choose_dtypes, settle_dtypes
from sdlab.system import device as devices

GUIDANCE = 7.5
EMBEDDINGS = ("prompt_embeds", "negative_prompt_embeds", "pooled_prompt_embeds", "negative_pooled_prompt_embeds")


def modules_of(pipe):
    """The parts of a pipeline that compute: `{name: module}`."""
    return {name: part for name, part in pipe.components.items() if isinstance(part, torch.nn.Module)}


def vary(pipe, own, settings, device):
    """A pipeline with other settings, which leaves the one it is made from as it is.

    Args:
        pipe: what it is made from.
        own: the settings of `pipe`.
        settings: what the new one is to have. If only its calls differ, it shares the parts of `pipe`.
        device: where it is to compute.

    Returns:
        The pipeline.

    Raises:
        MemoryError: a copy of the parts does not fit.
        Exception: whatever the device, the compiler or a library says of settings that it cannot do.
    """
    new = copy.copy(pipe)
    if settings.made != own.made:
        _check_room(pipe, settings, device)
        for name, part in modules_of(pipe).items():
            setattr(new, name, copy.deepcopy(part))
        arrange(new, settings, device)
    if settings.sampler:
        new.scheduler = samplers.make(settings.sampler, pipe.scheduler.config)
    return new


def _check_room(pipe, settings, device):
    need = sum(p.numel() for part in modules_of(pipe).values() for p in part.parameters()) * getattr(torch, settings.dtype).itemsize
    if need > (free := devices.free_memory(device)):
        raise MemoryError(f"a second copy of the weights takes {need / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free on {device}")


def arrange(pipe, settings, device):
    """Give a pipeline its settings, in place: everything but what a call decides.

    Args:
        pipe: on any device, in any dtype, not compiled.
        settings: its `Settings`.
        device: where it is to compute.

    Returns:
        The pipeline.
    """
    _cast(pipe, getattr(torch, settings.dtype), device)
    _attend(pipe, settings.attention)
    if settings.channels_last:
        for part in (pipe.unet, pipe.vae):
            part.to(memory_format=torch.channels_last)
    if settings.vae_slicing:
        pipe.vae.enable_slicing()
    if settings.vae_tiling:  # at its own size a model has but one tile, so that nothing would change
        pipe.vae.enable_tiling()
        pipe.vae.tile_sample_min_size = settings.side // 2
        pipe.vae.tile_latent_min_size = settings.side // 2 // pipe.vae_scale_factor
    if settings.int8:
        pipe.unet = quantise(pipe.unet, device)
    if settings.engine == "onnxruntime":
        latent = settings.side // pipe.vae_scale_factor
        pipe.unet = OnnxUNet(pipe.unet, 2 * settings.batch, latent, pipe.tokenizer.model_max_length)
    if settings.compile:
        _compile(pipe, settings.compile, device)
    if settings.offload == "parts":
        pipe.to("cpu").enable_model_cpu_offload(device=device)
    elif settings.offload == "layers":
        pipe.to("cpu").enable_sequential_cpu_offload(device=device)
    return pipe


def _cast(pipe, dtype, device):
    if dtype == torch.bfloat16 and not devices.has_bf16(device):
        raise ValueError(f"{device} does not compute in bfloat16 itself, it only imitates it")
    dtypes = choose_dtypes(device, dtype)
    for name, part in modules_of(pipe).items():
        own = dtypes.get(name, dtypes["default"]) if isinstance(dtypes, dict) else dtypes
        torch.nn.Module.to(part, device, own)  # diffusers' own `to` warns of modules to be kept in float32, of which these have none
    if device.type == "mps":
        for part in (pipe.unet, pipe.vae.encoder, pipe.vae.post_quant_conv):
            part._forward_pre_hooks.clear()  # of a copy: they cast to the dtype of its original
        if dtype != torch.float32:
            settle_dtypes(pipe)


def _attend(pipe, attention):
    from diffusers.models.attention_processor import AttnProcessor, AttnProcessor2_0

    processor = AttnProcessor2_0() if attention == "sdpa" else AttnProcessor()
    for part in (pipe.unet, pipe.vae):
        part.set_attn_processor(processor)
    if attention == "sliced":
        pipe.enable_attention_slicing()


def _compile(pipe, extent, device):
    """The blocks that repeat are compiled once for all of them; the whole takes many times as long."""
    if extent == "regions":
        pipe.unet.compile_repeated_blocks(fullgraph=True)
        return
    mode = "max-autotune" if device.type == "cuda" else None  # as diffusers advises; on a CPU it searches for very long
    pipe.unet = torch.compile(pipe.unet, mode=mode, fullgraph=True)
    pipe.vae.decoder = torch.compile(pipe.vae.decoder, mode=mode, fullgraph=True)


def quantise(unet, device):
    """A U-Net with the weights of its linear layers in 8 bits: by torchao, or on a CPU without it by torch's own older way.

    Raises:
        ImportError: on a GPU without torchao.
    """
    try:
        from torchao.quantization import Int8WeightOnlyConfig, quantize_
    except ImportError as error:
        if device.type != "cpu":
            raise ImportError("int8 weights on a GPU need torchao: pip install torchao") from error
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that torchao is to take its place, as it does above
            return torch.ao.quantization.quantize_dynamic(unet.float(), {torch.nn.Linear}, dtype=torch.qint8)
    quantize_(unet, Int8WeightOnlyConfig())
    return unet


@torch.no_grad()
def call_arguments(pipe, settings, prompt, device, seed=0):
    """What a pipeline is called with.

    Args:
        pipe: as `vary` or `arrange` made it.
        settings: its settings.
        prompt: what to draw.
        device: where it computes.
        seed: of the first picture; those of a batch take the next ones.
    """
    common = {
        "num_inference_steps": settings.steps, "guidance_scale": GUIDANCE, "width": settings.side, "height": settings.side,
        "num_images_per_prompt": settings.batch,
        "generator": [torch.Generator("cpu").manual_seed(seed + number) for number in range(settings.batch)],
    }  # fmt: skip
    if not settings.reuse_words:
        return common | {"prompt": prompt}
    given = pipe.encode_prompt(prompt=prompt, device=device, num_images_per_prompt=1, do_classifier_free_guidance=True)
    return common | dict(zip(EMBEDDINGS, given, strict=False))

"""`load`: a name → one stock diffusers pipeline, ready on the device."""

import os
import warnings
from pathlib import Path

import torch

from sdlab.pipes import samplers
from sdlab.pipes.first_load import announce, reach
from sdlab.pipes.hub import explain
from sdlab.pipes.memory import check_memory, place
from sdlab.pipes.models import AUTOENCODER, LORA, MODELS, MOVED, PARTS, SKETCH, TEXT, look_up, name_of, native_side
from sdlab.pipes.quiet import quiet
from sdlab.system import device as devices
from sdlab.system.calls import brief, check_call


@check_call("sdlab.load('pocket')")
def load(name=None, device=None, dtype=None, *, base=None, memory="auto", local_files_only=False, safety_checker=False):
    """Load a model as a stock diffusers pipeline.

    Args:
        name: a name of the model table (`sdlab.list_models()`), a diffusers folder, a `.safetensors` file, or a Hub id such as
            "stabilityai/sd-turbo". Default: the environment's `SDLAB_MODEL`, which must be a text-to-image model, else "pocket".
        device: "cuda", "mps" or "cpu"; default: the best there is.
        dtype: a torch dtype; default: what the device likes.
        base: a loaded pipeline to share parts with, for a model that stands on another: the pocket model for its ControlNet, the
            XL for its refiner. Default: it is loaded as well.
        memory: how it is laid out (`sdlab.pipes.memory.PLANS`): "auto" takes the fastest plan that fits into the device's memory, and
            says which, where that is not "full"; "full", "half", "tiling", "offload", "sequential" and "slicing" force one.
        local_files_only: never ask the network; a model not on this machine is then an error at once.
        safety_checker: load the network that some models come with, which looks at every picture and replaces by a black one what it takes
            for pornography. Stable Diffusion 1.5 has one. It is left out unless asked for: it is often wrong, and a black square teaches
            nothing. Switch it on where pictures are shown to others unseen.

    Returns:
        What `DiffusionPipeline.from_pretrained` returns, on the device; for a ControlNet, its base as a pipeline that takes a sketch.

    Raises:
        TypeError: an argument of the wrong kind.
        ValueError: there is no such model, or no such memory plan; or `SDLAB_MODEL` is of another kind; or `base` is another model's; or
            the model has no safety checker.
        OSError: weights are missing, damaged, or cannot be fetched.
    """
    asked, name = name, name or os.environ.get("SDLAB_MODEL") or "pocket"
    model = look_up(name)
    if asked is None and model.kind not in (TEXT, LORA):
        known = ", ".join(other for other, row in MODELS.items() if row.kind in (TEXT, LORA))
        raise ValueError(
            f"SDLAB_MODEL is {name!r}, which is {model.kind}: the notebooks want {TEXT}, choose one of {known}; "
            f"sdlab.load({name!r}) loads it by name"
        )
    if name in MOVED:
        warnings.warn(f"{name} has moved: {MOVED[name][1]} ({model.source})", stacklevel=2)
    if model.kind == AUTOENCODER:
        user = next(other for other, row in MODELS.items() if model in (MODELS.get(row.half_vae), MODELS.get(row.preview)))
        raise ValueError(f"model {name!r} is an {model.kind} and draws nothing alone: sdlab.load({user!r}) takes it where it is needed")
    if dtype is not None and not isinstance(dtype, torch.dtype):
        raise TypeError(f"dtype is {brief(dtype)}: it must be one of torch's, such as torch.float16")
    _check_base(name, model, base)
    if safety_checker and name in MODELS and "safety_checker" not in model.without:
        raise ValueError(_no_checker(name))
    check_memory(memory)
    target = devices.pick(device)
    dtype = dtype or devices.default_dtype(target)
    if model.commit and not local_files_only:
        announce(str(name), model)
        reach(str(name), model)
    lender = base or (model.base and load(model.base, target, dtype, memory=memory, local_files_only=local_files_only))
    hub = {"revision": model.commit, "variant": model.variant} if model.commit else {}
    settings = {
        "dtype": choose_dtypes(target, dtype), "use_safetensors": True, "local_files_only": local_files_only or not model.commit,
        **hub, **dict.fromkeys(part for part in model.without if not (safety_checker and part == "safety_checker")),
    }  # fmt: skip
    try:
        with quiet():
            pipe = _assemble(model, lender, settings)
    except Exception as error:
        raise OSError(explain(str(name), model, error)) from error
    if safety_checker and getattr(pipe, "safety_checker", None) is None:
        raise ValueError(_no_checker(name))
    if model.sampler and samplers.name_of(pipe.scheduler) != model.sampler:
        pipe.scheduler = samplers.make(model.sampler, pipe.scheduler.config)
    if target.type == "mps" and dtype != torch.float32:
        settle_dtypes(pipe)
    if not model.commit and hasattr(pipe, "watermark"):
        pipe.watermark = None  # a model that ships draws the same picture, whatever packages are installed
    return place(pipe, target, native_side(pipe), memory)


def choose_dtypes(device, dtype):
    """The dtype of each part: one for all, but on a Mac the text encoders stay in float32.

    There torch before 2.13 applies the causal mask of a half-precision text encoder wrongly, and another prompt is drawn without a word
    (pytorch#195910).
    """
    if device.type == "mps" and dtype != torch.float32:
        return {"default": dtype, "text_encoder": torch.float32, "text_encoder_2": torch.float32}
    return dtype


def settle_dtypes(pipe):
    """Let U-Net, ControlNet and autoencoder work beside a text encoder of another dtype."""
    for part in (pipe.unet, getattr(pipe, "controlnet", None), pipe.vae.encoder, pipe.vae.post_quant_conv):
        if part is not None and not part._forward_pre_hooks:  # parts that models share are settled once
            compute_in_own_dtype(part)


def compute_in_own_dtype(module):
    """Let a module take inputs of any float dtype; it goes on in its own. Pipelines hand on what the text encoder speaks: float32."""

    def cast(value):
        return value.to(dtype) if isinstance(value, torch.Tensor) and value.is_floating_point() else value

    def hook(_, args, kwargs):
        added = kwargs.get("added_cond_kwargs")
        more = {"added_cond_kwargs": {key: cast(value) for key, value in added.items()}} if added else {}
        return tuple(map(cast, args)), {key: cast(value) for key, value in kwargs.items()} | more

    dtype = next(module.parameters()).dtype
    module.register_forward_pre_hook(hook, with_kwargs=True)


def _no_checker(name):
    return f"safety_checker was asked for, and model {name!r} comes with none: leave it out, and look at the pictures yourself"


def _check_base(name, model, base):
    if base is None:
        return
    if model.kind == LORA:
        raise ValueError(f"base was given, but {name!r} would change it: leave base out, and it gets a base of its own")
    if not model.base:
        raise ValueError(f"base was given, but model {name!r} stands on no other: leave base out")
    if not hasattr(base, "unet"):
        raise TypeError(f"base is {brief(base)}: it must be a pipeline, such as sdlab.load({model.base!r})")
    if name_of(base) != model.base:
        raise ValueError(f"base is {name_of(base)!r}, but {name!r} stands on {model.base!r}: give base=sdlab.load({model.base!r})")


def _assemble(model, lender, settings):
    from diffusers import ControlNetModel, DiffusionPipeline, StableDiffusionControlNetPipeline

    if model.kind == SKETCH:  # of the parts themselves: from_pipe would cast them to float32
        controlnet = ControlNetModel.from_pretrained(model.source, **settings | {"dtype": lender.unet.dtype})
        return StableDiffusionControlNetPipeline(**lender.components, controlnet=controlnet, requires_safety_checker=False)
    if model.kind == LORA:
        return _add_lora(lender, model, settings["local_files_only"])
    if Path(model.source).is_file():
        return _from_file(model, settings)
    borrowed = {part: getattr(lender, part) for part in model.borrows}
    dtype = settings["dtype"].get("default") if isinstance(settings["dtype"], dict) else settings["dtype"]
    if model.half_vae and dtype == torch.float16:
        borrowed |= _exchange_vae(MODELS[model.half_vae], dtype, settings["local_files_only"])
    return DiffusionPipeline.from_pretrained(model.source, **settings, **borrowed)


def _add_lora(pipe, model, local_files_only):
    """A pipeline with a LoRA in its U-Net; its name is the LoRA's from then on."""
    [file] = PARTS[LORA]
    pipe.load_lora_weights(model.source, revision=model.commit, weight_name=file, local_files_only=local_files_only)
    pipe.register_to_config(_name_or_path=model.source)
    return pipe


def _exchange_vae(model, dtype, local_files_only):
    """`{"vae": …}` with the autoencoder that does not overflow; without it, where it is out of reach, the model's own will do."""
    from diffusers import AutoencoderKL

    try:
        vae = AutoencoderKL.from_pretrained(
            model.source, revision=model.commit, dtype=dtype, use_safetensors=True, local_files_only=local_files_only
        )
    except OSError as error:
        reason = str(error).strip().partition("\n")[0][:120]
        warnings.warn(
            f"the autoencoder {model.source} could not be loaded ({reason}), so the model's own decodes in float32, which is slower",
            stacklevel=4,
        )
        return {}
    return {"vae": vae}


def _from_file(model, settings):
    """A pipeline from one weights file; which family it is, diffusers reads off the weights."""
    import diffusers
    from diffusers.loaders.single_file_utils import infer_diffusers_model_type, load_single_file_checkpoint

    family = infer_diffusers_model_type(load_single_file_checkpoint(model.source))
    kinds = {"xl_base": "StableDiffusionXLPipeline", "xl_refiner": "StableDiffusionXLImg2ImgPipeline"}
    kind = getattr(diffusers, kinds.get(family, "StableDiffusionPipeline"))
    pipe = kind.from_single_file(model.source, dtype=settings["dtype"])
    pipe.register_to_config(_name_or_path=model.source)
    return pipe

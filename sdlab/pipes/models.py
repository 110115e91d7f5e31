"""The model table, and `load`: a name → a stock diffusers pipeline, ready on the device."""

import difflib
import hashlib
import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sdlab.assets import ASSETS
from sdlab.system import device as devices

PARTS = {  # what a folder of each kind has at least
    "text to image": ("model_index.json", "unet", "vae", "text_encoder", "tokenizer"),
    "sketch to image": ("config.json",),
    "base and refiner": ("model_index.json", "unet", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2"),
    "refiner": ("model_index.json", "unet"),
}


@dataclass(frozen=True)
class Model:
    """A row of the table: where the weights are and what they are.

    `gigabytes` is the download; `side` the native size in pixels. A ControlNet names in `base` the row of the model it steers, a base
    without an autoencoder of its own the row whose it uses. `refiner` is the source of the refiner that belongs to a base.
    """

    source: str
    commit: str | None
    licence: str
    gigabytes: float
    side: int
    kind: str
    variant: str | None = None
    base: str | None = None
    refiner: str | None = None


MODELS = {
    "pocket": Model(str(ASSETS / "pocket"), None, "MIT", 0.0, 64, "text to image"),
    "pocket-scribble": Model(str(ASSETS / "pocket-scribble"), None, "MIT", 0.0, 64, "sketch to image", base="pocket"),
    "pocket-xl": Model(
        str(ASSETS / "pocket-xl"), None, "MIT", 0.0, 128, "base and refiner", base="pocket", refiner=str(ASSETS / "pocket-xl-refiner")
    ),
    "sd15": Model(
        "stable-diffusion-v1-5/stable-diffusion-v1-5", "451f4fe16113bff5a5d2269ed5ad43b0592e9a14",
        "CreativeML OpenRAIL-M", 2.7, 512, "text to image", "fp16",
    ),
    "sdxl": Model(
        "stabilityai/stable-diffusion-xl-base-1.0", "462165984030d82259a11f4367a4eed129e94a7b",
        "CreativeML OpenRAIL++-M", 6.9, 1024, "text to image", "fp16",
    ),
}  # fmt: skip


def load(name=None, device=None, dtype=None, local_files_only=False):
    """Load a model as a stock diffusers pipeline.

    Args:
        name: a name of the model table, or the path of a diffusers folder. Default: the environment's `SDLAB_MODEL`, which must be a
            text-to-image model, else "pocket".
        device: "cuda", "mps" or "cpu"; default: the best there is.
        dtype: a torch dtype; default: what the device likes.
        local_files_only: never ask the network; a model not on this machine is then an error at once.

    Returns:
        What `DiffusionPipeline.from_pretrained` returns, on the device; for a ControlNet, its base as a pipeline that takes a sketch; for
        "pocket-xl" a pair, base and refiner, that share one autoencoder and one second text encoder.

    Raises:
        ValueError: the name is not in the table and no such folder exists; or `SDLAB_MODEL` is of another kind.
        OSError: weights are missing, damaged, or cannot be fetched.
    """
    wanted, name = name, name or os.environ.get("SDLAB_MODEL") or "pocket"
    model = _look_up(name)
    if not wanted and model.kind != "text to image":
        known = ", ".join(other for other, row in MODELS.items() if row.kind == "text to image")
        raise ValueError(
            f"SDLAB_MODEL is {name!r}, which is {model.kind}: the notebooks want text to image, choose one of {known}; "
            f"sdlab.load({name!r}) loads it by name"
        )
    target = devices.pick(device)
    dtype = dtype or devices.default_dtype(target)
    extra = {"revision": model.commit, "variant": model.variant} if model.commit else {}
    if name == "sd15":
        extra["safety_checker"] = None  # black squares teach nothing; the course's prompts are tame
    lender = model.base and load(model.base, target, dtype, local_files_only)
    settings = {"dtype": dtype, "use_safetensors": True, "local_files_only": local_files_only or not model.commit, **extra}
    try:
        with _quiet():
            pipes = _pipelines(model, lender, settings)
    except Exception as error:
        raise OSError(_remedy(name, model, error)) from error
    pipes = tuple(pipe.to(target) for pipe in pipes)
    return pipes if model.refiner else pipes[0]


def _pipelines(model, lender, settings):
    """The pipelines of a row: one, or a base and its refiner, which shares what it can with it."""
    from diffusers import ControlNetModel, DiffusionPipeline, StableDiffusionControlNetPipeline

    if model.kind == "sketch to image":
        controlnet = ControlNetModel.from_pretrained(model.source, **settings)
        return (StableDiffusionControlNetPipeline.from_pipe(lender, controlnet=controlnet),)
    borrowed = {"vae": lender.vae} if lender else {}
    base = DiffusionPipeline.from_pretrained(model.source, **settings, **borrowed)
    if not model.refiner:
        return (base,)
    shared = {part: getattr(base, part) for part in ("vae", "text_encoder_2", "tokenizer_2")}
    return base, DiffusionPipeline.from_pretrained(model.refiner, **settings, **shared)


@contextmanager
def _quiet():
    """Keep two libraries from warning of what the course does not use (torchvision, the safety checker); errors are still raised."""
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    logs = (diffusers_logging, transformers_logging)
    before = [log.get_verbosity() for log in logs]
    for log in logs:
        log.set_verbosity_error()
        log.disable_progress_bar()
    try:
        yield
    finally:
        for log, verbosity in zip(logs, before, strict=True):
            log.set_verbosity(verbosity)
            log.enable_progress_bar()


def _look_up(name):
    if name in MODELS:
        return MODELS[name]
    if Path(name).is_dir():
        return Model(str(Path(name).resolve()), None, "unknown", 0.0, 0, "text to image")
    near = difflib.get_close_matches(name, MODELS, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(MODELS)}, or give the path of a diffusers folder"
    raise ValueError(f"model {name!r} is not in the model table and no such folder exists: {hint}")


def _remedy(name, model, error):
    if model.commit:
        return (
            f"model {name!r} ({model.source}) could not be loaded from the Hub or its cache: connect to the network for a first "
            f"download of {model.gigabytes} GB, or use the pocket model with sdlab.load('pocket')"
        )
    folders = {model.source: PARTS[model.kind], **({model.refiner: PARTS["refiner"]} if model.refiner else {})}
    absent = {folder: [part for part in parts if not (Path(folder) / part).exists()] for folder, parts in folders.items()}
    folder = next((folder for folder in absent if absent[folder]), model.source)
    damaged = f"a file is damaged or incomplete: {str(error).splitlines()[0][:160]}"
    state = f"{', '.join(absent[folder])} missing" if absent[folder] else damaged
    again = "install sdlab again, or `git checkout -- sdlab/assets`" if name in MODELS else "copy the folder again"
    return f"the weights in {folder} cannot be read ({state}): {again}"


def name_of(pipe):
    """The model table's name of a loaded pipeline, or the place it was loaded from."""
    own = getattr(pipe, "controlnet", pipe)
    source = str(own.config.get("_name_or_path", ""))
    for name, model in MODELS.items():
        if source in (model.source, model.refiner) or (not model.commit and source and Path(source) == Path(model.source)):
            return name
    return source


def native_side(pipe):
    """The size in pixels the model was trained at: its latent side times the autoencoder's factor."""
    return pipe.unet.config.sample_size * pipe.vae_scale_factor


def fingerprint(pipe):
    """Ten hexadecimal digits that tell two U-Nets apart, from their weights; the "model hash" of a picture's text."""
    digest = hashlib.sha256()
    for name, tensor in pipe.unet.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().flatten()[:64].float().cpu().numpy().tobytes())
    return digest.hexdigest()[:10]

"""The model table: which models the course knows, where they are, and what they recommend. The only place that knows their names."""

import difflib
import hashlib
from dataclasses import dataclass
from pathlib import Path

from sdlab.assets import ASSETS
from sdlab.system.calls import brief, check_call
from sdlab.system.tables import Table

TEXT, LORA, SKETCH, REFINER, AUTOENCODER = "text to image", "text to image, by LoRA", "sketch to image", "refiner", "autoencoder"  # kinds
PARTS = {  # what a folder of each kind has at least
    TEXT: ("model_index.json", "unet", "text_encoder", "tokenizer"),
    LORA: ("pytorch_lora_weights.safetensors",),
    SKETCH: ("config.json",),
    REFINER: ("model_index.json", "unet"),
    AUTOENCODER: ("config.json",),
}


@dataclass(frozen=True)
class Model:
    """A row of the table: where the weights are and what they are.

    `terms` are the licence's restrictions on use, in a few words. `gigabytes` is the download, and about what the weights take in half
    precision; `memory` what one picture takes on the device at the peak, in GB, in half precision and in float32
    (`sdlab.pipes.memory` estimates it; of a refiner and its base together). `side` is the native size in pixels; `steps`, `guidance` and
    `sampler` are what a Recipe that leaves them open gets. `base` names the row whose parts a model borrows: `borrows` says which; a
    ControlNet borrows all of them, and a LoRA changes them. `without` names parts of the published model that are left out; `half_vae` the
    row of an autoencoder that takes the place of its own in half precision, where that one overflows; `preview` the row of a tiny one that
    is good enough for a look while a picture is drawn.
    """

    source: str
    commit: str | None = None
    licence: str = "unknown"
    terms: str = ""
    gigabytes: float = 0.0
    memory: tuple[float, float] = (0.0, 0.0)
    side: int = 0
    kind: str = TEXT
    steps: int = 25
    guidance: float = 7.5
    variant: str | None = None
    base: str | None = None
    borrows: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    half_vae: str | None = None
    sampler: str | None = None
    preview: str | None = None


HARMLESS = "free, but not for what harms, deceives or exploits people"  # attachment A of the OpenRAIL licences


def _shipped(name, side, kind=TEXT, **more):
    return Model(str(ASSETS / name), None, "MIT", "", 0.0, (0.7, 0.8), side, kind, guidance=4.0, sampler="DDIM", **more)


MODELS = {
    "pocket": _shipped("pocket", 128),
    "pocket-scribble": _shipped("pocket-scribble", 128, SKETCH, base="pocket"),
    "pocket-xl": _shipped("pocket-xl", 256, base="pocket", borrows=("vae",)),
    "pocket-xl-refiner": _shipped(
        "pocket-xl-refiner", 256, REFINER, base="pocket-xl", borrows=("vae", "text_encoder_2", "tokenizer_2")
    ),
    "sd15": Model(
        "stable-diffusion-v1-5/stable-diffusion-v1-5", "451f4fe16113bff5a5d2269ed5ad43b0592e9a14", "CreativeML OpenRAIL-M", HARMLESS,
        2.7, (3.5, 5.7), 512, sampler="PNDM", variant="fp16", preview="taesd",
        without=("safety_checker",),  # black squares teach nothing; the course's prompts are tame
    ),
    "sd-turbo": Model(
        "stabilityai/sd-turbo", "b261bac6fd2cf515557d5d0707481eafa0485ec2", "Stability AI Community",
        "free below a yearly revenue of a million dollars", 2.6, (4.0, 6.6), 512, sampler="Euler", variant="fp16", steps=1, guidance=0.0,
        preview="taesd",
    ),
    "lcm-lora-sd15": Model(
        "latent-consistency/lcm-lora-sdv1-5", "cf2fced511dbe7e26c8d1d397e728fbab875db4b", "CreativeML OpenRAIL++-M", HARMLESS,
        0.1, (3.7, 5.9), 512, LORA, steps=4, guidance=1.0, sampler="LCMScheduler", base="sd15", preview="taesd",
    ),
    "sdxl": Model(
        "stabilityai/stable-diffusion-xl-base-1.0", "462165984030d82259a11f4367a4eed129e94a7b", "CreativeML OpenRAIL++-M", HARMLESS,
        6.9, (9.2, 17.7), 1024, sampler="Euler", variant="fp16", steps=30, guidance=5.0, half_vae="sdxl-vae-fp16-fix",
    ),
    "sdxl-refiner": Model(
        "stabilityai/stable-diffusion-xl-refiner-1.0", "5d4cfe854c9a9a87939ff3653551c2b3c99a4356", "CreativeML OpenRAIL++-M", HARMLESS,
        4.5, (13.7, 26.7), 1024, REFINER, sampler="Euler", steps=30, guidance=5.0, variant="fp16", base="sdxl",
        borrows=("vae", "text_encoder_2", "tokenizer_2"),
    ),
    "sdxl-vae-fp16-fix": Model(
        "madebyollin/sdxl-vae-fp16-fix", "207b116dae70ace3637169f1ddd2434b91b3a8cd", "MIT", "free", 0.3, (0.0, 0.0), 1024, AUTOENCODER,
    ),
    "taesd": Model("madebyollin/taesd", "614f76814bbe30edbe2e627ace1c2234c81a2c0e", "MIT", "free", 0.01, (0.0, 0.0), 512, AUTOENCODER),
}  # fmt: skip

MOVED = {  # a Hub id that is gone → the row that took its place, and why
    "runwayml/stable-diffusion-v1-5": ("sd15", "its owners took it off the Hub in 2024, and this is a copy of the same weights"),
}


def look_up(name):
    """The row of a name: of the table, of the Hub id of one of its rows, or a new one for a folder, a weights file, or another Hub id.

    Raises:
        ValueError: nothing of the kind; the message names the nearest name of the table.
    """
    if not isinstance(name, str | Path) or not str(name).strip():
        raise TypeError(f"model {brief(name)} is no name: give one of {', '.join(MODELS)}, a folder, a .safetensors file or a Hub id")
    name = str(name)
    name = MOVED.get(name, (name,))[0]
    by_source = {model.source: model for model in MODELS.values() if model.commit}
    if name in MODELS or name in by_source:
        return MODELS.get(name) or by_source[name]
    path = Path(name).expanduser()
    if path.is_dir() or (path.is_file() and path.suffix == ".safetensors"):
        return Model(str(path.resolve()))
    if path.is_file():
        raise ValueError(f"model {brief(name)} is a file, but no .safetensors file: convert it first, for other formats can run programs")
    if is_hub_id(name):
        return Model(name, commit="main")
    near = difflib.get_close_matches(name, MODELS, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(MODELS)}, or give a diffusers folder or a Hub id"
    raise ValueError(f"model {brief(name)} is not in the model table and no such folder exists: {hint}")


def is_hub_id(name):
    """Whether a name reads like `owner/model`, and not like a path."""
    parts = name.split("/")
    return len(parts) == 2 and all(parts) and parts[0] not in (".", "..", "~") and "\\" not in name


def is_here(name):
    """Whether a model can be loaded without a download: it ships with the course, is a folder or file, or is in the Hub's cache."""
    model = look_up(name)
    if not model.commit:
        return True
    from huggingface_hub import try_to_load_from_cache

    def is_cached(file):
        return isinstance(try_to_load_from_cache(model.source, file, revision=model.commit), str)

    if model.kind == LORA:
        return all(map(is_cached, PARTS[LORA])) and is_here(model.base)
    if model.kind == AUTOENCODER:
        return all(map(is_cached, ("config.json", "diffusion_pytorch_model.safetensors")))
    variant, stem = f".{model.variant}" if model.variant else "", "unet/diffusion_pytorch_model"
    weights = (f"{stem}{variant}.safetensors", f"{stem}.safetensors.index{variant}.json")  # in one file, or in several
    return is_cached("model_index.json") and any(map(is_cached, weights))


class ModelTable(Table):
    """Rows of the model table, printed as text or as a table of a notebook."""

    HEAD = ("name", "kind", "pixels", "steps", "guidance", "sampler", "memory", "here", "licence")

    def _cells(self):
        for name, model in self:
            here = "ships with the course" if not model.commit else "yes" if is_here(name) else f"no, {model.gigabytes} GB to download"
            asks = ("",) * 3 if model.kind == AUTOENCODER else (str(model.steps), f"{model.guidance:g}", model.sampler or "")
            memory = f"{model.memory[0]:g} to {model.memory[1]:g} GB" if any(model.memory) else ""
            yield (name, model.kind, str(model.side), *asks, memory, here, model.licence)


@check_call("sdlab.list_models()")
def list_models():
    """The model table as it is on this machine: what each model is, recommends and needs, and whether it is here.

    Returns:
        A list of `(name, Model)` that prints itself as a table.
    """
    return ModelTable(MODELS.items())


def name_of(pipe):
    """The model table's name of a loaded pipeline; otherwise its Hub id, or the name of its folder or file, never a path."""
    own = getattr(pipe, "controlnet", pipe)
    source = str(own.config.get("_name_or_path") or "")
    for name, model in MODELS.items():
        if source == model.source or (not model.commit and source and Path(source) == Path(model.source)):
            return name
    return (
        source if is_hub_id(source) and not Path(source).exists() else Path(source).name.removesuffix(".safetensors") or type(pipe).__name__
    )


def recommend(pipe):
    """Steps and guidance for a pipeline: its row's in the table, else those of Stable Diffusion 1.5."""
    model = MODELS.get(name_of(pipe), Model(""))
    return model.steps, model.guidance


@check_call("sdlab.native_side(pipe)")
def native_side(pipe):
    """The size in pixels the model was trained at: its latent side times the autoencoder's factor."""
    if not hasattr(pipe, "unet"):
        raise TypeError(f"pipe is {brief(pipe)}: give a pipeline, as sdlab.load returns it")
    return pipe.unet.config.sample_size * pipe.vae_scale_factor


def fingerprint(pipe):
    """Ten hexadecimal digits that tell two U-Nets apart, from their weights; the "model hash" of a picture's text."""
    digest = hashlib.sha256()
    for name, tensor in pipe.unet.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().flatten()[:64].float().cpu().numpy().tobytes())
    return digest.hexdigest()[:10]

"""The model table: which models the course knows, where they are, and what they recommend. The only place that knows their names."""

import difflib
import hashlib
from dataclasses import dataclass
from pathlib import Path

from sdlab.assets import ASSETS
from sdlab.system.calls import brief, check_call

TEXT, SKETCH, REFINER = "text to image", "sketch to image", "refiner"  # kinds
PARTS = {  # what a folder of each kind has at least
    TEXT: ("model_index.json", "unet", "text_encoder", "tokenizer"),
    SKETCH: ("config.json",),
    REFINER: ("model_index.json", "unet"),
}


@dataclass(frozen=True)
class Model:
    """A row of the table: where the weights are and what they are.

    `gigabytes` is the download, and about what the weights take in half precision; `side` the native size in pixels; `steps` and
    `guidance` are what a Recipe that leaves them open gets. `base` names the row whose parts a model borrows: `borrows` says which, and
    a ControlNet borrows all of them. `without` names parts of the published model that are left out.
    """

    source: str
    commit: str | None = None
    licence: str = "unknown"
    gigabytes: float = 0.0
    side: int = 0
    kind: str = TEXT
    steps: int = 25
    guidance: float = 7.5
    variant: str | None = None
    base: str | None = None
    borrows: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


def _shipped(name, side, kind=TEXT, **more):
    return Model(str(ASSETS / name), None, "MIT", 0.0, side, kind, guidance=4.0, **more)


MODELS = {
    "pocket": _shipped("pocket", 64),
    "pocket-scribble": _shipped("pocket-scribble", 64, SKETCH, base="pocket"),
    "pocket-xl": _shipped("pocket-xl", 128, base="pocket", borrows=("vae",)),
    "pocket-xl-refiner": _shipped(
        "pocket-xl-refiner", 128, REFINER, base="pocket-xl", borrows=("vae", "text_encoder_2", "tokenizer_2")
    ),
    "sd15": Model(
        "stable-diffusion-v1-5/stable-diffusion-v1-5", "451f4fe16113bff5a5d2269ed5ad43b0592e9a14", "CreativeML OpenRAIL-M", 2.7, 512,
        variant="fp16", without=("safety_checker",),  # black squares teach nothing; the course's prompts are tame
    ),
    "sd-turbo": Model(
        "stabilityai/sd-turbo", "b261bac6fd2cf515557d5d0707481eafa0485ec2", "Stability AI Community", 2.6, 512,
        variant="fp16", steps=1, guidance=0.0,
    ),
    "sdxl": Model(
        "stabilityai/stable-diffusion-xl-base-1.0", "462165984030d82259a11f4367a4eed129e94a7b", "CreativeML OpenRAIL++-M", 6.9, 1024,
        variant="fp16", steps=30, guidance=5.0,
    ),
    "sdxl-refiner": Model(
        "stabilityai/stable-diffusion-xl-refiner-1.0", "5d4cfe854c9a9a87939ff3653551c2b3c99a4356", "CreativeML OpenRAIL++-M", 4.5, 1024,
        REFINER, variant="fp16", steps=30, guidance=5.0, base="sdxl", borrows=("vae", "text_encoder_2", "tokenizer_2"),
    ),
}  # fmt: skip


def look_up(name):
    """The row of a name: of the table, of the Hub id of one of its rows, or a new one for a folder, a weights file, or another Hub id.

    Raises:
        ValueError: nothing of the kind; the message names the nearest name of the table.
    """
    if not isinstance(name, str | Path) or not str(name).strip():
        raise TypeError(f"model {brief(name)} is no name: give one of {', '.join(MODELS)}, a folder, a .safetensors file or a Hub id")
    name = str(name)
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

    weights = f"unet/diffusion_pytorch_model.{model.variant + '.' if model.variant else ''}safetensors"
    wanted = ("model_index.json", weights)
    return all(isinstance(try_to_load_from_cache(model.source, file, revision=model.commit), str) for file in wanted)


class ModelTable(list):
    """Rows of the model table, printed as text or as a table of a notebook."""

    HEAD = ("name", "kind", "pixels", "steps", "guidance", "here", "licence")

    def _cells(self):
        for name, model in self:
            here = "ships with the course" if not model.commit else "yes" if is_here(name) else f"no, {model.gigabytes} GB to download"
            yield (name, model.kind, str(model.side), str(model.steps), f"{model.guidance:g}", here, model.licence)

    def __repr__(self):
        rows = [self.HEAD, *self._cells()]
        widths = [max(len(row[i]) for row in rows) for i in range(len(self.HEAD))]
        return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)

    def _repr_html_(self):
        def line(cells, tag):
            return "<tr>" + "".join(f"<{tag}>{cell}</{tag}>" for cell in cells) + "</tr>"

        return f"<table>{line(self.HEAD, 'th')}{''.join(line(cells, 'td') for cells in self._cells())}</table>"


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

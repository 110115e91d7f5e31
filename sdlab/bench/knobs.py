"""The knobs: settings that may make a pipeline faster or smaller, in the order in which one would try them.

Each differs from the baseline in what its name says. The baseline is what the notebook that this course began with did (float16 and sliced
attention on a GPU, float32 on a CPU), so that a ratio says what is gained over the usual.
"""

from dataclasses import asdict, dataclass, fields, replace

from sdlab.system.calls import brief

BASELINE = "baseline"
ATTENTIONS = ("sdpa", "sliced", "plain")
COMPILES = ("regions", "whole")
CALL = ("batch", "steps", "side", "sampler", "reuse_words")  # arguments of a call; all others are how the pipeline is made
FEW = ("DPM++ 2M", 10)  # a sampler that needs few steps, and how many
BATCHES = (2, 4, 8)


@dataclass(frozen=True)
class Settings:
    """How a pipeline is made and called.

    Args:
        dtype: of its parts, a name of torch's.
        attention: "sdpa", torch's fused kernel; "sliced", half of the heads at a time; "plain", the whole matrix at once.
        channels_last: the channels of a pixel side by side in memory.
        compile: None, or "regions", the blocks of the U-Net that repeat, or "whole", all of it, and the decoder.
        int8: the weights of the U-Net's linear layers in 8 bits.
        engine: "torch", or "onnxruntime" for the U-Net.
        vae_slicing: decode one picture of a batch after the other.
        vae_tiling: decode a picture in tiles of half its side.
        offload: None, or what stays on the GPU: "parts", the part at work, or "layers", the layer at work.
        batch: pictures per call.
        steps: per picture.
        side: of a picture, in pixels.
        sampler: a name of `sdlab.pipes.samplers`; None for the model's own.
        reuse_words: give the pipeline embeddings that were made before, as for the second picture of a prompt.
    """

    dtype: str
    attention: str
    steps: int
    side: int
    channels_last: bool = False
    compile: str | None = None
    int8: bool = False
    engine: str = "torch"
    vae_slicing: bool = False
    vae_tiling: bool = False
    offload: str | None = None
    batch: int = 1
    sampler: str | None = None
    reuse_words: bool = False

    def but(self, **changes):
        """These settings with some of them changed."""
        return replace(self, **changes)

    @property
    def made(self):
        """Those that say how the pipeline is made; where they are equal, one pipeline serves both."""
        return tuple(getattr(self, field.name) for field in fields(self) if field.name not in CALL)

    def to_dict(self):
        """As JSON keeps them."""
        return asdict(self)


def baseline(kind, steps, side):
    """The settings that all knobs are compared with.

    Args:
        kind: of the device: "cuda", "mps" or "cpu".
        steps: per picture.
        side: of a picture, in pixels.
    """
    on_cpu = kind == "cpu"
    return Settings("float32" if on_cpu else "float16", "sdpa" if on_cpu else "sliced", steps, side)


def list_knobs(kind, steps, side):
    """All knobs of a kind of device: `{name: Settings}`, the baseline first."""
    base = baseline(kind, steps, side)
    changes = {dtype: {"dtype": dtype} for dtype in ("bfloat16", "float16", "float32")}
    changes |= {f"{attention} attention": {"attention": attention} for attention in ATTENTIONS}
    changes |= {"channels_last": {"channels_last": True}} | {f"compile {extent}": {"compile": extent} for extent in COMPILES}
    changes |= {f"batch {size}": {"batch": size} for size in BATCHES}
    changes |= {"VAE slicing at batch 4": {"vae_slicing": True, "batch": 4}, "VAE tiling": {"vae_tiling": True}}
    if kind == "cuda":
        changes |= {f"offload {extent}": {"offload": extent} for extent in ("parts", "layers")}
    changes |= {"words encoded once": {"reuse_words": True}}
    if steps > 1:
        changes |= {"half the steps": {"steps": steps // 2}}
    if steps > FEW[1]:
        changes |= {f"{FEW[1]} steps of {FEW[0]}": {"sampler": FEW[0], "steps": FEW[1]}}
    changes |= {"half the side": {"side": side // 16 * 8}, "int8 weights": {"int8": True}, "onnxruntime": {"engine": "onnxruntime"}}
    fast = {"dtype": "bfloat16" if kind == "cpu" else base.dtype, "attention": "sdpa", "channels_last": True, "compile": "whole"}
    changes |= {"together": fast | {"reuse_words": True}, "together at batch 8": fast | {"reuse_words": True, "batch": 8}}
    found = {name: base.but(**change) for name, change in changes.items()}
    return {BASELINE: base} | {name: settings for name, settings in found.items() if settings != base}


def choose_knobs(names, known):
    """The chosen ones of `known`, `{name: Settings}`, the baseline always among them; all, where `names` is None.

    Raises:
        ValueError: there is no such knob; the message names those that there are.
    """
    if names is None:
        return known
    wrong = [name for name in names if name not in known]
    if wrong:
        raise ValueError(f"knob {brief(wrong[0])} does not exist here: choose among {'; '.join(known)}")
    return {name: settings for name, settings in known.items() if name == BASELINE or name in names}

"""The device: what it is, whether it computes right, and how much memory it has free."""

import os
import platform
import shutil

import torch
import torch.nn.functional as F

from sdlab.doctor.finding import BROKEN, LOOK, Finding
from sdlab.pipes.memory import RESERVE
from sdlab.system import device as devices

TOLERANCE = 0.02  # largest error of a sum of products, as a share of the largest value: half precision stays far below it
POCKET = RESERVE + 0.4e9  # bytes that a notebook with the pocket model takes


def examine_device(device):
    """A list of `Finding` about the device that the course will use."""
    return [Finding("device", str(devices.describe(device.type))), *_missed_gpu(device), *_settings_of_a_mac(device), *_compute(device)]


def examine_memory(device):
    """How much is free: a list with one `Finding`."""
    free, place = devices.free_memory(device), "of the machine" if device.type == "cpu" else f"of {device.type}"
    said = f"{free / 1e9:.1f} GB {place} are free"
    if free < POCKET:
        return [Finding("memory", said, BROKEN, f"the pocket model takes about {POCKET / 1e9:.0f} GB: close other programs and notebooks")]
    return [Finding("memory", said)]


def _missed_gpu(device):
    """A GPU that torch does not use."""
    if device.type != "cpu" or shutil.which("nvidia-smi") is None:
        return
    if torch.version.cuda is None:
        remedy = "install torch for CUDA as https://pytorch.org/get-started/locally says"
        yield Finding("device", "there seems to be an NVIDIA GPU, and this torch is built for the CPU only", LOOK, remedy)
    else:
        remedy = "run nvidia-smi and see whether the driver answers; on Colab choose a GPU under Runtime, Change runtime type"
        yield Finding("device", f"torch is built for CUDA {torch.version.cuda} and finds no GPU", LOOK, remedy)


def _settings_of_a_mac(device):
    if device.type != "mps":
        return
    if os.environ.get("PYTORCH_MPS_HIGH_WATERMARK_RATIO") == "0.0":
        yield Finding("device", "PYTORCH_MPS_HIGH_WATERMARK_RATIO=0.0 lets torch take all memory, and the Mac may freeze", LOOK, "unset it")
    if platform.mac_ver()[0].startswith("27."):
        remedy = "if pictures are black, load with device='cpu' meanwhile"
        yield Finding("device", "black pictures were reported on macOS 27 (pytorch#187280)", LOOK, remedy)
    if not devices.has_bf16(device):
        yield Finding("device", "this macOS has no bfloat16 on the GPU", LOOK, "macOS 14 and newer have it; the course does without")


def compare_attention(device, dtype):
    """The largest difference of causal attention and a convolution on the device from those in float32 on the CPU, as a share."""
    generator = torch.Generator().manual_seed(0)
    query, key, value = torch.randn(3, 1, 2, 77, 64, generator=generator)
    picture, kernel = torch.randn(1, 8, 16, 16, generator=generator), torch.randn(8, 8, 3, 3, generator=generator) / 8

    def compute(place, kind):
        q, k, v, x, w = (one.to(place, kind) for one in (query, key, value, picture, kernel))
        return [F.scaled_dot_product_attention(q, k, v, is_causal=True).float().cpu(), F.conv2d(x, w).float().cpu()]

    pairs = zip(compute(device, dtype), compute("cpu", torch.float32), strict=True)
    return max(((one - right).abs().max() / right.abs().max()).item() for one, right in pairs)


def _compute(device):
    """Whether the device's own half precision gives what float32 on the CPU gives."""
    dtype = devices.default_dtype(device)
    try:
        apart = compare_attention(device, dtype)
    except RuntimeError as error:
        yield Finding("computing", f"{device.type} fails at attention ({_first_line(error)})", BROKEN, "run with device='cpu' meanwhile")
        return
    short = str(dtype).removeprefix("torch.")
    if apart < TOLERANCE:  # false for NaN
        yield Finding("computing", f"attention and convolution are right in {short}")
    else:
        remedy = "upgrade torch, or load with dtype=torch.float32"
        yield Finding("computing", f"in {short} results are off by {apart:.0%} of the largest value", BROKEN, remedy)


def _first_line(error):
    return (str(error).strip() or type(error).__name__).splitlines()[0][:120]

"""Where am I running? The device, the number format it likes, its memory, and a clock that waits for it."""

import platform
from dataclasses import dataclass

import psutil
import torch

from sdlab.system.calls import check_call


def pick(name=None):
    """The device to compute on: `name` if given, else the first of cuda, mps, cpu that is there.

    Raises:
        ValueError: the device does not exist on this machine.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name is None:
        return next(torch.device(kind) for kind, available in there.items() if available)
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"device {name!r} is not one torch knows: use 'cuda', 'mps' or 'cpu'") from error
    if not there.get(device.type, False):
        raise ValueError(f"device {name!r} is not on this machine: use {' or '.join(repr(k) for k, v in there.items() if v)}")
    return device


def default_dtype(device):
    """float16 on a CUDA or Apple GPU, float32 on a CPU, where halves are slower and gain nothing here."""
    return torch.float32 if torch.device(device).type == "cpu" else torch.float16


def has_bf16(device):
    """Whether the device computes in bfloat16 itself. NVIDIA GPUs before Ampere (2020) only imitate it, slower than float32 is; a CPU
    takes it, fast where its processor knows it.
    """
    kind = torch.device(device).type
    if kind == "cuda":
        return torch.version.hip is not None or torch.cuda.get_device_capability(device)[0] >= 8
    return torch.backends.mps.is_macos_or_newer(14, 0) if kind == "mps" else True


def synchronize(device):
    """Wait until the device has done all it was given; a GPU works on while Python goes ahead."""
    kind = torch.device(device).type
    if kind == "cuda":
        torch.cuda.synchronize(device)
    elif kind == "mps":
        torch.mps.synchronize()


def reset_peak(device):
    """Start measuring peak memory anew, where the device keeps count of it."""
    if torch.device(device).type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak_memory(device):
    """Peak memory in bytes: on CUDA since `reset_peak`; on MPS what the driver holds now (it keeps no peak); on a CPU the most
    this process ever held.
    """
    kind = torch.device(device).type
    if kind == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if kind == "mps":
        return torch.mps.driver_allocated_memory()
    return _peak_of_this_process()


def free_memory(device):
    """Bytes that a program can still take on the device: of a Mac, what the system recommends for its GPU less what is in use."""
    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    if device.type == "mps":
        return max(0, torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
    return psutil.virtual_memory().available


def _peak_of_this_process():
    """The most memory that this process ever held, in bytes; each system tells it in a way of its own."""
    now = psutil.Process().memory_info()
    if hasattr(now, "peak_wset"):  # Windows
        return now.peak_wset
    try:
        with open("/proc/self/status", encoding="utf-8") as lines:  # Linux; what `resource` says there may be the parent's peak
            return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        pass
    try:
        import resource  # macOS, and Linux where /proc is hidden; Windows has no such module
    except ImportError:
        return now.rss
    unit = 1 if platform.system() == "Darwin" else 1024  # macOS counts bytes, others kibibytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


@dataclass(frozen=True)
class Machine:
    """What a student should know of the machine before starting: device, name, memory in bytes, dtype, threads."""

    device: str
    name: str
    memory: int
    dtype: str
    threads: int

    def __str__(self):
        return (
            f"{self.name}: computing on {self.device} in {self.dtype}, {self.memory / 2**30:.0f} GiB of memory, "
            f"{self.threads} threads; Python {platform.python_version()}, torch {torch.__version__}"
        )


@check_call("sdlab.describe()")
def describe(name=None):
    """The `Machine` this runs on; printing it gives one readable line."""
    device = pick(name)
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        title, memory = properties.name, properties.total_memory
    else:
        title = _processor()
        memory = torch.mps.recommended_max_memory() if device.type == "mps" else psutil.virtual_memory().total
    return Machine(device.type, title, memory, str(default_dtype(device)).removeprefix("torch."), torch.get_num_threads())


def _processor():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()

"""What a piece of work holds in memory: before, afterwards, and at its peak.

CUDA keeps count of its peak. A Mac's GPU and a processor do not, so there a thread looks again and again while the work runs; a peak that
is shorter than its pause can be missed.
"""

import ctypes
import platform
import threading
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass

import psutil
import torch

from sdlab.system import device as devices

PAUSE = 0.01  # seconds between two looks


@dataclass
class Held:
    """Bytes held before the work, afterwards, and at the most; `looks` is how often it was looked, 0 where the device itself counts."""

    before: int = 0
    after: int = 0
    peak: int = 0
    looks: int = 0

    def to_dict(self):
        """As JSON keeps it."""
        return asdict(self)


def held_now(device):
    """Bytes held: on CUDA by tensors, on a Mac's GPU by its driver for this process, on a CPU by the whole process."""
    kind = torch.device(device).type
    if kind == "cuda":
        return torch.cuda.memory_allocated(device)
    return torch.mps.driver_allocated_memory() if kind == "mps" else psutil.Process().memory_info().rss


def _give_back():
    """Let Linux have what was freed: its C library keeps it for the next to ask, and the work would seem to take nothing."""
    if platform.system() == "Linux":
        with suppress(OSError, AttributeError):  # a system without glibc
            ctypes.CDLL("libc.so.6").malloc_trim(0)


@contextmanager
def watch_memory(device, pause=PAUSE):
    """Inside the `with` block, watch what the device holds; the `Held` it gives is complete after the block.

    Args:
        device: where the work is done.
        pause: seconds between two looks, where looking is needed.
    """
    counts, on_cpu = (torch.device(device).type == kind for kind in ("cuda", "cpu"))
    devices.synchronize(device)
    if on_cpu:
        _give_back()
    held = Held(before=held_now(device))
    devices.reset_peak(device)
    done = threading.Event()

    def look():
        while not done.is_set():
            held.peak = max(held.peak, held_now(device))
            held.looks += 1
            done.wait(pause)

    looking = threading.Thread(target=look, name="memory", daemon=True)
    if not counts:
        looking.start()
    try:
        yield held
    finally:
        done.set()
        devices.synchronize(device)
        held.after = held_now(device)
        if counts:
            held.peak = devices.peak_memory(device)
        else:
            looking.join()
        held.peak = max(held.peak, held.before, held.after)

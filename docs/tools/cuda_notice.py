"""Say before the set-up what it will download on Linux, where pip brings PyTorch with CUDA. Runs before anything is installed."""

import os
import shutil
import sys
import time

CPU_BUILDS = "https://download.pytorch.org/whl/cpu"
INDEXES = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS")


def notice(system, has_nvidia, environment):
    """What to say, or "" where pip brings what the machine can use, or the user has named where packages come from."""
    if not system.startswith("linux") or has_nvidia or any(environment.get(name) for name in INDEXES):
        return ""
    return (
        "There is no NVIDIA GPU here, but on Linux pip brings PyTorch with CUDA: about 5 GB instead of 2.\n"
        f"For the build without it, press Ctrl-C and run:  PIP_EXTRA_INDEX_URL={CPU_BUILDS} make course\n"
    )


if __name__ == "__main__":
    words = notice(sys.platform, bool(shutil.which("nvidia-smi")), os.environ)
    if words:
        print(words, flush=True)
        if sys.stdout.isatty():
            time.sleep(10)  # time to read it, and to stop

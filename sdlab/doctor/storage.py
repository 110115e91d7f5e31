"""Disk and the Hub's cache: is there room, may one write, and which models are here."""

import shutil
import tempfile
from pathlib import Path

from sdlab.doctor.finding import BROKEN, LOOK, Finding
from sdlab.pipes.models import MODELS, is_here

ENOUGH = 1e9  # bytes: the outputs of the course


def examine_disk(folder=Path()):
    """Whether pictures can be kept in the working folder: a list with one `Finding`."""
    free = shutil.disk_usage(folder).free
    said = f"{free / 1e9:.0f} GB are free in the working folder"
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError:
        return [Finding("disk", "nothing can be written into the working folder", BROKEN, "start Jupyter in a folder of your own")]
    if free < ENOUGH:
        return [Finding("disk", said, LOOK, "pictures may not fit: free some")]
    return [Finding("disk", said)]


def examine_cache():
    """Which large models are here, and what broke off: a list of `Finding`."""
    from huggingface_hub import constants

    cache = Path(constants.HF_HUB_CACHE)
    here = [name for name, model in MODELS.items() if model.commit and is_here(name)]
    there = next(place for place in (cache, *cache.parents) if place.exists())
    free = shutil.disk_usage(there).free / 1e9
    large = ", ".join(here) if here else "no large model yet"
    found = [Finding("cache", f"{large}; {free:.0f} GB are free for others")]
    broken_off = list(cache.glob("models--*/blobs/*.incomplete"))
    if broken_off:
        size = sum(file.stat().st_size for file in broken_off) / 1e9
        remedy = "load the model again, or delete *.incomplete there"
        found.append(Finding("cache", f"{len(broken_off)} downloads broke off ({size:.1f} GB)", LOOK, remedy))
    return found

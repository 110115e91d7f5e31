"""Before the first download of a model: what it is, how large, under which licence, and whether the disk has room for it."""

import shutil
import sys
from pathlib import Path

from sdlab.pipes.models import is_here


def announce(name, model):
    """Say on the error stream what will be fetched and where to; nothing, where the model is here already.

    Args:
        name: as the user wrote it.
        model: its row.

    Raises:
        OSError: the disk has too little room.
    """
    from huggingface_hub import constants

    if is_here(name) or constants.is_offline_mode():
        return
    cache = Path(constants.HF_HUB_CACHE)
    there = next(place for place in (cache, *cache.parents) if place.exists())
    free = shutil.disk_usage(there).free / 1e9
    if free < model.gigabytes:
        raise OSError(
            f"model {name} takes {model.gigabytes:g} GB, and {there} has {free:.1f} GB left: free some, or set HF_HOME to a folder on "
            "another disk"
        )
    size = f"{model.gigabytes:g} GB" if model.gigabytes else "its weights"
    terms = f"licence {model.licence}" if model.licence != "unknown" else "its licence stands there too"
    print(
        f"{name} is fetched from the Hub once: {size} into {cache}, where {free:.0f} GB are free; https://huggingface.co/{model.source}, "
        f"{terms}{': ' if model.terms else ''}{model.terms}",
        file=sys.stderr, flush=True,
    )  # fmt: skip

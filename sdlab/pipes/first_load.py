"""Before the first download of a model: what it is, how large, under which licence, whether the disk has room for it, and whether the Hub
answers at all.
"""

import shutil
import sys
from pathlib import Path

from sdlab.pipes.hub import explain
from sdlab.pipes.models import is_here

PATIENCE = 4  # seconds, for an answer of the Hub


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


def reach(name, model):
    """Ask the Hub about a model that is not here, so that a Hub that does not answer is told before diffusers is imported, which takes
    longer than the answer. (`hf_hub_download` would ask again and again, for 23 seconds.)

    Raises:
        OSError: no answer, or a refusal, and why.
    """
    from huggingface_hub import constants, model_info
    from huggingface_hub.errors import OfflineModeIsEnabled

    if is_here(name):
        return
    try:
        if constants.is_offline_mode():
            raise OfflineModeIsEnabled("HF_HUB_OFFLINE is set")
        model_info(model.source, revision=model.commit, timeout=PATIENCE)
    except Exception as error:
        raise OSError(explain(name, model, error)) from error

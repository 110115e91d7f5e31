"""Why a model could not be loaded, and what to do about it: the many errors under `from_pretrained`, told in one sentence."""

import errno
import os
from pathlib import Path

from sdlab.pipes.models import MODELS, PARTS

POCKET_INSTEAD = "or use the pocket model with sdlab.load('pocket')"


def chain(error):
    """An error and all those that it came from."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def explain(name, model, error):
    """One sentence: which model, what went wrong, and the remedy that fits the cause.

    Args:
        name: as the user wrote it.
        model: its row.
        error: what `from_pretrained` raised.
    """
    return _of_the_hub(name, model, error) if model.commit else _of_a_folder(name, model, error)


def _of_the_hub(name, model, error):
    label = name if name == model.source else f"{name} ({model.source})"
    size = f"{model.gigabytes} GB" if model.gigabytes else "some gigabytes"
    return f"model {label} could not be loaded: {_cause(model, list(chain(error)), size)}"


def _cause(model, causes, size):
    kinds = [kind.__name__ for cause in causes for kind in type(cause).__mro__]
    said = " ".join(str(cause) for cause in causes)
    if any(isinstance(cause, OSError) and cause.errno == errno.ENOSPC for cause in causes) or "No space left" in said:
        return f"the disk is full; free {size}, or set HF_HOME to a folder on another disk"
    if "GatedRepoError" in kinds:
        return f"its authors want a form to be filled in; do so at https://huggingface.co/{model.source}, then run `hf auth login`"
    if "RepositoryNotFoundError" in kinds or " 401 " in said:
        return "the Hub knows no such model, or your token may not see it; check the name, and `hf auth login`"
    if any("proxy" in part.lower() for part in (*kinds, said)):
        return "the proxy refused; check HTTPS_PROXY"
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        return f"it is not in the cache, and HF_HUB_OFFLINE forbids a download; unset it to fetch {size} once, {POCKET_INSTEAD}"
    if {"LocalEntryNotFoundError", "ConnectError", "ConnectionError", "ConnectTimeout", "OfflineModeIsEnabled"} & set(kinds):
        return (
            f"it is not in the cache and the Hub is out of reach; connect to the network for a first download of {size}, {POCKET_INSTEAD}"
        )
    first = str(causes[0]).strip().splitlines()[0][:160] if str(causes[0]).strip() else type(causes[0]).__name__
    return f"{first}; check its page, https://huggingface.co/{model.source}, {POCKET_INSTEAD}"


def _of_a_folder(name, model, error):
    place = Path(model.source)
    again = "install sdlab again, or `git checkout -- sdlab/assets`" if name in MODELS else "copy it again"
    if place.is_file():
        hint = f"its model's configuration may have to come from the Hub once, or {again}"
        return f"the weights file {place} cannot be read ({_first_line(error)}): {hint}"
    absent = [part for part in PARTS[model.kind] if not (place / part).exists()]
    absent += [part for part in _listed(place) if part not in absent and part not in model.borrows and not (place / part).exists()]
    state = f"{', '.join(absent)} missing" if absent else f"a file is damaged or incomplete: {_first_line(error)}"
    return f"the weights in {place} cannot be read ({state}): {again}"


def _listed(folder):
    """The parts that a folder's `model_index.json` promises."""
    import json

    try:
        index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return [part for part, what in index.items() if isinstance(what, list) and what and what[0]]


def _first_line(error):
    return (str(error).strip() or type(error).__name__).splitlines()[0][:160]

"""Why a model could not be loaded, and what to do about it: the many errors under `from_pretrained`, told in one sentence."""

import errno
import hashlib
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
    kinds = {kind.__name__ for cause in causes for kind in type(cause).__mro__}
    said = " ".join(str(cause) for cause in causes)
    answer = next((cause.response for cause in causes if getattr(cause, "response", None) is not None), None)
    status, page = getattr(answer, "status_code", None), f"https://huggingface.co/{model.source}"
    if any(isinstance(cause, OSError) and cause.errno == errno.ENOSPC for cause in causes) or "No space left" in said:
        return f"the disk is full; free {size}, or set HF_HOME to a folder on another disk"
    if "GatedRepoError" in kinds:
        return f"its authors want a form to be filled in; do so at {page}, then run `hf auth login`"
    if "RepositoryNotFoundError" in kinds or status == 401 or " 401 " in said:
        return "the Hub knows no such model, or your token may not see it; check the name, and `hf auth login`"
    if any("proxy" in part.lower() for part in (*kinds, said)):
        return "the proxy refused; check HTTPS_PROXY"
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        return f"it is not in the cache, and HF_HUB_OFFLINE forbids a download; unset it to fetch {size} once, {POCKET_INSTEAD}"
    if status == 429:
        wait = answer.headers.get("Retry-After")
        return f"the Hub has been asked too often; try again {f'in {wait} seconds' if wait else 'in some minutes'}, or run `hf auth login`"
    if status is not None and status >= 500:
        return f"the Hub has trouble of its own (status {status}); try again later, {POCKET_INSTEAD}"
    if "peer closed connection" in said or "Consistency check failed" in said or {"ReadError", "RemoteProtocolError"} & kinds:
        return "the download broke off; load it again, and the files that came whole are not fetched twice"
    if {"LocalEntryNotFoundError", "ConnectError", "ConnectionError", "ConnectTimeout", "OfflineModeIsEnabled"} & kinds:
        return (
            f"it is not in the cache and the Hub is out of reach; connect to the network for a first download of {size}, {POCKET_INSTEAD}"
        )
    if damaged := drop_damaged(model):
        return f"{' and '.join(damaged)} came damaged, and was taken out of the cache; load it again to fetch it anew"
    if "necessary `safetensors` weights" in said:
        return f"it has no weights as safetensors, and other formats can run programs; look at {page} for a conversion"
    if absent := _absent_of_the_hub(model):
        return f"it has no {' and no '.join(absent)}, which its model_index.json promises; look at {page} for a whole one"
    return f"{_first_line(causes[0])}; check its page, {page}, {POCKET_INSTEAD}"


def _absent_of_the_hub(model):
    """The parts that were promised and did not come."""
    from huggingface_hub import try_to_load_from_cache

    index = try_to_load_from_cache(model.source, "model_index.json", revision=model.commit)
    folder = Path(index).parent if isinstance(index, str) else None
    return [part for part in _listed(folder) if part not in model.without and not (folder / part).exists()] if folder else []


def drop_damaged(model):
    """Take files out of the cache that are not what the Hub said they are, and name them.

    The client compares sizes only. A file with other bytes would stay, and every later try would fail on it.
    """
    from huggingface_hub import get_cached_repo_tree, try_to_load_from_cache
    from huggingface_hub.errors import CachedRepoTreeNotFoundError

    try:
        listed = get_cached_repo_tree(model.source, revision=model.commit)
    except CachedRepoTreeNotFoundError:  # nothing was fetched yet
        return []
    dropped = []
    for file in listed:
        path = try_to_load_from_cache(model.source, file.path, revision=model.commit)
        if isinstance(path, str) and not _is_whole(Path(path), file):
            for place in {Path(path), Path(path).resolve()}:
                place.unlink()
            dropped.append(file.path)
    return dropped


def _is_whole(path, file):
    """Whether a file has the hash that the Hub lists: SHA-256 for those in large file storage, git's for others."""
    digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False) if file.lfs is None else hashlib.sha256()
    with path.open("rb") as content:
        while part := content.read(1 << 20):
            digest.update(part)
    return digest.hexdigest() == (file.blob_id if file.lfs is None else file.lfs.sha256)


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

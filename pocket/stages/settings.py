"""What must be the same when a stage is resumed: the knobs it turns, and the contents of the files it learns from."""

import hashlib
import json
from dataclasses import asdict, is_dataclass

from pocket.world.catalog import HELD_OUT, PACK


def last_run(folder):
    """The minutes and samples of the run that a stage's folder tells of."""
    last = json.loads((folder / "log.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    return {"minutes": last["minutes"], "samples": last["samples"]}


def digest(path):
    """The first twelve hexadecimal digits of the SHA-256 of a file, or of the weights in a folder."""
    content = hashlib.sha256()
    for file in sorted(path.rglob("*.safetensors")) if path.is_dir() else [path]:
        content.update(file.read_bytes())
    return content.hexdigest()[:12]


def identify(path):
    """A word by which a file, or the weights in a folder, are known again: their digest.

    A model that a stage of the same training wrote is known by the samples it saw instead: the stage writes it anew whenever it is
    started again, and the last bits may differ then.
    """
    return f"{last_run(path.parent)['samples']} samples" if (path.parent / "log.jsonl").exists() else digest(path)


def list_settings(config, *knobs, **files):
    """The settings of a stage, for `sdlab.training.run.Run.begin`.

    Args:
        config: the recipe.
        knobs: names of its fields that the stage reads, other than minutes and numbers of workers, which may change.
        files: paths that the stage begins with or stands on; those that are None or not there are left out.
    """
    values = {knob: getattr(config, knob) for knob in knobs}
    return {
        "config": config.name,
        **{knob: asdict(value) if is_dataclass(value) else value for knob, value in values.items()},
        **{name: identify(path) for name, path in {"sprites": PACK, "held out": HELD_OUT, **files}.items() if path and path.exists()},
    }

"""What a run was begun with, kept in its checkpoints, so that it is not resumed with something else."""

import json

from sdlab.system.calls import brief

SETTINGS = "settings.json"  # in a checkpoint


class OtherSettings(ValueError):
    """A run is asked to go on with other settings than it was begun with."""


def write_settings(checkpoint, settings):
    """Keep settings, as JSON can hold them, in the folder of a checkpoint, a `Path`."""
    (checkpoint / SETTINGS).write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")


def refuse_other_settings(checkpoint, settings):
    """Refuse to go on from a checkpoint that was trained with other settings; one that tells of none is taken as it is.

    Args:
        checkpoint: its folder, a `Path`, inside that of the run.
        settings: those of now.

    Raises:
        OtherSettings: which differ, and how.
    """
    file = checkpoint / SETTINGS
    if not file.exists():
        return
    before = _flatten(json.loads(file.read_text(encoding="utf-8")))
    now = _flatten(json.loads(json.dumps(settings)))  # tuples become lists there
    others = [
        f"{name} was {brief(before.get(name))} and is now {brief(now.get(name))}"
        for name in dict.fromkeys([*before, *now])
        if before.get(name) != now.get(name)
    ]
    if others:
        raise OtherSettings(
            f"{checkpoint.parent} holds a training begun with other settings ({'; '.join(others)}): set them back to go on with it, or "
            "choose another folder to begin anew"
        )


def _flatten(settings, before=""):
    """Settings inside settings under names with dots: `{"mix": {"flaw": 0.1}}` → `{"mix.flaw": 0.1}`."""
    flat = {}
    for name, value in settings.items():
        flat |= _flatten(value, f"{before}{name}.") if isinstance(value, dict) else {before + name: value}
    return flat

"""How a model was trained, run after run, as its card tells it: beside the weights that ship, and handed on to who begins with them."""

import json
import shutil
from pathlib import Path

from pocket.stages.settings import last_run

STORY = "training.json"  # beside the weights of a shipped model
BEFORE = "before.json"  # in a run's folder: the story of the model that the run began with


def hand_on(start, folder):
    """Keep the story of the model in `start`, a pipeline's folder or a part of one, in the folder of the run that begins with it."""
    for place in (Path(start), Path(start).parent):
        if (place / STORY).exists():
            shutil.copy(place / STORY, folder / BEFORE)
            return


def add_note(note, folder):
    """Add a sentence to the story of the model that the run in a folder began with, once."""
    file = folder / BEFORE
    story = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    notes = story.setdefault("notes", [])
    if note not in notes:
        notes.append(note)
    file.write_text(json.dumps(story, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def tell(folder, stages, **details):
    """What went into the model in `folder`: `{stage: [runs], …, "notes": [sentences]}`, with the runs of the model that it began with.

    Args:
        folder: where the stages left their results.
        stages: their names; the last one is that which may have begun with a shipped model.
        details: by stage, what else is told of its last run, `{name: value}`.
    """
    before = folder / stages[-1] / BEFORE
    story = json.loads(before.read_text(encoding="utf-8")) if before.exists() else {"notes": []}
    for stage in stages:
        runs = story.setdefault(stage, [])
        if (folder / stage / "log.jsonl").exists():
            run = last_run(folder / stage) | details.get(stage, {})
            if run not in runs:
                runs.append(run)
    return story


def write(story, folder):
    """Put a story beside the weights in a folder."""
    (folder / STORY).write_text(json.dumps(story, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read(folder):
    """The story beside the weights in a folder."""
    return json.loads((folder / STORY).read_text(encoding="utf-8"))

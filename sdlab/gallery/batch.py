"""Make a named batch of pictures and keep it: a timestamped file for each picture, and one JSON with every parameter.

The JSON is there before the first picture and is written anew after each, so that at any moment it is valid and lists what is finished.
"""

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path

from tqdm.auto import tqdm

from sdlab.gallery.saving import DEVICES, NOT_ON_WINDOWS, encode_image, versions, without_paths
from sdlab.gallery.sources import keep_sources
from sdlab.pipes.generation import as_recipe, generate, prepare, split_pair
from sdlab.system.calls import brief, check_call
from sdlab.system.files import check_writable, replace_file, write
from sdlab.system.messages import as_path, cause_and_remedy

LONGEST_NAME = 150  # bytes; systems take 255, and the time, a number and the ending come behind it
HOW = "as in sdlab.save_batch(pipe, {'landscape': 'a lake, oil painting', 'portrait': recipe}, 'outputs')"


@dataclass(frozen=True)
class Batch:
    """A kept batch: the file of its JSON, and of each name the files of its pictures."""

    record: Path
    pictures: dict


@check_call("sdlab.save_batch(pipe, {'landscape': 'a lake, oil painting', 'portrait': recipe})")
def save_batch(pipe, recipes, to="outputs", *, progress=True):
    """Make the pictures of named recipes, and save each as soon as it is made, as name-date-time.png.

    Args:
        pipe: as for `generate`.
        recipes: name → Recipe or prompt. A name is also a file's, on every system.
        to: the folder; it is made if it is not there.
        progress: show a bar with the time left.

    Returns:
        A `Batch`. Its `record` is batch-date-time.json: for every name its recipe as it was drawn, model and cost, and its files, of which
        each can be made again with `reproduce`. Whatever stops the program, what is finished is listed there; the rest has no files.

    Raises:
        TypeError: something of the wrong kind.
        ValueError: no recipe, one that cannot be drawn, or a name that some system cannot write. Nothing has been made then.
        OSError: the folder cannot be written to, or the disk is full. Pictures finished before stay.
    """
    base, refiner = split_pair(pipe)
    if not isinstance(recipes, Mapping):
        raise TypeError(f"recipes is {brief(recipes)}: give names and recipes, {HOW}")
    if not recipes:
        raise ValueError(f"recipes is {brief(recipes)}, so there is nothing to make: give names and recipes, {HOW}")
    _check_names(list(recipes))
    recipes = {name: prepare(base, as_recipe(recipe, {}), refiner) for name, recipe in recipes.items()}
    folder = as_path(to, HOW)
    check_writable(folder)
    now = datetime.now().astimezone()
    stamp = f"{now:%Y%m%d-%H%M%S}"
    entries = {name: {"recipe": without_paths(recipe).to_dict(), "files": []} for name, recipe in recipes.items()}
    told = {"made": now.isoformat(timespec="seconds"), "versions": versions(), "pictures": entries}
    record = _begin_record(folder, f"batch-{stamp}", _encode(told))
    pictures = {}
    for recipe in recipes.values():
        keep_sources(recipe, folder)
    for name, recipe in tqdm(recipes.items(), unit="recipe", desc="batch", leave=False, disable=not progress):
        made = generate(pipe, recipe, progress=False)
        entries[name] |= {"model_hash": made.model_hash, "device": made.device, "dtype": made.dtype, "seconds": round(made.seconds, 3)}
        pictures[name] = []
        for index in range(len(made.images)):
            pictures[name].append(write(encode_image(made, index), folder, f"{name}-{stamp}", ".png"))
            entries[name]["files"].append(pictures[name][-1].name)
            replace_file(record, _encode(told))
    return Batch(record, pictures)


def _check_names(names):
    """Refuse a name that leaves the folder, that some system cannot write, or that is another one's on some system."""
    seen = {}
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"name {brief(name)} is no text: give names and recipes, {HOW}")
        wrong = NOT_ON_WINDOWS.search(name) or "/" in name or name.split(".")[0].strip().lower() in DEVICES
        if wrong or not name.strip() or name != name.strip(" .") or not name.isprintable():
            raise ValueError(f"name {brief(name)} can be no file's on every system: choose one of letters, digits, spaces and hyphens")
        if len(name.encode()) > LONGEST_NAME:
            raise ValueError(f"name {brief(name)} is too long for a file: choose one of at most {LONGEST_NAME} bytes")
        same = unicodedata.normalize("NFC", name).casefold()
        if same in seen:
            raise ValueError(f"names {brief(seen[same])} and {brief(name)} are one file on some systems: choose another for one of them")
        seen[same] = name


def _encode(told):
    return (json.dumps(told, indent=2) + "\n").encode()


def _begin_record(folder, stem, content):
    """Write the JSON under the first free name, without a moment at which a file of that name is empty.

    Who made `<name>.partial` holds the name; a killed program leaves that, and the next batch takes the next number.
    """
    for number in count(1):
        file = folder / f"{stem}.json" if number == 1 else folder / f"{stem}-{number}.json"
        partial = file.with_name(f".{file.name}.partial")
        try:
            partial.touch(exist_ok=False)
        except FileExistsError:
            continue
        except OSError as error:
            raise OSError(f"{brief(file)} could not be written {cause_and_remedy(error)}") from error
        try:
            if not file.exists():
                replace_file(file, content)
                return file
        finally:
            partial.unlink(missing_ok=True)

"""Keep pictures: each file carries its recipe, is written whole or not at all, and overwrites nothing.

What a kill can leave behind is an empty file or one that ends in `.partial` (`sdlab.system.files`): `Gallery` takes neither for a picture,
and the next picture gets the next number.
"""

import json
import os
import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path, PureWindowsPath

from PIL import Image

from sdlab import __version__
from sdlab.gallery.encoding import OTHER_SUFFIXES, WRITERS, encode, iptc_fields, parameters_text
from sdlab.gallery.sources import keep_sources
from sdlab.pipes.generation import Generation
from sdlab.pipes.models import MODELS, is_hub_id
from sdlab.pipes.recipe import Recipe
from sdlab.system.calls import brief, check_call
from sdlab.system.files import check_writable, make_folder, write
from sdlab.system.messages import as_path

HOW = "give Generations and then a folder or a file, such as sdlab.save(run, 'outputs') or sdlab.save(run, 'lion.png')"

NOT_ON_WINDOWS = re.compile(r'[<>:"|?*\\\x00-\x1f]')  # refused everywhere, because pictures travel; a colon there even loses the picture
DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10))}


@check_call("sdlab.save(run, 'outputs') or sdlab.save(run, 'lion.png')")
def save(*generations, to=None):
    """Save every image of one or several generations, each with its recipe.

    Args:
        generations: from `generate` or `sweep`, one by one or in lists. Text or a path after them is `to`.
        to: a name ending in .png, .jpg, .jpeg or .webp is a file: several images become lion.png, lion-2.png, … Anything else is a
            folder, in which PNG files are named after prompt and seed. Default: "outputs". Folders are made if they are not there.

    Returns:
        The paths of the files, in the order of the images. Where a name is taken, the next free number is added, as in lion-2.png.

    Raises:
        TypeError: something that is no Generation, or no path.
        ValueError: nothing to save, or a kind of file that cannot carry a recipe, or a file name that Windows cannot write.
        OSError: the place cannot be written to, or the disk is full. No half file is left; pictures written before stay.
    """
    if generations and isinstance(generations[-1], str | os.PathLike):
        if to is not None:
            raise TypeError(f"got two places, {brief(generations[-1])} and {brief(to)}: {HOW}")
        *generations, to = generations
    generations = [g for item in generations for g in (item if is_series(item) else [item])]
    for generation in generations:
        _check(generation)
    if not generations:
        raise ValueError(f"got no Generation, so there is nothing to save: {HOW}")
    folder, stem, suffix = _split(as_path("outputs" if to is None else to, HOW))
    pictures = []
    for generation in generations:
        for index in range(len(generation.images)):
            name = stem or f"{slug(generation.recipe.prompt)}-{generation.recipe.seed + index}"
            pictures.append((name, encode_image(generation, index, suffix)))
    make_folder(folder)
    for generation in generations:
        keep_sources(generation.recipe, folder)
    return [write(content, folder, name, suffix) for name, content in pictures]


def check_place(to):
    """Refuse a place that `save` could not write to, before there is something to save.

    Raises:
        ValueError: a kind of file that cannot carry a recipe, or a name that Windows cannot write.
        OSError: the folder cannot be written to.
    """
    folder, _, _ = _split(as_path(to, HOW))
    check_writable(folder)


def is_series(value):
    """Whether it is a list, a tuple, a sweep or the like, and not a text."""
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def encode_image(generation, index, suffix=".png", **more):
    """The bytes of a file that holds one image of a Generation with its recipe; `more` goes into its story."""
    recipe, image = _recipe_of(generation, index), generation.images[index]
    parameters = parameters_text(recipe, generation.model_hash, image.size)
    return encode(image, suffix.lower(), parameters, _tell(recipe, generation, **more), iptc_fields(recipe, generation.model_hash))


def _check(generation):
    """Refuse now what would fail inside, before the first file is written."""
    if not isinstance(generation, Generation):
        raise TypeError(f"got {brief(generation)} ({type(generation).__name__}) and not a Generation: {HOW}")
    if not isinstance(generation.recipe, Recipe):
        raise TypeError(f"a Generation's recipe is {brief(generation.recipe)}: only sdlab.generate makes a Generation that can be saved")
    images = generation.images
    if not isinstance(images, list | tuple) or not images or not all(isinstance(image, Image.Image) for image in images):
        raise TypeError(f"a Generation's images are {brief(images)}: they must be PIL images, one or more, as sdlab.generate makes them")


def _split(path):
    """What a path asks for: folder, stem and suffix; no stem where each picture is to be named after its prompt."""
    suffix = path.suffix.lower()
    if suffix in OTHER_SUFFIXES:
        raise ValueError(f"file {brief(path.name)} ends in {suffix}: a picture is saved with its recipe as {', '.join(WRITERS)}")
    if path.name.lower() in WRITERS:
        raise ValueError(f"file {brief(path.name)} has no name before its ending: call it lion{path.name.lower()} or the like")
    if suffix in WRITERS and (NOT_ON_WINDOWS.search(path.name) or path.name.split(".")[0].strip().lower() in DEVICES):
        raise ValueError(f"file {brief(path.name)} has a name that Windows cannot write: choose one of letters, digits and hyphens")
    return (path.parent, path.stem, path.suffix) if suffix in WRITERS else (path, None, ".png")


def _recipe_of(generation, index):
    """The recipe of one image, which never holds a path: where this machine keeps a model is nobody's business."""
    return without_paths(generation.recipe.split()[index])


def without_paths(recipe):
    """The recipe with its models by name."""
    return recipe.but(**{field: name and hide_path(name) for field, name in (("model", recipe.model), ("refiner", recipe.refiner))})


def hide_path(model):
    """A model's name: of the table and the Hub as it is, of a folder or a file its last part."""
    name = PureWindowsPath(model).name  # knows both kinds of slash, whichever machine wrote the path
    on_the_hub = is_hub_id(model) and not Path(model).exists()
    return model if model in MODELS or on_the_hub else name or Path(model).resolve().name or "a folder"


def _tell(recipe, generation, **more):
    """The story of a picture: its recipe, what made it, what that cost, and when. ASCII, so that every format can hold it."""
    return json.dumps({
        "recipe": recipe.to_dict(), "model_hash": str(generation.model_hash), "device": str(generation.device),
        "dtype": str(generation.dtype), "seconds": round(generation.seconds / len(generation.images), 3),
        "peak_memory": generation.peak_memory,
        "made": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "versions": versions(),
        **more,
    })  # fmt: skip


def versions():
    """Of the libraries that a picture depends on most."""
    return {"sdlab": __version__, "torch": version("torch"), "diffusers": version("diffusers")}


def slug(text, longest=48):
    """A file name made from a prompt: plain letters, digits and hyphens, so that no prompt can leave its folder."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:longest].strip("-") or "picture"

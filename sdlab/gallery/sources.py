"""The pictures that kept pictures began with: a copy of each lies in a folder `sources` beside them, under its digest."""

import io

from sdlab.pipes.recipe import PICTURES
from sdlab.system.files import make_folder, replace_file

FOLDER = "sources"


def place_of(source, folder):
    """The file of a source's copy in the gallery `folder`."""
    return folder / FOLDER / f"{source.digest}.png"


def keep_sources(recipe, folder):
    """Write a copy of each picture that a recipe begins with, unless it is there already.

    Args:
        recipe: of pictures that are kept in `folder`.
        folder: a `Path`.

    Raises:
        OSError: it cannot be written.
    """
    for source in (getattr(recipe, name) for name in PICTURES):
        if source is not None and not (file := place_of(source, folder)).exists():
            content = io.BytesIO()
            source.picture.save(content, "PNG")
            make_folder(file.parent)
            replace_file(file, content.getvalue())


def find_sources(recipe, folder):
    """The recipe with the pictures that it begins with, where there are copies of them in the gallery `folder`."""
    told = {name: getattr(recipe, name) for name in PICTURES}
    files = {name: place_of(source, folder) for name, source in told.items() if source is not None}
    return recipe.but(**{name: told[name].found_in(file) for name, file in files.items() if file.exists()}) if files else recipe

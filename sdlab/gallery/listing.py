"""A gallery: a folder of pictures that each carry their recipe."""

import copy
import difflib
import operator
import os
import re
import textwrap
from dataclasses import dataclass, fields
from datetime import datetime, timezone
from pathlib import Path

from sdlab.gallery.encoding import OTHER_SUFFIXES, WRITERS
from sdlab.gallery.reading import open_picture, unpack
from sdlab.pipes.recipe import Recipe
from sdlab.system.calls import brief, check_call
from sdlab.system.messages import as_path

LARGEST_SHEET = 300  # pictures; a figure of more is too tall for matplotlib, or for the memory of a laptop
LARGEST_THUMBNAIL = 512  # pixels


@dataclass(frozen=True)
class Picture:
    """A saved picture: its file, its recipe, and when it was made (UTC). It stands wherever a file does: `read`, `reproduce`, `open`."""

    file: Path
    recipe: Recipe
    made: datetime

    @property
    def image(self):
        """The picture itself, read from its file, as a PIL image."""
        return open_picture(self.file)

    def __fspath__(self):
        return str(self.file)


@check_call("sdlab.Gallery('outputs')")
class Gallery:
    """The saved pictures of a folder, newest last.

    It has a length, can be walked through, and gives a `Picture` for an index and a smaller gallery for a slice. It lists what was there
    when it was made; make it again to see what came since.

    Args:
        folder: where `save` wrote; folders inside it are not looked into.

    Attributes:
        skipped: file → why it is not listed; a damaged picture, or one without a recipe, stops nothing.

    Raises:
        FileNotFoundError, NotADirectoryError, OSError: no such folder, or it may not be read.
    """

    def __init__(self, folder="outputs"):
        self.folder = as_path(folder, "give the folder that sdlab.save wrote to, such as sdlab.Gallery('outputs')")
        self.skipped, pictures = {}, []
        for file in self._list_files():
            try:
                picture = _look(file)
                pictures.append((_age(picture), picture))
            except (ValueError, OSError) as error:
                self.skipped[file] = str(error)
        self._pictures = [picture for _, picture in sorted(pictures, key=operator.itemgetter(0))]

    def _list_files(self):
        """The picture files of the folder, without hidden ones."""
        try:
            files = sorted(self.folder.iterdir())
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f"folder {brief(self.folder)} does not exist: save a picture into it first, or give the folder that sdlab.save wrote to"
            ) from error
        except NotADirectoryError as error:
            raise NotADirectoryError(f"{brief(self.folder)} is a file: read its recipe with sdlab.read, or give its folder") from error
        except OSError as error:
            raise OSError(f"folder {brief(self.folder)} cannot be listed ({error.strerror}): give one you may read") from error
        known = {*WRITERS, *OTHER_SUFFIXES}
        return [file for file in files if file.suffix.lower() in known and not file.name.startswith(".") and not file.is_dir()]

    def __len__(self):
        return len(self._pictures)

    def __iter__(self):
        return iter(self._pictures)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return self._part(self._pictures[index])
        try:
            return self._pictures[operator.index(index)]
        except TypeError as error:
            raise TypeError(f"index is {brief(index)}: give a whole number or a slice, such as gallery[-1] or gallery[-5:]") from error
        except IndexError as error:
            last = f"from 0 to {len(self) - 1}, or -1 for the newest" if len(self) else "nothing, for it holds no pictures"
            raise IndexError(f"index is {index}: this gallery has {last}") from error

    def _part(self, pictures):
        part = copy.copy(self)
        part._pictures = pictures
        return part

    def filter(self, *values, **wanted):
        """The pictures whose recipes have these values, as a gallery: `gallery.filter(seed=3, sampler="DDIM")`.

        Args:
            values: none; every value is named by its ingredient.
            wanted: ingredients of a Recipe; a prompt is compared as a whole.

        Raises:
            TypeError, ValueError: a Recipe has no such ingredient, or it cannot have this value.
        """
        if values:
            raise TypeError(f"got {brief(values[0])} without a name: name the ingredient, such as gallery.filter(seed=3)")
        known = [field.name for field in fields(Recipe)]
        for name in wanted:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"choose from {', '.join(known)}"
                raise TypeError(f"a Recipe has no {name!r} to filter by: {hint}")
        sound = Recipe("anything").but(**wanted)  # a value that no recipe can have would find nothing, and not say why
        return self._part([p for p in self if all(getattr(p.recipe, name) == getattr(sound, name) for name in wanted)])

    def show(self, title=None):
        """A contact sheet: every picture with what differs between their recipes, or its file's name where nothing does.

        Returns:
            The matplotlib figure.

        Raises:
            ValueError: no pictures, or too many for one sheet.
        """
        from sdlab.display import grids, showing

        if not 1 <= len(self) <= LARGEST_SHEET:
            remedy = "save some first, or filter less" if not len(self) else f"show a part, such as gallery[-{LARGEST_SHEET}:].show()"
            raise ValueError(f"this gallery has {len(self)} pictures, and a sheet holds 1 to {LARGEST_SHEET}: {remedy}")
        images = [picture.image.convert("RGB") for picture in self]
        for image in images:
            image.thumbnail((LARGEST_THUMBNAIL, LARGEST_THUMBNAIL))
        titles = showing.contrast([picture.recipe for picture in self])
        names = [textwrap.fill(picture.file.name, 26) for picture in self]
        return grids.grid(images, [title or name for title, name in zip(titles, names, strict=True)], title=title)

    def __repr__(self):
        size = f"{len(self)} picture{'' if len(self) == 1 else 's'}" + (f", {len(self.skipped)} skipped" if self.skipped else "")
        rows = [f"  {p.file.name}: {brief(p.recipe.prompt)}, seed {p.recipe.seed}, {p.recipe.model}" for p in self._pictures[-5:]]
        more = [f"  … {len(self) - len(rows)} older"] if len(self) > len(rows) else []
        return "\n".join([f"Gallery({brief(self.folder)}): {size}", *more, *rows])


def _look(file):
    """A file as a `Picture`; when its story does not say when it was made, the file's own time does."""
    recipe, story = unpack(file)
    try:
        made = datetime.fromisoformat(story["made"]).astimezone(timezone.utc)
    except (KeyError, TypeError, ValueError, OverflowError):
        made = datetime.fromtimestamp(os.path.getmtime(file), timezone.utc)
    return Picture(file, recipe, made)


def _age(picture):
    """What sorts pictures: the second they were made in; within it the file's own time, and at last its number, as 10 comes after 9."""
    parts = re.split(r"(\d+)", picture.file.stem)
    return picture.made, os.path.getmtime(picture.file), [int(part) if i % 2 else part for i, part in enumerate(parts)]

"""A drawing becomes a file, whole or not at all, and overwrites nothing."""

import os
from contextlib import suppress
from itertools import count
from uuid import uuid4

from PIL import Image

from sdlab.system.calls import brief


def keep(picture, file):
    """Write a PIL picture as PNG under the first free name: lion.png, then lion-2.png and so on.

    It is written beside its place and moved onto an empty file that claims the name, which needs no links.

    Args:
        picture: of mode "L".
        file: a `Path`. Folders are made if they are not there.

    Returns:
        The path; that of an earlier file, if it holds just this picture.

    Raises:
        OSError: it cannot be written. Nothing is left of it.
    """
    partial, claimed = file.with_name(f".sdlab-{uuid4().hex}.partial"), None
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with open(partial, "xb") as opened:
            picture.save(opened, "PNG")
        for number in count(1):
            name = file if number == 1 else file.with_name(f"{file.stem}-{number}{file.suffix}")
            if name.exists() and _holds(name, picture):
                return name
            with suppress(FileExistsError):
                open(name, "xb").close()
                claimed = name
                os.replace(partial, name)
                return name
    except OSError as error:
        raise OSError(f"{brief(file)} could not be written ({error.strerror or error}): choose another place") from error
    finally:
        if partial.exists():  # so it was not moved, and a claimed name is still empty
            for path in filter(None, (claimed, partial)):
                with suppress(OSError):
                    path.unlink(missing_ok=True)


def _holds(file, picture):
    """Whether a file holds just this picture."""
    try:
        with Image.open(file) as there:
            return there.mode == picture.mode and there.size == picture.size and there.tobytes() == picture.tobytes()
    except (OSError, Image.DecompressionBombError):
        return False

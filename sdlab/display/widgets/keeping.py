"""A drawing becomes a file, whole or not at all, and overwrites nothing."""

import io
from itertools import count

from PIL import Image

from sdlab.system.files import make_folder, write


def keep(picture, file):
    """Write a PIL picture as PNG under the first free name: lion.png, then lion-2.png and so on.

    Args:
        picture: of mode "L".
        file: a `Path`. Folders are made if they are not there.

    Returns:
        The path; that of an earlier file, if it holds just this picture.

    Raises:
        OSError: it cannot be written. Nothing is left of it.
    """
    for number in count(1):
        name = file if number == 1 else file.with_name(f"{file.stem}-{number}{file.suffix}")
        if not name.exists():
            break
        if _holds(name, picture):
            return name
    content = io.BytesIO()
    picture.save(content, "PNG")
    make_folder(file.parent)
    return write(content.getvalue(), file.parent, file.stem, file.suffix)


def _holds(file, picture):
    """Whether a file holds just this picture."""
    try:
        with Image.open(file) as there:
            return there.mode == picture.mode and there.size == picture.size and there.tobytes() == picture.tobytes()
    except (OSError, Image.DecompressionBombError):
        return False

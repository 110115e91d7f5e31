"""Read back what a picture carries. A file may come from a stranger or from a broken disk: whatever is wrong with it is one sentence."""

import json

from PIL import Image, UnidentifiedImageError

from sdlab.gallery.encoding import find_iptc, find_story
from sdlab.gallery.sources import find_sources
from sdlab.pipes.recipe import Recipe
from sdlab.system.calls import brief, check_call
from sdlab.system.messages import as_path

HOW = "give one file that sdlab.save made, such as sdlab.save(run)[0]"


@check_call("sdlab.read('lion.png')")
def read(file):
    """The Recipe that a saved picture carries.

    Args:
        file: a PNG, JPEG or WebP file that `save` made, or a picture of a `Gallery`.

    Raises:
        TypeError: `file` is no path.
        FileNotFoundError: no such file.
        ValueError: not a picture, a damaged one, or one without a sound recipe.
        IsADirectoryError, PermissionError: a folder, or a file that may not be read.
    """
    return unpack(file)[0]


@check_call("read_iptc('lion.png')")
def read_iptc(file):
    """What a picture says of its origin in IPTC's fields, name → text: `DigitalSourceType`, `AISystemUsed` and others.

    Args:
        file: any picture; one that says nothing gives an empty dictionary.

    Raises:
        As `read`, except that a picture without a recipe is as good as any.
    """
    return find_iptc(open_picture(as_path(file, HOW)).info)


def unpack(file):
    """The Recipe in a picture, and the rest of its story as a dictionary."""
    return open_with_story(file)[1:]


def open_with_story(file):
    """A picture as a PIL image, the Recipe in it, and the rest of its story as a dictionary."""
    file = as_path(file, HOW)
    picture = open_picture(file)
    story = find_story(picture.info)
    if story is None:
        raise ValueError(
            f"{brief(file)} carries no recipe: only pictures that sdlab.save made do, and saving them again elsewhere can strip it"
        )
    try:
        story = json.loads(story)
        if not isinstance(story, dict) or not isinstance(story.get("recipe"), dict):
            raise ValueError("there is none in its story")
        return picture, find_sources(Recipe.from_dict(story["recipe"]), file.parent), story
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"the recipe in {brief(file)} is broken ({error}): make the picture again from a recipe you know") from error


def open_picture(file):
    """The picture in a file as a PIL image, decoded to its last pixel, so that half a file is not taken for a whole one.

    Raises:
        FileNotFoundError, IsADirectoryError, PermissionError, ValueError: as `read`.
    """
    try:
        if file.is_dir():
            raise IsADirectoryError(f"{brief(file)} is a folder and not a picture: sdlab.Gallery lists what is in it")
        if not file.stat().st_size:
            raise EOFError("it is empty, as a saving that was cut off leaves it")
        with Image.open(file) as picture:
            picture.load()
            return picture
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{brief(file)} does not exist: {HOW}") from error
    except IsADirectoryError:
        raise
    except PermissionError as error:
        raise PermissionError(f"{brief(file)} may not be read ({error.strerror}): ask its owner, or give another file") from error
    except Exception as error:  # Pillow's decoders meet damage with errors of many kinds
        known = not isinstance(error, UnidentifiedImageError)
        reason = (getattr(error, "strerror", None) or " ".join(str(error).split())[:120]) if known else "no picture format begins so"
        raise ValueError(f"{brief(file)} is not a readable picture ({reason}): {HOW}") from error

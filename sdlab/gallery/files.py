"""Files that are written whole or not at all: beside their place first, and then moved into it."""

import os
from contextlib import suppress
from uuid import uuid4

from sdlab.gallery.messages import cause_and_remedy
from sdlab.system.calls import brief


def make_folder(folder):
    """Make a folder, a `Path`, and those above it, where they are not there.

    Raises:
        OSError: with the cause.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"folder {brief(folder)} cannot be made {cause_and_remedy(error)}") from error


def check_writable(folder):
    """Make a folder and write a file for a moment, so that a place that takes nothing is known before there is something to keep.

    Raises:
        OSError: with the cause.
    """
    make_folder(folder)
    probe = beside(folder)
    try:
        probe.touch(exist_ok=False)
        probe.unlink()
    except OSError as error:
        raise OSError(f"folder {brief(folder)} cannot be written to {cause_and_remedy(error)}") from error


def replace_file(file, content):
    """Let these bytes be the content of a file, a `Path`, whether it is there or not; killed at any moment, the old content or the new.

    Raises:
        OSError: with the cause; the file is as it was.
    """
    partial = beside(file.parent)
    try:
        with open(partial, "xb") as opened:
            opened.write(content)
            opened.flush()
            os.fsync(opened.fileno())
        os.replace(partial, file)
    except OSError as error:
        raise OSError(f"{brief(file)} could not be written {cause_and_remedy(error)}") from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def beside(folder):
    """A new name in a folder, for a file that is not whole yet; `Gallery` and git pass over it."""
    return folder / f".sdlab-{os.getpid()}-{uuid4().hex}.partial"

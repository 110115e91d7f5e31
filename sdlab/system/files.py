"""Files that are written whole or not at all: beside their place first, and then moved into it; and new names, which one program gets.

A name is claimed by an empty file, which only one can make; the content is written beside it and moved onto the claim. That needs no links,
so it works on a Drive mount, on exFAT and on network disks.
"""

import os
from contextlib import suppress
from itertools import count
from uuid import uuid4

from sdlab.system.calls import brief
from sdlab.system.messages import cause_and_remedy


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


def write(content, folder, stem, suffix):
    """Write bytes under the first free name: `stem`, then `stem`-2, -3 and so on.

    Returns:
        The path. Another thread or process that wants the same name gets another number.

    Raises:
        OSError: with the cause; neither the claimed name nor half a file is left.
    """
    partial, claimed = beside(folder), None
    try:
        with open(partial, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        claimed = claim(folder, stem, suffix)
        os.replace(partial, claimed)
        return claimed
    except OSError as error:
        raise OSError(f"{brief(folder / (stem + suffix))} could not be written {cause_and_remedy(error)}") from error
    finally:
        if partial.exists():  # so it was not moved, and the claimed name is still empty
            for path in filter(None, (claimed, partial)):
                with suppress(OSError):
                    path.unlink(missing_ok=True)


def claim(folder, stem, suffix):
    """Make the first free name ours, by an empty file."""
    for number in count(1):
        path = folder / (f"{stem}{suffix}" if number == 1 else f"{stem}-{number}{suffix}")
        try:
            open(path, "xb").close()
            return path
        except OSError:
            if not os.path.lexists(path):  # some systems refuse a name that a folder has with another error than "exists"
                raise


def beside(folder):
    """A new name in a folder, for a file that is not whole yet; `Gallery` and git pass over it."""
    return folder / f".sdlab-{os.getpid()}-{uuid4().hex}.partial"

"""What this room says of paths and disks: whether something names a file, and the operating system's cause with its remedy."""

import errno
import os
from pathlib import Path

from sdlab.system.calls import brief


def as_path(value, rule):
    """The `Path` that a text or a path object names; `rule` ends the message about anything else.

    Raises:
        TypeError: neither text nor a path.
        ValueError: text that can name no file.
    """
    text = os.fspath(value) if isinstance(value, str | os.PathLike) else None
    if not isinstance(text, str):
        raise TypeError(f"got {brief(value)} ({type(value).__name__}) and not a path: {rule}")
    if not text.strip() or "\0" in text or not _can_be_encoded(text):
        raise ValueError(f"got {brief(text)}, which can name no file: {rule}")
    return Path(text)


def _can_be_encoded(text):
    try:
        os.fsencode(text)
    except UnicodeError:
        return False
    return True


def cause_and_remedy(error):
    """Of an OSError, the cause as the operating system says it, and what helps against this one."""
    cause = error.strerror or str(error) or type(error).__name__
    remedies = {
        errno.ENOSPC: "free space or choose another folder",
        errno.EACCES: "choose a folder you may write to",
        errno.EPERM: "choose a folder you may write to",
        errno.EROFS: "choose a folder you may write to",
        errno.ENAMETOOLONG: "choose a shorter name",
        errno.EINVAL: "choose another name",
    }
    return f"({cause}): {remedies.get(error.errno, 'choose another folder')}"

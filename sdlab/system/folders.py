"""Replace a folder as a whole: killed at any moment, the program leaves the old content or the new one complete.

No system can exchange two folders in one step that all systems have, so there is a moment at which the old one stands aside, under its name
with `.old`, and nothing in its place. `restore_folder` puts it back, and belongs before anything that looks whether the folder is there.
"""

import os
import shutil


def restore_folder(place):
    """Put back what stands aside if a program was killed between the two renames of `replace_folder`; otherwise do nothing.

    Args:
        place: a `Path`. Only one process may call this at a time.
    """
    aside = place.with_name(place.name + ".old")
    if aside.exists() and not place.exists():
        os.rename(aside, place)


def replace_folder(place, new):
    """Let the folder `new` take the place of another, or of none.

    Args:
        place: a `Path`; whatever is in this folder goes.
        new: a `Path` on the same disk, complete; it is gone afterwards.

    Raises:
        OSError: it could not be moved, for instance because a file in `place` is open on Windows. `place` is then as it was.
    """
    aside = place.with_name(place.name + ".old")
    restore_folder(place)  # from here on what stands aside is not the only one
    if aside.exists():  # killed while it was being removed: no folder can be renamed onto one that holds something
        shutil.rmtree(aside)
    if place.exists():
        os.rename(place, aside)
    try:
        os.rename(new, place)
    except OSError:
        restore_folder(place)
        raise
    shutil.rmtree(aside, ignore_errors=True)  # what is left of it the next call removes

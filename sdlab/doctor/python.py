"""Python itself, and the system below it."""

import platform
import struct
import sys

from sdlab.doctor.finding import BROKEN, LOOK, Finding

OLDEST = (3, 10)


def examine_python():
    """Version, bits, and whether it is translated on a Mac: a list of `Finding`."""
    version = platform.python_version()
    found = []
    if sys.version_info < OLDEST:
        found.append(Finding("Python", f"{version} is too old", BROKEN, "the course needs 3.10 or newer"))
    elif struct.calcsize("P") < 8:
        found.append(Finding("Python", f"{version} is a 32-bit one", BROKEN, "install a 64-bit Python, for torch has no other"))
    elif is_translated():
        found.append(
            Finding(
                "Python", f"{version} was built for Intel and is translated on this Mac, which hides its GPU", LOOK,
                "install Python for Apple silicon, and make the environment anew",
            )
        )  # fmt: skip
    else:
        found.append(Finding("Python", f"{version} on {platform.system()} {platform.release()}, {platform.machine()}"))
    return found


def is_translated():
    """Whether an Intel Python runs on Apple silicon, under Rosetta."""
    return platform.system() == "Darwin" and platform.machine() == "x86_64" and "Apple" in _chip()


def _chip():
    """The processor's name as macOS tells it to a program that is translated too."""
    import subprocess

    try:
        return subprocess.run(["sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True, text=True, timeout=5, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ""

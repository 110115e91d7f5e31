"""Result files: what was measured, where and with which versions, every sample, as JSON.

A file is written whole after every knob and moved into its place, so that a program killed at any moment leaves one that can be read and
gone on with. It says nothing of its owner: no path, no name of a user or of a host.
"""

import importlib.metadata
import json
import platform
import subprocess
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import torch
from scipy.stats import t as student

import sdlab
from sdlab.bench.clock import Sample
from sdlab.bench.knobs import BASELINE, Settings
from sdlab.bench.memory import Held
from sdlab.display.intervals import Estimate
from sdlab.system import device as devices
from sdlab.system.calls import brief
from sdlab.system.files import make_folder, replace_file

FORMAT = 1
LIBRARIES = ("torch", "diffusers", "transformers", "accelerate", "numpy", "torchao", "onnxruntime")


@dataclass
class Entry:
    """One knob: its settings, and what was measured; or why nothing was.

    Args:
        settings: what it sets.
        prepare: seconds until the pipeline was ready, without its first call.
        first: the first call, which pays for what is done once.
        samples: the calls after that.
        against: calls of the baseline made in turn with them; none for the baseline itself.
        memory: what was held during a call.
        pixels: the largest difference from the baseline's picture, in levels from 0 to 255; None where there is none to compare with.
        failed: the reason, where the device or a library could not do it.
    """

    settings: Settings
    prepare: float = 0.0
    first: Sample | None = None
    samples: list[Sample] = field(default_factory=list)
    against: list[Sample] = field(default_factory=list)
    memory: Held | None = None
    pixels: int | None = None
    failed: str | None = None

    @property
    def seconds(self):
        """The median time of one picture."""
        return float(np.median([sample.per_picture for sample in self.samples]))

    @property
    def ratio(self):
        """How many times the baseline's pictures per second, with its 95% interval; None for the baseline, or what failed.

        The geometric mean of the pairs, and Student's interval for it: with as few repeats as a benchmark has, a bootstrap would be
        too sure of itself.
        """
        if not self.against:
            return None
        logs = np.log([theirs.per_picture / ours.per_picture for theirs, ours in zip(self.against, self.samples, strict=True)])
        wide = student.ppf(0.975, len(logs) - 1) * logs.std(ddof=1) / len(logs) ** 0.5 if len(logs) > 1 else np.inf
        return Estimate(*map(float, np.exp((logs.mean(), logs.mean() - wide, logs.mean() + wide))), len(logs))

    def to_dict(self):
        """As JSON keeps it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values):
        """The entry that `to_dict` gave."""
        more = {name: [Sample.from_dict(one) for one in values[name]] for name in ("samples", "against")}
        more["first"] = Sample.from_dict(values["first"]) if values["first"] else None
        more["memory"] = Held(**values["memory"]) if values["memory"] else None
        return cls(**values | more | {"settings": Settings(**values["settings"])})


@dataclass
class Result:
    """A whole result file.

    Args:
        asked: what the measurement was: model, weights, side, steps, repeats, device. Files that agree in it can be gone on with.
        machine: its name, memory, threads and system; `note` is what its user says of it, such as "busy".
        versions: of Python and the libraries.
        commit: of the course, where it is a checkout.
        made: when it was begun, in UTC.
        load: seconds of loading, and bytes held before and after.
        work: floating-point operations of a text, a step and a decoding.
        rates: operations per second that the device reaches, by dtype.
        entries: `{knob: Entry}`.
        done: whether every knob that was asked for is in it.
    """

    asked: dict
    machine: dict
    versions: dict
    commit: str | None
    made: str
    load: dict = field(default_factory=dict)
    work: dict = field(default_factory=dict)
    rates: dict = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)
    done: bool = False

    @property
    def baseline(self):
        """The entry that the others are compared with."""
        return self.entries[BASELINE]

    def to_dict(self):
        """As JSON keeps it."""
        return {"format": FORMAT, **asdict(self)}


def begin(asked, note=""):
    """A `Result` without entries, of this machine, now.

    Args:
        asked: what is measured; its "device" is described.
        note: what its user says of the machine.
    """
    machine = {**asdict(devices.describe(asked["device"])), "system": f"{platform.system()} {platform.machine()}", "note": note}
    versions = {"python": platform.python_version(), "sdlab": sdlab.__version__} | {
        name: importlib.metadata.version(name) for name in LIBRARIES if _is_installed(name)
    }
    if torch.version.cuda:
        versions["cuda"] = torch.version.cuda
    return Result(asked, machine, versions, _commit(), datetime.now(timezone.utc).isoformat(timespec="seconds"))


def _is_installed(name):
    try:
        return bool(importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return False


def _commit():
    """The commit of the checkout that this file lies in; None without git, or outside a checkout."""
    told = {"cwd": Path(__file__).parent, "capture_output": True, "text": True, "check": True}
    try:
        if subprocess.run(["git", "ls-files", "--error-unmatch", "__init__.py"], **told).stdout:
            return subprocess.run(["git", "rev-parse", "HEAD"], **told).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def write(file, result):
    """Write a `Result` as JSON, whole or not at all; an older file of this name is replaced.

    Raises:
        OSError: with the cause; an older file is as it was.
    """
    make_folder(file.parent)
    values = result.to_dict()
    entries = ",\n".join(f"  {json.dumps(name)}: {json.dumps(entry)}" for name, entry in values.pop("entries").items())
    head = ",\n".join(f" {json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}" for name, value in values.items())
    replace_file(file, f'{{\n{head},\n "entries": {{\n{entries}\n }}\n}}\n'.encode())


def read(file):
    """The `Result` in a file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no result file, or of a newer version of the course.
    """
    file = Path(file)
    try:
        content = file.read_bytes()
    except OSError as error:
        raise OSError(f"{brief(file)} cannot be read ({error.strerror}): give a file that sdlab bench wrote") from error
    try:
        values = json.loads(content)
        number = values.pop("format")
        if number > FORMAT:
            raise ValueError(f"{brief(file)} has format {number}, and this version of sdlab reads up to {FORMAT}: update sdlab")
        entries = {name: Entry.from_dict(entry) for name, entry in values.pop("entries").items()}
        return Result(**values, entries=entries)
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{brief(file)} is no result of sdlab bench ({type(error).__name__}): measure again into another file") from error

"""The packages: the versions that `sdlab` asks for, pairs that are known to break, and those that were exchanged under a running kernel."""

import sys
from dataclasses import dataclass
from importlib import metadata

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from sdlab.doctor.finding import BROKEN, LOOK, Finding

SHOWN = ("torch", "diffusers", "transformers", "accelerate", "peft", "huggingface-hub", "numpy", "pillow")
PINNED = ("torchvision", "torchaudio", "xformers")  # built for one torch; with another, importing transformers or diffusers can fail
MODULES = {"pillow": "PIL", "huggingface-hub": "huggingface_hub"}  # distribution → module, where they differ


@dataclass(frozen=True)
class Trouble:
    """Versions that break something together.

    Args:
        versions: distribution → the versions concerned, such as "<2.13".
        device: the kind of device on which it happens, or None for all.
        does: what happens.
        remedy: what to do.
        source: where it is on record.
    """

    versions: dict
    does: str
    remedy: str
    source: str
    device: str | None = None


KNOWN = (
    Trouble(
        {"peft": ">=0.20", "torchao": "<0.16"}, "loading or training a LoRA raises ImportError",
        "pip uninstall torchao, or pip install 'torchao>=0.16', and restart", "peft's own check",
    ),
    Trouble(
        {"torch": "<2.13"}, "a text encoder in half precision draws another prompt without a word; sdlab keeps it in float32",
        "upgrade torch if you load pipelines yourself", "pytorch#195910", "mps",
    ),
    Trouble({"torch": "==2.4.1"}, "attention slicing draws wrong pictures", "upgrade torch", "InvokeAI#7049", "mps"),
    Trouble({"torch": "==2.8.*"}, "attention can fail", "upgrade torch", "pytorch#163597", "mps"),
    Trouble({"torch": "==2.11.*"}, "attention can fail", "upgrade torch", "pytorch#174861", "mps"),
)  # fmt: skip


def installed(name):
    """The version of a distribution, or None."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def examine_packages(device):
    """Versions, known troubles on this kind of device, and stale modules: a list of `Finding`."""
    found = [*_compare_with_ranges(), *_find_unpaired(), *_find_troubles(device), *_find_stale()]
    here = ", ".join(f"{name} {version}" for name in SHOWN if (version := installed(name)))
    return found if any(one.level == BROKEN for one in found) else [Finding("packages", here), *found]


def _compare_with_ranges():
    """What `sdlab` requires and does not have in that version."""
    for line in metadata.requires("sdlab") or ():
        requirement = Requirement(line)
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        version = installed(requirement.name)
        if version is None:
            yield Finding("packages", f"{requirement.name} is missing", BROKEN, f"pip install '{requirement.name}{requirement.specifier}'")
        elif not requirement.specifier.contains(version, prereleases=True):
            yield Finding(
                "packages", f"{requirement.name} {version} is not {requirement.specifier}", BROKEN,
                f"pip install '{requirement.name}{requirement.specifier}', and restart",
            )  # fmt: skip


def _find_unpaired():
    """Packages that were built for another torch than the one that is here."""
    for name in filter(installed, PINNED):
        for requirement in map(Requirement, metadata.requires(name) or ()):
            if (
                requirement.name == "torch"
                and not requirement.marker
                and not requirement.specifier.contains(installed("torch").partition("+")[0])
            ):
                remedy = f"pip install --upgrade {name}, or pip uninstall {name}, which the course does not need"
                yield Finding(
                    "packages", f"{name} {installed(name)} is for torch {requirement.specifier}, not {installed('torch')}", LOOK, remedy
                )


def _find_troubles(device):
    for trouble in KNOWN:
        have = {name: installed(name) for name in trouble.versions}
        concerned = all(
            have[name] and SpecifierSet(versions).contains(have[name], prereleases=True) for name, versions in trouble.versions.items()
        )
        if concerned and trouble.device in (None, device):
            pair = " with ".join(f"{name} {version}" for name, version in have.items())
            yield Finding("packages", f"{pair}: {trouble.does} ({trouble.source})", LOOK, trouble.remedy)


def _find_stale():
    """Packages that pip exchanged after the running program had imported them."""
    for name in (*SHOWN, "ipywidgets", "matplotlib"):
        module = sys.modules.get(MODULES.get(name, name))
        running, there = getattr(module, "__version__", None), installed(name)
        if running and there and running.partition("+")[0] != there.partition("+")[0]:
            yield Finding("packages", f"{name} {there} is installed, but {running} is running", BROKEN, "restart the kernel")

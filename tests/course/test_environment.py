"""The three lists of packages, and what students and Colab need of them."""

import os
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from docs.tools.cuda_notice import notice

if sys.version_info < (3, 11):
    pytest.skip("tomllib came with Python 3.11", allow_module_level=True)
import tomllib

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
RANGES = [*PROJECT["dependencies"], *(r for extra in PROJECT["optional-dependencies"].values() for r in extra)]
LOCK = [
    Requirement(line) for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")
]


def test_conda_users_get_the_same():
    listed = re.findall(r"^      - (.+)$", (ROOT / "environment.yml").read_text(encoding="utf-8"), re.M)
    assert sorted(listed) == sorted([*RANGES, "-e ."])


@pytest.mark.parametrize("python", ["3.10.13", "3.11.7", "3.12.1", "3.13.0"])
def test_the_lock_satisfies_every_range(python):
    """One pin for each package on each Python, inside its range."""
    place = {"python_full_version": python, "python_version": python.rpartition(".")[0], "sys_platform": "linux"}
    for wanted in map(Requirement, RANGES):
        pins = [r for r in LOCK if r.name.lower() == wanted.name.lower() and (r.marker is None or r.marker.evaluate(place))]
        assert len(pins) == 1, f"{wanted.name} has {len(pins)} pins for Python {python}: run make lock"
        [exact] = pins[0].specifier
        assert exact.operator == "=="
        assert wanted.specifier.contains(exact.version), f"{pins[0]} is outside {wanted}: run make lock"


def test_the_lock_is_exact_and_brings_no_cuda():
    assert "torch==2.13.0" in map(str, LOCK)
    assert not [r for r in LOCK if r.name.startswith(("nvidia", "cuda", "triton", "torchvision"))]


COLAB = dict(line.split("==") for line in Path(__file__).with_name("colab.txt").read_text(encoding="utf-8").splitlines() if "==" in line)
KEPT_ON_COLAB = {"torch", "numpy", "pillow", "scipy", "matplotlib", "transformers", "ipywidgets"}


def changed_by(requirements, there):
    """What pip changes to meet requirements where the packages `there` are, `{name: version}`; new ones are taken as installed here."""
    changed, todo = {}, [Requirement(r) for r in requirements]
    while todo:
        wanted = todo.pop()
        name = canonicalize_name(wanted.name)
        if wanted.marker and not wanted.marker.evaluate({"extra": "", "python_version": "3.13", "python_full_version": "3.13.5"}):
            continue
        if name in changed or (name in there and wanted.specifier.contains(there[name])):
            continue
        try:
            found = distribution(name)
        except PackageNotFoundError:  # of another system or Python than this one
            continue
        changed[name] = str(wanted)
        todo += map(Requirement, found.requires or ())
    return changed


def test_colab_keeps_what_its_kernel_has_loaded():
    changed = changed_by(PROJECT["dependencies"], COLAB)
    assert "diffusers" in changed  # Colab's is older than what the course needs
    assert not KEPT_ON_COLAB & set(changed), {name: changed[name] for name in KEPT_ON_COLAB & set(changed)}


def test_a_bound_that_colab_does_not_meet_would_be_seen():
    assert "ipywidgets" in changed_by(["ipywidgets>=8"], COLAB)
    assert "numpy" in changed_by(["scikit-image>=0.25"], COLAB | {"numpy": "1.20"})  # through what another package requires


@pytest.mark.parametrize(
    ("system", "has_nvidia", "environment", "warns"),
    [
        ("linux", False, {}, True),
        ("linux", True, {}, False),
        ("linux", False, {"PIP_EXTRA_INDEX_URL": "https://download.pytorch.org/whl/cpu"}, False),
        ("darwin", False, {}, False),
        ("win32", False, {}, False),
    ],
)
def test_a_newcomer_without_a_gpu_is_told_of_the_cuda_build(system, has_nvidia, environment, warns):
    said = notice(system, has_nvidia, environment)
    assert bool(said) is warns
    assert not warns or "PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu make course" in said


@pytest.mark.parametrize(("target", "offline"), [("lab", False), ("course", False), ("check", True), ("test", True)])
def test_only_tests_forbid_the_network(target, offline):
    """The target's first command prints what it would see of the variable."""
    environment = {key: value for key, value in os.environ.items() if key != "HF_HUB_OFFLINE"}
    made = subprocess.run(
        ["make", "-C", ROOT, "--assume-old=.venv/ready", target, "RUN=echo offline: $$HF_HUB_OFFLINE; exit 1 #"],
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    [seen] = re.findall(r"^offline:(.*)$", made.stdout, re.M)
    assert seen.strip() == ("1" if offline else "")

"""The three lists of packages, and what students and Colab need of them."""

import re
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

if sys.version_info < (3, 11):
    pytest.skip("tomllib came with Python 3.11", allow_module_level=True)
import tomllib

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
RANGES = [*PROJECT["dependencies"], *(r for extra in PROJECT["optional-dependencies"].values() for r in extra)]
LOCK = [Requirement(line) for line in (ROOT / "requirements.lock").read_text().splitlines() if line and not line.startswith("#")]


def test_conda_users_get_the_same():
    listed = re.findall(r"^      - (.+)$", (ROOT / "environment.yml").read_text(), re.M)
    assert sorted(listed) == sorted([*RANGES, "-e ."])


def test_the_lock_satisfies_every_range():
    for wanted in map(Requirement, RANGES):
        pins = [r for r in LOCK if r.name.lower() == wanted.name.lower()]
        assert pins, f"{wanted.name} is not in requirements.lock: run make lock"
        for pin in pins:
            [exact] = pin.specifier
            assert exact.operator == "=="
            assert wanted.specifier.contains(exact.version), f"{pin} is outside {wanted}: run make lock"


def test_the_lock_is_exact_and_brings_no_cuda():
    assert "torch==2.13.0" in map(str, LOCK)
    assert not [r for r in LOCK if r.name.startswith(("nvidia", "cuda", "triton", "torchvision"))]


def test_colab_keeps_its_torch_and_numpy():
    for name in ("torch", "numpy"):
        [wanted] = [Requirement(r) for r in PROJECT["dependencies"] if Requirement(r).name == name]
        assert {s.operator for s in wanted.specifier} == {">="}

"""What the doctor says of packages, on package folders as pip leaves them."""

import sys
import types

import pytest

from sdlab.doctor import packages
from sdlab.doctor.finding import BROKEN, LOOK


@pytest.fixture
def pretend(tmp_path, monkeypatch):
    """`pretend(name, version, requires…)`: a distribution that is found before all others."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def install(name, version, *requires):
        folder = tmp_path / f"{name.replace('-', '_')}-{version}.dist-info"
        folder.mkdir()
        lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {one}" for one in requires)]
        (folder / "METADATA").write_text("\n".join(lines) + "\n", encoding="utf-8")

    return install


def findings(level, device="cpu"):
    return [one for one in packages.examine_packages(device) if one.level == level]


def test_this_environment_has_what_it_needs():
    assert not findings(BROKEN)
    assert "torch" in packages.examine_packages("cpu")[0].says


@pytest.mark.parametrize(("name", "version"), [("diffusers", "0.30.0"), ("transformers", "6.0.0")])
def test_a_version_outside_the_range_is_broken_and_the_remedy_is_a_command(pretend, name, version):
    pretend(name, version)
    [one] = [one for one in findings(BROKEN) if "is running" not in one.says]  # which it is, if a test before this one imported it
    assert one.says.startswith(f"{name} {version} is not ")
    assert one.remedy.startswith(f"pip install '{name}") and "restart" in one.remedy


def test_a_missing_package_is_broken(pretend):
    pretend("sdlab", "9", "surely-not-there>=2", "only-for-others; extra == 'pocket'")
    [one] = findings(BROKEN)
    assert (one.says, one.remedy) == ("surely-not-there is missing", "pip install 'surely-not-there>=2'")


def test_peft_beside_an_old_torchao_is_known(pretend):
    assert not findings(LOOK)
    pretend("torchao", "0.10.0")
    [one] = findings(LOOK)
    assert "torchao 0.10.0" in one.says and "LoRA" in one.says and "0.16" in one.remedy


def test_a_new_torchao_is_no_trouble(pretend):
    pretend("torchao", "0.16.0")
    assert not findings(LOOK)


@pytest.mark.parametrize(("version", "troubles"), [("2.12.1", 1), ("2.4.1", 2), ("2.8.0", 2), ("2.11.0+cu128", 2), ("2.13.0", 0)])
def test_what_is_on_record_of_torch_on_a_mac_is_told_there_only(pretend, version, troubles):
    pretend("torch", version)
    assert len(findings(LOOK, "mps")) == troubles
    assert not findings(LOOK, "cuda")


def test_a_torchvision_for_another_torch_is_told(pretend):
    pretend("torchvision", "0.20.0", "numpy", "torch==2.5.0")
    [one] = findings(LOOK)
    assert "torchvision 0.20.0 is for torch ==2.5.0" in one.says and "uninstall torchvision" in one.remedy


def test_a_package_exchanged_under_a_running_kernel_wants_a_restart(monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", types.SimpleNamespace(__version__="7.7.1"))
    [one] = findings(BROKEN)
    assert "7.7.1 is running" in one.says and one.remedy == "restart the kernel"

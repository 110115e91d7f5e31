import ast
import builtins
import os
import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from sdlab.system import device


def test_the_first_device_there_is_is_picked():
    expected = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    assert device.pick().type == expected
    assert device.pick("cpu").type == "cpu"


def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="not one torch knows"):
        device.pick("gpu9")
    if not torch.backends.mps.is_available():
        with pytest.raises(ValueError, match=r"'mps' is not on this machine: use .*'cpu'"):
            device.pick("mps")


def test_cpu_computes_in_float32_and_gpus_in_float16():
    assert device.default_dtype("cpu") == torch.float32
    assert device.default_dtype("cuda") == torch.float16
    assert device.default_dtype(torch.device("mps")) == torch.float16


def test_the_peak_rises_with_what_is_held_and_stays_when_that_is_gone():
    import psutil

    before, now = device.peak_memory("cpu"), psutil.Process().memory_info().rss
    held = torch.ones((before - now + 300_000_000) // 4)  # 300 MB more than this process ever held
    at_most = device.peak_memory("cpu")
    assert before + 200_000_000 < at_most < before + 500_000_000
    size = held.nbytes
    del held
    assert psutil.Process().memory_info().rss < at_most - 0.8 * size
    assert device.peak_memory("cpu") > 0.99 * at_most  # Linux counts pages in lots


def test_without_unix_modules_memory_is_known_all_the_same(monkeypatch):
    """As on Windows: no `resource`, no `os.sysconf`, no /proc."""
    monkeypatch.setitem(sys.modules, "resource", None)  # importing it fails
    monkeypatch.delattr(os, "sysconf")

    def no_file(path, *_, **__):
        raise FileNotFoundError(path)

    monkeypatch.setattr(builtins, "open", no_file)
    monkeypatch.setattr(device, "psutil", SimpleNamespace(
        Process=lambda: SimpleNamespace(memory_info=lambda: SimpleNamespace(rss=5, peak_wset=7)),
        virtual_memory=lambda: SimpleNamespace(total=16 * 2**30),
    ))  # fmt: skip
    assert device.peak_memory("cpu") == 7
    assert "16 GiB of memory" in str(device.describe("cpu"))
    monkeypatch.setattr(device.psutil, "Process", lambda: SimpleNamespace(memory_info=lambda: SimpleNamespace(rss=5)))
    assert device.peak_memory("cpu") == 5  # no system tells a peak: what is held now


def test_the_peak_is_never_below_what_is_held():
    import psutil

    assert device.peak_memory("cpu") >= 0.99 * psutil.Process().memory_info().rss


def test_the_package_imports_without_unix(monkeypatch):
    """No module asks for a Unix-only one when it is imported; what looks at the machine is imported anew without one."""
    package = Path(device.__file__).parent.parent
    asked = {
        f"{path.relative_to(package)}: {name}"
        for path in package.rglob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        for name in ([alias.name for alias in node.names] if isinstance(node, ast.Import) else [getattr(node, "module", None)])
    }
    assert len(asked) > 50
    assert not {line for line in asked if line.split(": ")[1] in ("resource", "fcntl", "pwd", "grp", "termios")}
    monkeypatch.setitem(sys.modules, "resource", None)
    assert runpy.run_path(device.__file__)["peak_memory"]("cpu") > 0


def test_the_machine_is_described_in_one_line():
    line = str(device.describe("cpu"))
    assert "computing on cpu in float32" in line
    assert "\n" not in line


def test_importing_sdlab_imports_nothing_heavy():
    heavy = "import sys, sdlab; sdlab.Recipe; print([m for m in ('torch', 'diffusers', 'transformers', 'matplotlib') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True).stdout.strip() == "[]"

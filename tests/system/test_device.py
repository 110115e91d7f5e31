import subprocess
import sys

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


def test_peak_memory_notices_a_large_tensor():
    before = device.peak_memory("cpu")
    held = torch.ones(80_000_000)  # 320 MB of float32
    assert device.peak_memory("cpu") >= max(before, held.nbytes)


def test_the_machine_is_described_in_one_line():
    line = str(device.describe("cpu"))
    assert "computing on cpu in float32" in line
    assert "\n" not in line


def test_importing_sdlab_imports_nothing_heavy():
    heavy = "import sys, sdlab; sdlab.Recipe; print([m for m in ('torch', 'diffusers', 'transformers', 'matplotlib') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True).stdout.strip() == "[]"

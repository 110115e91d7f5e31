"""What the doctor says of Python, the device, memory and disk."""

import os
import sys
from collections import namedtuple
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from sdlab.doctor import computing, python, storage
from sdlab.doctor.finding import BROKEN, FINE, LOOK


def test_this_python_is_fine():
    assert [one.level for one in python.examine_python()] == [FINE]


def test_an_old_python_and_a_32_bit_one_are_refused(monkeypatch):
    monkeypatch.setattr(python, "OLDEST", (99, 0))
    assert python.examine_python()[0].level == BROKEN
    monkeypatch.setattr(python, "OLDEST", (3, 10))
    monkeypatch.setattr(python.struct, "calcsize", lambda _: 4)
    [one] = python.examine_python()
    assert one.level == BROKEN and "64-bit" in one.remedy


@pytest.mark.parametrize(
    ("chip", "machine", "translated"), [("Apple M2", "x86_64", True), ("Intel Core i7", "x86_64", False), ("Apple M2", "arm64", False)]
)
def test_an_intel_python_on_apple_silicon_is_found_out(monkeypatch, chip, machine, translated):
    monkeypatch.setattr(python.platform, "system", lambda: "Darwin")
    monkeypatch.setattr(python.platform, "machine", lambda: machine)
    monkeypatch.setattr(python, "_chip", lambda: chip)
    assert python.is_translated() == translated
    assert (python.examine_python()[0].level == LOOK) == translated


def test_this_device_computes_right():
    assert {one.level for one in computing.examine_device(torch.device("cpu"))} == {FINE}


def test_half_precision_alone_is_no_mistake():
    assert 0 < computing.compare_attention("cpu", torch.float16) < computing.TOLERANCE


def test_a_mask_that_half_precision_forgets_is_noticed(monkeypatch):
    """As torch before 2.13 did on a Mac."""
    right = F.scaled_dot_product_attention

    def forgetful(q, k, v, is_causal):
        return right(q, k, v, is_causal=is_causal and q.dtype == torch.float32)

    monkeypatch.setattr(computing.F, "scaled_dot_product_attention", forgetful)
    monkeypatch.setattr(computing.devices, "default_dtype", lambda _: torch.float16)
    [one] = [one for one in computing.examine_device(torch.device("cpu")) if one.about == "computing"]
    assert one.level == BROKEN and "float32" in one.remedy


def test_nan_is_a_mistake_too(monkeypatch):
    monkeypatch.setattr(computing, "compare_attention", lambda *_: float("nan"))
    assert [one.level for one in computing.examine_device(torch.device("cpu")) if one.about == "computing"] == [BROKEN]


def test_a_device_that_fails_is_told_with_the_reason(monkeypatch):
    def fail(*_):
        raise RuntimeError("no kernel image is available\nfor this device")

    monkeypatch.setattr(computing, "compare_attention", fail)
    [one] = [one for one in computing.examine_device(torch.device("cpu")) if one.about == "computing"]
    assert "no kernel image is available" in one.says and "\n" not in str(one)


@pytest.mark.skipif(os.name == "nt", reason="a script is no program there")
@pytest.mark.parametrize(("cuda", "advice"), [(None, "get-started/locally"), ("12.8", "nvidia-smi")])
def test_a_gpu_that_torch_does_not_use_is_told(monkeypatch, tmp_path, cuda, advice):
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(torch.version, "cuda", cuda)
    told = [one for one in computing.examine_device(torch.device("cpu")) if one.level == LOOK]
    assert len(told) == 1 and advice in told[0].remedy


def test_a_mac_s_traps_are_told(monkeypatch):
    monkeypatch.setenv("PYTORCH_MPS_HIGH_WATERMARK_RATIO", "0.0")
    monkeypatch.setattr(computing.platform, "mac_ver", lambda: ("27.0", ("", "", ""), "arm64"))
    monkeypatch.setattr(computing.devices, "has_bf16", lambda _: False)
    told = " ".join(map(str, computing._settings_of_a_mac(torch.device("mps"))))
    assert "freeze" in told and "black pictures" in told and "bfloat16" in told
    assert not list(computing._settings_of_a_mac(torch.device("cpu")))


@pytest.mark.parametrize(("free", "level"), [(0.5e9, BROKEN), (8e9, FINE)])
def test_too_little_memory_is_told(monkeypatch, free, level):
    monkeypatch.setattr(computing.devices, "free_memory", lambda _: free)
    [one] = computing.examine_memory(torch.device("cpu"))
    assert one.level == level and f"{free / 1e9:.1f} GB" in one.says


def test_a_folder_that_takes_files_is_fine_and_left_as_it_was(tmp_path):
    assert storage.examine_disk(tmp_path)[0].level == FINE
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform != "linux", reason="has no folder into which nobody can write")
def test_a_folder_that_takes_no_files_is_broken():
    [one] = storage.examine_disk("/proc")
    assert one.level == BROKEN and "folder of your own" in one.remedy


def test_a_full_disk_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "shutil", SimpleNamespace(disk_usage=lambda _: namedtuple("Usage", "free")(2e8)))
    [one] = storage.examine_disk(tmp_path)
    assert one.level == LOOK and "free some" in one.remedy


def test_downloads_that_broke_off_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    [one] = storage.examine_cache()  # no such folder yet
    assert one.level == FINE
    blobs = tmp_path / "hub" / "models--a--b" / "blobs"
    blobs.mkdir(parents=True)
    (blobs / "123.incomplete").write_bytes(bytes(1000))
    assert "1 downloads broke off" in storage.examine_cache()[1].says

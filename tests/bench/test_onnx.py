"""The U-Net by onnxruntime: with a stand-in for it, which checks what it is given and lets torch compute."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import sdlab
from sdlab.bench.comparing import largest_difference
from sdlab.bench.knobs import baseline
from sdlab.bench.onnx import WORDS
from sdlab.bench.preparing import arrange, call_arguments, vary

CPU = torch.device("cpu")


@pytest.fixture
def own_pipe():
    """Loaded before the stand-in is there, for diffusers looks for the real one."""
    return sdlab.load("pocket", device="cpu")


@pytest.fixture
def exported(own_pipe, pair, monkeypatch):
    """What was exported: the module, its example inputs, and the file."""
    found = SimpleNamespace(threads=None, runs=0)

    def export(module, example, file, **options):
        found.module, found.example, found.options, found.file = module, example, options, file

    class Session:
        def __init__(self, file, options, providers):
            assert file == found.file and providers == ["CPUExecutionProvider"]
            found.threads = options.intra_op_num_threads

        def run(self, names, feed):
            found.runs += 1
            assert tuple(feed) == WORDS
            for value, example in zip(feed.values(), found.example, strict=True):
                assert isinstance(value, np.ndarray) and value.shape == tuple(example.shape) and value.dtype == np.float32
            with torch.no_grad():
                return [found.module(*map(torch.from_numpy, feed.values())).numpy()]

    monkeypatch.setattr(torch.onnx, "export", export)
    monkeypatch.setitem(sys.modules, "onnxscript", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "onnxruntime", SimpleNamespace(
        SessionOptions=SimpleNamespace, InferenceSession=Session, get_available_providers=lambda: ["CPUExecutionProvider"],
    ))  # fmt: skip
    return found


def test_it_takes_the_place_of_the_unet_and_draws_the_same_picture(own_pipe, exported):
    pipe = own_pipe
    pipe.set_progress_bar_config(disable=True)
    own = baseline("cpu", 2, sdlab.native_side(pipe))
    arrange(pipe, own, CPU)
    other = own.but(engine="onnxruntime")
    new = vary(pipe, own, other, CPU)
    pictures = [one(**call_arguments(one, how, "a lion on the beach", CPU)).images[0] for one, how in ((pipe, own), (new, other))]
    assert largest_difference(*pictures) <= 1
    assert exported.runs == 2 and exported.threads == torch.get_num_threads()
    assert exported.options["dynamo"] is True


def test_without_it_the_remedy_is_told(own_pipe, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    own = baseline("cpu", 2, sdlab.native_side(own_pipe))
    with pytest.raises(ImportError, match="onnxruntime is not installed: pip install onnxruntime onnxscript"):
        vary(own_pipe, own, own.but(engine="onnxruntime"), CPU)


def test_of_sdxl_it_is_refused(exported, pair):
    base, _ = pair
    own = baseline("cpu", 2, sdlab.native_side(base))
    with pytest.raises(ValueError, match="as SDXL's does"):
        vary(base, own, own.but(engine="onnxruntime"), CPU)

"""The U-Net by onnxruntime, where that is installed."""

import sys

import pytest
import torch

import sdlab
from sdlab.bench.comparing import largest_difference
from sdlab.bench.knobs import baseline
from sdlab.bench.preparing import arrange, call_arguments, vary

CPU = torch.device("cpu")


@pytest.fixture
def own_pipe():
    """One that may be rearranged."""
    return sdlab.load("pocket", device="cpu")


@pytest.mark.slow
def test_it_takes_the_place_of_the_unet_and_draws_the_same_picture(own_pipe):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    own_pipe.set_progress_bar_config(disable=True)
    own = baseline("cpu", 3, sdlab.native_side(own_pipe))
    arrange(own_pipe, own, CPU)
    other = own.but(engine="onnxruntime")
    new = vary(own_pipe, own, other, CPU)
    pairs = ((own_pipe, own), (new, other))
    pictures = [one(**call_arguments(one, how, "a lion on the beach", CPU)).images[0] for one, how in pairs]
    assert largest_difference(*pictures) <= 1
    assert type(new.unet) is not type(own_pipe.unet)


def test_without_it_the_remedy_is_told(own_pipe, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    own = baseline("cpu", 2, sdlab.native_side(own_pipe))
    with pytest.raises(ImportError, match="onnxruntime is not installed: pip install onnxruntime onnxscript"):
        vary(own_pipe, own, own.but(engine="onnxruntime"), CPU)


def test_of_sdxl_it_is_refused(pair):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    base, _ = pair
    own = baseline("cpu", 2, sdlab.native_side(base))
    with pytest.raises(ValueError, match="as SDXL's does"):
        vary(base, own, own.but(engine="onnxruntime"), CPU)

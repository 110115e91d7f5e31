"""What the stages that learn to remove noise share: the averaged weights while one looks, and what a resumed stage must find unchanged."""

import json
from dataclasses import replace

import pytest
import torch
from diffusers.training_utils import EMAModel

from pocket.stages.config import CPU
from pocket.stages.denoising import KNOBS, use_average
from pocket.stages.settings import identify, list_settings


def test_training_goes_on_with_its_own_weights_whatever_a_look_raises():
    model = torch.nn.Linear(2, 2)
    average, own = EMAModel(model.parameters()), model.weight.detach().clone()
    with torch.no_grad():
        model.weight.add_(1)
    with pytest.raises(RuntimeError, match="out of memory"), use_average(average, model):
        assert torch.equal(model.weight, own)
        assert not model.training
        raise RuntimeError("out of memory")
    assert torch.equal(model.weight, own + 1)
    assert model.training


def test_settings_tell_of_knobs_and_contents_and_not_of_minutes(tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    (model / "weights.safetensors").write_bytes(b"one")
    told = list_settings(CPU, *KNOBS, start=model, autoencoder=tmp_path / "nowhere", base=None)
    assert {"config", "side", "mix", "batch", "sprites", "held out", "start"} <= told.keys()
    assert not {"autoencoder", "base"} & told.keys()
    assert told == list_settings(replace(CPU, diffusion_minutes=1, workers=3), *KNOBS, start=model)
    assert json.loads(json.dumps(told))["mix"]["flaw"] == CPU.mix.flaw
    assert told != list_settings(replace(CPU, batch=1), *KNOBS, start=model)
    (model / "weights.safetensors").write_bytes(b"two")
    assert told != list_settings(CPU, *KNOBS, start=model)


def test_a_stages_own_model_is_known_by_the_samples_it_saw(tmp_path):
    model = tmp_path / "autoencoder" / "model"
    model.mkdir(parents=True)
    (model.parent / "log.jsonl").write_text(json.dumps({"step": 1, "minutes": 2.0, "samples": 64}) + "\n", encoding="utf-8")
    assert identify(model) == "64 samples"

"""The stand-in speaks the protocol of the hosted service, and draws what is asked for."""

import huggingface_hub.constants
import numpy as np
import pytest

import sdlab
from sdlab.pipes.hosted import ServiceError
from sdlab.study.stand_in import StandIn


@pytest.fixture(autouse=True)
def online(monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    huggingface_hub.close_session()
    yield
    huggingface_hub.close_session()


def test_the_same_recipe_gives_the_same_picture_as_here(pipe, recipe):
    with StandIn(pipe) as service:
        there = sdlab.generate_hosted(recipe.but(negative_prompt="blurry"), model=service.address)
    here = sdlab.generate(pipe, recipe.but(negative_prompt="blurry"), progress=False)
    assert np.array_equal(there.image, here.image)
    [(_, body)] = service.requests
    assert body["inputs"] == recipe.prompt and body["parameters"]["seed"] == recipe.seed


def test_faults_come_first_and_what_cannot_be_drawn_is_refused(pipe):
    with StandIn(pipe, faults=[(429, {"Retry-After": "0"}, ""), (500, {}, '{"error": "out of memory"}')]) as service:
        with pytest.raises(ServiceError, match="out of memory"):
            sdlab.generate_hosted("a lion", model=service.address, steps=1)
        assert len(service.requests) == 2
        with pytest.raises(ServiceError, match="would be cut off"):
            sdlab.generate_hosted("word " * 200, model=service.address)

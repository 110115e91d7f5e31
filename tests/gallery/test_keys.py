"""Content keys: the same for the same picture, another one for whatever would draw another."""

import copy
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import sdlab
from sdlab.gallery import keys


@pytest.fixture
def model(pipe):
    return keys.identify(pipe)


def test_drawing_changes_nothing(pipe, pair, recipe, model):
    two = keys.identify(*pair)
    sdlab.generate(pipe, recipe.but(sampler="Euler a"), progress=False)
    sdlab.generate(pair, recipe, progress=False)
    assert keys.identify(pipe) == keys.identify(pipe, None) == model
    assert keys.identify(*pair) == two
    assert len({model, two, keys.identify(pair[0])}) == 3


@pytest.mark.slow
def test_another_process_says_the_same(recipe):
    loaded = sdlab.load("pocket", device="cpu")  # of its own: the shared one's autoencoder may have been through half precision
    sdlab.generate(loaded, recipe, progress=False)
    told = "import sdlab; from sdlab.gallery import keys; print(keys.identify(sdlab.load('pocket', device='cpu')))"
    done = subprocess.run([sys.executable, "-c", told], cwd=Path(sdlab.__file__).parents[1], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == keys.identify(loaded)


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
def test_one_changed_weight_anywhere_is_another_model(pipe, model, part):
    for parameter in list(getattr(pipe, part).parameters())[::7]:
        place = parameter.detach().view(-1)
        at = len(place) * 2 // 3
        own = place[at].item()
        place[at] = own + 0.5
        try:
            assert keys.identify(pipe) != model
        finally:
            place[at] = own
    assert keys.identify(pipe) == model


def test_exchanged_weights_are_another_model(pipe, model):
    weight = pipe.unet.conv_in.weight.detach()
    own = weight.clone()
    weight.copy_(own.flip(0))  # the sum is the same
    try:
        assert keys.identify(pipe) != model
    finally:
        weight.copy_(own)


@pytest.mark.parametrize(
    ("name", "value", "counts"),
    [
        ("scaling", {"style": 0.5}, True),  # of an adapter
        ("_disable_adapters", True, True),
        ("_active_adapter", ["style"], True),
        ("scale", 0.7, True),
        ("_noted_while_it_ran", True, False),
        ("name_or_path", "/home/student/models", False),
        ("hook", object(), False),
    ],
)
def test_what_counts_beside_weights(pipe, model, name, value, counts):
    layer = pipe.unet.mid_block.attentions[0].transformer_blocks[0].attn2.to_q
    setattr(layer, name, value)
    try:
        assert (keys.identify(pipe) != model) == counts
    finally:
        delattr(layer, name)


def test_dropout_precision_and_noise_schedule_count(pipe, model):
    pipe.unet.train()
    assert keys.identify(pipe) != model
    pipe.unet.eval()
    vae, scheduler = pipe.vae, pipe.scheduler
    try:
        pipe.vae = copy.deepcopy(vae).to(torch.bfloat16)
        assert keys.identify(pipe) != model
        pipe.vae = vae
        pipe.scheduler = type(scheduler).from_config(scheduler.config, beta_end=0.02)
        assert keys.identify(pipe) != model
    finally:
        pipe.vae, pipe.scheduler = vae, scheduler
    assert keys.identify(pipe) == model


def test_a_key_is_of_recipe_model_and_libraries(recipe, monkeypatch):
    key = keys.content_key(recipe, "one")
    assert key == keys.content_key(recipe.but(), "one")
    others = [keys.content_key(recipe.but(seed=8), "one"), keys.content_key(recipe, "other")]
    monkeypatch.setattr(keys, "_versions", lambda: {"torch": "9.9"})
    assert len({key, *others, keys.content_key(recipe, "one")}) == 4
    assert len(key) == 16 and int(key, 16) >= 0

import copy
import json
import math
import pickle
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sdlab import Recipe
from sdlab.pipes.samplers import SAMPLERS

recipes = st.builds(
    Recipe,
    prompt=st.text(min_size=1).filter(str.strip),
    negative_prompt=st.text(),
    steps=st.none() | st.integers(1, 1000),
    guidance=st.none() | st.floats(0, 100),
    seed=st.integers(0, 2**63 - 1),
    width=st.none() | st.integers(1, 512).map(lambda n: 8 * n),
    height=st.none() | st.integers(1, 512).map(lambda n: 8 * n),
    images=st.integers(1, 64),
    sampler=st.none() | st.sampled_from([*SAMPLERS, "DEISMultistepScheduler"]),
    handover=st.none() | st.floats(0.01, 0.99),
)


@given(recipes)
def test_a_recipe_survives_its_dictionary(recipe):
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


@given(st.integers(0, 2**63 - 1), st.floats(0, 100, width=32))
def test_numbers_of_numpy_and_torch_are_numbers(seed, guidance):
    plain = Recipe("a lion", seed=seed, guidance=guidance)
    for ours in (
        Recipe("a lion", seed=np.int64(seed), guidance=np.float32(guidance)),
        Recipe("a lion", seed=torch.tensor(seed), guidance=Fraction(guidance)),
    ):
        assert ours == plain
        assert type(ours.seed) is int and type(ours.guidance) is float
    assert json.loads(json.dumps(plain.to_dict()))["seed"] == seed


def test_what_is_left_open_stays_open():
    recipe = Recipe("a lion")
    assert (recipe.steps, recipe.guidance, recipe.width, recipe.sampler, recipe.model, recipe.refiner) == (None,) * 6


@pytest.mark.parametrize(
    ("change", "kind", "said"),
    [
        ({"width": 65}, ValueError, "65: it must be a multiple of 8, because the U-Net works on a smaller grid; try 64"),
        ({"height": 3}, ValueError, "between 8 and 4096"),
        ({"steps": 0}, ValueError, "steps is 0: it must lie between 1 and 1000"),
        ({"steps": 2.5}, TypeError, "steps is 2.5: it must be a whole number"),
        ({"steps": True}, TypeError, "whole number"),
        ({"guidance": math.nan}, ValueError, "guidance is nan"),
        ({"guidance": -1}, ValueError, "guidance is -1"),
        ({"guidance": math.inf}, ValueError, "guidance is inf"),
        ({"guidance": "high"}, TypeError, "must be a number"),
        ({"seed": -1}, ValueError, "seed is -1"),
        ({"seed": 2**63}, ValueError, "seed is"),
        ({"prompt": "  "}, ValueError, "must say what to draw"),
        ({"prompt": None}, TypeError, "must be text"),
        ({"prompt": 7}, TypeError, "prompt is 7"),
        ({"negative_prompt": None}, TypeError, "negative_prompt is None"),
        ({"seed": [1, 2, 3]}, TypeError, "three seeds in a row, and several are a sweep, sdlab.sweep(pipe, recipe, seed=[1, 2, 3])"),
        ({"seed": np.float64(3)}, TypeError, "whole number"),
        ({"seed": "3"}, TypeError, "seed is '3'"),
        ({"steps": [10, 20]}, TypeError, "steps is [10, 20]"),
        ({"guidance": 1j}, TypeError, "must be a number"),
        ({"guidance": 10**400}, ValueError, "0 or more and finite"),
        ({"guidance": True}, TypeError, "must be a number"),
        ({"prompt": "lion\n" * 500, "steps": 0}, ValueError, "steps is 0"),
        ({"prompt": ["a lion"] * 500}, TypeError, "…"),
        ({"handover": 1.0}, ValueError, "both models must have something to do"),
        ({"handover": 1.5}, ValueError, "between 0 and 1"),
        ({"model": 15}, TypeError, "model is 15: it must be a name"),
        ({"sampler": 3}, TypeError, "sampler is 3"),
        ({"sampler": "Eular"}, ValueError, "choose one of DDIM"),
        ({"images": 0}, ValueError, "images is 0"),
        ({"cfg": 7}, TypeError, "has no 'cfg': it has prompt"),
    ],
)
def test_bad_ingredients_are_named_with_rule_and_remedy(change, kind, said):
    with pytest.raises(kind, match=r".") as caught:
        Recipe("a lion").but(**change)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_an_unknown_key_in_a_dictionary_is_an_error():
    with pytest.raises(ValueError, match="unknown ingredients \\['cfg'\\]"):
        Recipe.from_dict({"prompt": "a lion", "cfg": 3})
    with pytest.raises(ValueError, match="no prompt"):
        Recipe.from_dict({})


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: Recipe(), "missing a required argument: 'prompt'"),
        (lambda: Recipe("a lion", sed=3), "did you mean 'seed'?"),
        (lambda: Recipe("a lion", cfg=3), "it takes prompt, negative_prompt, steps"),
        (lambda: Recipe(*["a lion"] * 30), "too many positional arguments"),
    ],
)
def test_a_call_that_does_not_fit_shows_how_it_is_written(call, said):
    with pytest.raises(TypeError) as caught:
        call()
    assert said in str(caught.value)
    assert "it is called as sdlab.Recipe('a lion wearing a crown', seed=42)" in str(caught.value)
    assert isinstance(caught.value.__cause__, TypeError)


def test_a_recipe_can_be_copied_and_sent_to_another_process():
    recipe = Recipe("a lion", seed=3)
    assert pickle.loads(pickle.dumps(recipe)) == copy.deepcopy(recipe) == recipe
    assert hash(recipe) == hash(Recipe("a lion", seed=np.int32(3)))


def test_clip_skip_is_refused_by_name():
    """diffusers up to 0.42 looks for a part of the text encoder that transformers from 5.6 on no longer has (diffusers#14124)."""
    with pytest.raises(TypeError, match="unexpected keyword argument 'clip_skip': it takes prompt, "):
        Recipe("a lion", clip_skip=2)
    with pytest.raises(TypeError, match="a Recipe has no 'clip_skip': it has prompt, "):
        Recipe("a lion").but(clip_skip=2)

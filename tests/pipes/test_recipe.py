import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdlab import Recipe
from sdlab.pipes.samplers import SAMPLERS

recipes = st.builds(
    Recipe,
    prompt=st.text(min_size=1).filter(str.strip),
    negative_prompt=st.text(),
    steps=st.integers(1, 1000),
    guidance=st.floats(0, 100),
    seed=st.integers(0, 2**63 - 1),
    width=st.none() | st.integers(1, 512).map(lambda n: 8 * n),
    height=st.none() | st.integers(1, 512).map(lambda n: 8 * n),
    images=st.integers(1, 64),
    sampler=st.none() | st.sampled_from(list(SAMPLERS)),
)


@given(recipes)
def test_a_recipe_survives_its_dictionary(recipe):
    assert Recipe.from_dict(recipe.to_dict()) == recipe


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


def test_an_unknown_key_in_a_dictionary_is_an_error():
    with pytest.raises(ValueError, match="unknown ingredients \\['cfg'\\]"):
        Recipe.from_dict({"prompt": "a lion", "cfg": 3})
    with pytest.raises(ValueError, match="no prompt"):
        Recipe.from_dict({})

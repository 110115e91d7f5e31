"""What a sweep varies: the knobs and nothing else, in the order of nested loops."""

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sdlab
from sdlab.study import knobs

FIELDS = [field.name for field in fields(sdlab.Recipe)]
VALUES = {
    "prompt": st.sampled_from(["a lion", "a zebra on the beach", "ein Löwe"]),
    "negative_prompt": st.sampled_from(["", "blurry", "ugly, distorted"]),
    "steps": st.none() | st.integers(1, 1000),
    "guidance": st.none() | st.floats(0, 100, allow_subnormal=False),
    "seed": st.integers(0, 2**63 - 1),
    "width": st.none() | st.integers(1, 20).map(lambda n: 8 * n),
    "sampler": st.none() | st.sampled_from(["DDIM", "Euler a", "UniPC"]),
}
GRIDS = st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=3, unique=True).flatmap(
    lambda names: st.fixed_dictionaries({name: st.lists(VALUES[name], min_size=1, max_size=4) for name in names})
)


@given(GRIDS)
def test_recipes_are_the_product_in_its_order_and_differ_in_the_knobs_only(grid):
    base = sdlab.Recipe("a lion wearing a crown", seed=5, steps=7, negative_prompt="dull")
    recipes = knobs.spread(base, grid)
    expected = [{}]
    for name, values in grid.items():  # the last knob turns fastest
        expected = [{**chosen, name: value} for chosen in expected for value in values]
    assert [{name: getattr(recipe, name) for name in grid} for recipe in recipes] == expected
    for recipe in recipes:
        assert all(getattr(recipe, name) == getattr(base, name) for name in FIELDS if name not in grid)


@settings(max_examples=25, deadline=None)
@given(GRIDS)
def test_what_the_model_fills_in_is_the_same_for_all(pipe, grid):
    runs = sdlab.sweep(pipe, sdlab.Recipe("a lion"), gallery=None, **grid)
    assert len(runs) == np.prod([len(values) for values in grid.values()])
    for name in FIELDS:
        if name not in grid:
            assert len({getattr(recipe, name) for recipe in runs.recipes}) == 1
        elif None not in grid[name]:
            assert {getattr(recipe, name) for recipe in runs.recipes} == set(grid[name])


def test_several_base_recipes_are_the_outermost_knob():
    recipes = knobs.spread(["a lion", sdlab.Recipe("a zebra", steps=3)], {"seed": [1, 2]})
    assert [(recipe.prompt, recipe.seed, recipe.steps) for recipe in recipes] == [
        ("a lion", 1, None), ("a lion", 2, None), ("a zebra", 1, 3), ("a zebra", 2, 3),
    ]  # fmt: skip
    assert knobs.spread(["a lion", "a zebra"], {}) == [sdlab.Recipe("a lion"), sdlab.Recipe("a zebra")]


def test_values_may_come_as_any_list():
    asked = [{"seed": [1, 2, 3]}, {"seed": (1, 2, 3)}, {"seed": range(1, 4)}, {"seed": np.arange(1, 4)}]
    assert len({tuple(knobs.spread("a lion", knob)) for knob in asked}) == 1


@pytest.mark.parametrize(
    ("bases", "grid", "kind", "said"),
    [
        ("a lion", {"guidence": [1]}, TypeError, "a Recipe has no 'guidence' to sweep over: did you mean 'guidance'?"),
        ("a lion", {"galery": "here"}, TypeError, "a Recipe has no 'galery' to sweep over: did you mean 'gallery'?"),
        ("a lion", {"cfg": [1]}, TypeError, "a Recipe has no 'cfg' to sweep over: choose from prompt, negative_prompt, steps"),
        ("a lion", {}, ValueError, "got one recipe and no values, so there is nothing to sweep over"),
        ([], {"seed": [1]}, ValueError, "recipe is [], so there is nothing to sweep over"),
        ("a lion", {"guidance": []}, ValueError, "guidance is [], so there is nothing to sweep over"),
        ("a lion", {"guidance": np.array([])}, ValueError, "there is nothing to sweep over"),
        ("a lion", {"guidance": 5}, TypeError, "guidance is 5: a sweep takes a list of values, as in sdlab.sweep(pipe"),
        ("a lion", {"prompt": "a lion"}, TypeError, "prompt is 'a lion': a sweep takes a list of values"),
        ("a lion", {"seed": {1, 2}}, TypeError, "seed is {1, 2}: a sweep takes a list of values"),
        ("a lion", {"seed": iter([1])}, TypeError, "a sweep takes a list of values"),
        ("a lion", {"guidance": [2, -1]}, ValueError, "guidance is -1: it must be 0 or more and finite"),
        ("a lion", {"seed": [1, "two"]}, TypeError, "seed is 'two': it must be a whole number"),
        ("a lion", {"sampler": ["DDIM", "Eular"]}, ValueError, "sampler is 'Eular': choose one of DDIM"),
        ("a lion", {"width": [64, 65]}, ValueError, "width is 65: it must be a multiple of 8"),
        ("a lion", {"seed": range(10**12)}, ValueError, "seed has 1,000,000,000,000 values: a sweep has at most 10,000 recipes"),
        ("a lion", {"seed": range(5000), "steps": range(1, 9)}, ValueError, "this sweep has 40,000 recipes: it must have at most 10,000"),
        (["a lion", 7], {"seed": [1]}, TypeError, "recipe is 7: give a prompt"),
        (7, {"seed": [1]}, TypeError, "recipe is 7: a sweep takes a list of values"),
    ],
)
def test_what_cannot_be_swept_is_said_in_one_sentence(pipe, bases, grid, kind, said, tmp_path):
    if "galery" in grid:
        with pytest.raises(kind) as caught:
            sdlab.sweep(pipe, bases, **grid)
    else:
        with pytest.raises(kind) as caught:
            sdlab.sweep(pipe, bases, gallery=tmp_path / "runs", **grid)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("grid", "said"),
    [
        ({"model": ["pocket", "sd15"]}, "model cannot be 'sd15' here, for this pipeline draws with 'pocket': sweep with one that can"),
        ({"handover": [0.6, 0.8]}, "handover cannot be 0.6 here, for this pipeline has none: sweep with one that can"),
        ({"prompt": ["a lion", "a lion, " * 40 + "volcano"]}, "prompt is longer than 75 tokens"),
        ({"sampler": ["DDIM", "NoSuchScheduler"]}, "diffusers has no such class: choose one of DDIM"),
    ],
)
def test_what_this_pipeline_cannot_draw_is_said_before_the_first_picture(pipe, grid, said, tmp_path):
    with pytest.raises(ValueError, match=said):
        sdlab.sweep(pipe, "a lion", gallery=tmp_path / "runs", **grid)
    assert not (tmp_path / "runs").exists()

"""Intervals hold the truth as often as they say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdlab.display.intervals import difference, mean, share


@given(st.lists(st.booleans(), min_size=1, max_size=80))
def test_a_share_lies_in_its_interval_which_lies_in_0_to_1(right):
    found = share(right)
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.value == np.mean(right) and found.count == len(right)


def test_a_share_has_wilsons_interval():
    z, n, k = 1.959964, 50, 40
    centre = (k / n + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(k / n * (1 - k / n) / n + z**2 / (4 * n**2))
    found = share([True] * k + [False] * (n - k))
    assert (found.low, found.high) == pytest.approx((centre - half, centre + half), abs=1e-6)
    assert str(found) == "80% (67–89)"
    assert share([1] * 20).high == 1 and share([1] * 20).low > 0.8  # where mean ± two standard errors would be a point


def test_an_interval_of_a_mean_holds_the_truth_in_95_of_100_experiments():
    rng, held = np.random.default_rng(0), 0
    for _ in range(200):
        found = mean(rng.normal(3, 2, 60))
        held += found.low <= 3 <= found.high
    assert 0.9 < held / 200 < 0.99


def test_a_few_prompts_with_many_seeds_are_no_sure_thing():
    """Pictures of one prompt are alike: 8 prompts with 50 seeds are nearer to 8 pictures than to 400."""
    rng, held = np.random.default_rng(0), 0
    for _ in range(100):
        values = rng.normal(0, 1, (8, 1)) + rng.normal(0, 0.3, (8, 50))
        found = mean(values)
        held += found.low <= 0 <= found.high
        assert found.high - found.low > 2 * (mean(values.ravel()).high - mean(values.ravel()).low)
    assert held / 100 > 0.8


def test_a_paired_comparison_sees_what_an_unpaired_one_cannot():
    rng = np.random.default_rng(0)
    prompts = rng.normal(0, 5, 40)
    before, after = prompts + rng.normal(0, 0.1, 40), prompts + 0.3 + rng.normal(0, 0.1, 40)
    found = difference(after, before)
    assert found.is_clear and found.value == pytest.approx(0.3, abs=0.1)
    assert mean(after).low < mean(before).high  # side by side they overlap
    assert not difference(before, before).is_clear


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: share([]), "give True or False for each picture"),
        (lambda: share([0.5]), "give True or False"),
        (lambda: mean([1.0]), "give two finite numbers or more"),
        (lambda: mean([1.0, np.nan]), "give two finite numbers"),
        (lambda: mean(np.zeros((2, 2, 2))), "(n,) or (prompts, seeds)"),
        (lambda: difference([1, 2], [1, 2, 3]), "needs the same prompts and seeds"),
    ],
)
def test_wrong_calls_are_told_in_one_sentence(call, said):
    with pytest.raises(ValueError) as caught:
        call()
    assert said in str(caught.value) and "\n" not in str(caught.value)

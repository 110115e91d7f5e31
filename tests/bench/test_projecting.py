"""Projections: exact where time is a line, honest where it is not."""

import numpy as np
import pytest

from sdlab.bench.comparing import interleave
from sdlab.bench.projecting import fit, fit_result
from sdlab.bench.results import Entry


def test_on_a_line_it_is_exact():
    steps = [5, 5, 10, 25]
    found = fit(steps, [0.3 + 0.04 * n for n in steps])
    assert (found.per_picture, found.per_step) == (pytest.approx(0.3), pytest.approx(0.04))
    ahead = found.project(pictures=1000, steps=25)
    assert ahead.seconds == pytest.approx(1300)
    assert ahead.high - ahead.low < 1e-6
    assert str(ahead).startswith("21.7 min")


def test_on_noisy_times_the_truth_is_inside_about_95_times_of_100():
    rng, steps, inside = np.random.default_rng(0), np.repeat([10, 20, 30], 3), 0
    for _ in range(400):
        ahead = fit(steps, 0.3 + 0.04 * steps + rng.normal(0, 0.05, len(steps))).project(100, 25)
        truth = 100 * (0.3 + 0.04 * 25) + rng.normal(0, 0.05, 100).sum()
        inside += ahead.low <= truth <= ahead.high
    assert 0.92 < inside / 400 < 0.98


def test_more_pictures_are_less_sure_in_seconds_and_the_error_of_the_fit_does_not_average_out():
    rng, steps = np.random.default_rng(1), np.repeat([10, 30], 4)
    found = fit(steps, 0.3 + 0.04 * steps + rng.normal(0, 0.05, len(steps)))
    few, many, most = ((p := found.project(n, 25)).high - p.seconds for n in (10, 1000, 100_000))
    assert few < many < most
    assert most / many == pytest.approx(100, rel=0.05)


@pytest.mark.parametrize(
    ("steps", "seconds", "told"),
    [([5, 10], [1, 2], "three calls or more"), ([5, 5, 5], [1, 1, 1], "two numbers of steps"), ([5, 6], [1, 2, 3], "one of each")],
)
def test_what_makes_no_line_is_refused(steps, seconds, told):
    with pytest.raises(ValueError, match=told):
        fit(steps, seconds)


def test_of_a_result_only_calls_count_that_differ_in_their_steps_alone(result, make_sample):
    with pytest.raises(ValueError, match="one number of steps only"):
        fit_result(result)
    half = [make_sample(0.6, steps=1) for _ in range(3)]
    own = result.baseline.settings
    result.entries["half the steps"] = Entry(own.but(steps=1), samples=half, against=result.entries["bfloat16"].against)
    found = fit_result(result)
    assert found.per_step == pytest.approx(0.4) and found.per_picture == pytest.approx(0.2)


def test_calls_are_made_in_turn_and_who_begins_alternates():
    order = []
    one, other = (lambda i, name=name: order.append(f"{name}{i}") or (name, i) for name in "ab")
    theirs, ours = interleave((one, other), 3)
    assert order == ["a0", "b0", "b1", "a1", "a2", "b2"]
    assert theirs == [("a", 0), ("a", 1), ("a", 2)] and ours == [("b", 0), ("b", 1), ("b", 2)]

"""What lesson 05 says in words of the measurements in its file is so. Where this fails after a new measurement, mend the words."""

import numpy as np
import pytest

from sdlab.display.intervals import difference
from sdlab.lesson import read_results

QUALITY = ("ugly, distorted", "blurry, low quality", "all five stages")


@pytest.fixture(scope="module")
def kept():
    return {kind: row for kind, row in read_results("05").items() if kind != "settings"}


def _more(kept, kind, key):
    """How much more of something there is than without a negative prompt, picture by picture."""
    return difference(kept[kind][key], kept["none"][key])


def test_there_are_eight_kinds_of_the_same_prompts(kept):
    assert len(kept) == 1 + 8
    assert {len(values) for row in kept.values() for values in row.values()} == {64}


def test_words_about_quality_bring_sharpness_and_too_much_of_it_costs_the_picture(kept):
    assert all(_more(kept, kind, "sharpness").low > 0 for kind in QUALITY)
    little, much = (_more(kept, kind, "sharpness").value for kind in QUALITY[:2])
    assert much > 2 * little
    for key in ("object", "style"):
        assert not _more(kept, "ugly, distorted", key).is_clear
        assert _more(kept, "blurry, low quality", key).high < 0
    assert _more(kept, "all five stages", "object").high < 0


def test_contradictions_cost_the_most_or_nothing_that_is_clear(kept):
    assert min(kept, key=lambda kind: np.mean(kept[kind]["object"])) == "its own thing"
    for kind in ("its own thing", "its own prompt"):
        assert _more(kept, kind, "object").high < 0
    assert not any(_more(kept, "its own style", key).is_clear for key in ("object", "style"))
    assert np.mean(kept["its own style"]["style"]) > 0.6


def test_a_negative_prompt_is_never_neutral(kept):
    for kind in ("absurd", "another thing"):
        assert 255 * np.mean(kept[kind]["distance"]) > 10
    assert _more(kept, "absurd", "sharpness").high < 0.1 * _more(kept, "blurry, low quality", "sharpness").low

"""What lesson 14 says in words of the measurements in its file is so. Where this fails after a new measurement, mend the words."""

import numpy as np
import pytest

from pocket.reports.lora import TRAININGS
from pocket.stages.settings import digest
from sdlab.display.intervals import difference
from sdlab.lesson import read_results
from sdlab.study.shoes import WEIGHTS


@pytest.fixture(scope="module")
def kept():
    return read_results("14")


def lost(kept, head, name="rank 8"):
    return np.mean(kept["before"][head]) - np.mean(kept[name][head])


def test_the_file_is_whole_and_of_the_judge_that_ships(kept):
    assert set(kept) == {"settings", "before", "scales", *TRAININGS}
    assert kept["settings"]["shoe judge"] == digest(WEIGHTS), "python -m pocket.reports.lora measures anew"


def test_the_shoe_is_what_is_new(kept):
    assert np.mean(kept["before"]["shoe"]) < 0.25
    for question in ("colour", "white"):
        assert min(np.mean(kept[name][question]) for name in ("before", "rank 8")) > 0.8
    assert difference(kept["rank 8"]["centred"], kept["before"]["centred"]).low > 0


def test_the_things_suffer_and_style_and_place_are_hardly_touched(kept):
    assert lost(kept, "object") > 0.05
    assert max(lost(kept, head) for head in ("style", "background")) < min(0.1, lost(kept, "object"))


def test_near_the_middle_it_becomes_a_shoe_and_beyond_1_there_are_not_more(kept):
    shares = {row["scale"]: np.mean(row["shoe"]) for row in kept["scales"]}
    assert shares[0.25] < (shares[0] + shares[1]) / 2 < shares[0.75] + 0.05
    assert shares[1.5] < shares[1] + 0.15


def test_what_is_sure_enough_of_ranks_and_rates(kept):
    assert difference(kept["rank 2"]["shoe"], kept["before"]["shoe"]).low > 0 and np.mean(kept["rank 2"]["shoe"]) > 0.6
    assert np.mean(kept["rank 8, lr 1e-4"]["shoe"]) < 0.5 * np.mean(kept["rank 8"]["shoe"])
    assert kept["all weights"]["bytes"] > 20 * kept["rank 16"]["bytes"]

"""What lesson 09 says in words of the measurements in its file is so. Where this fails after a new measurement, mend the words."""

import numpy as np
import pytest

from sdlab.display.intervals import difference
from sdlab.lesson import read_results

MEASURES = ("sharpness", "fine")


@pytest.fixture(scope="module")
def kept():
    return read_results("09")


def _more(row, other, key):
    return difference(row[key], other[key])


def test_the_refiner_is_better_at_its_own_noise_and_much_worse_elsewhere(kept):
    for name, row in kept.items():
        if name.startswith("noise "):
            apart, level = difference(row["refiner"], row["base"]), int(name.split()[1])
            if level < 200:
                assert apart.high < 0
            elif level >= 300:
                assert apart.low > 0
    assert np.mean(kept["noise 600"]["refiner"]) > 1.5 * np.mean(kept["noise 600"]["base"])


def test_refining_takes_smears_away_and_adds_at_most_a_little_detail(kept):
    alone, refined, true = (kept[name] for name in ("base alone", "handed over at 0.8", "true pictures"))
    assert _more(refined, alone, "smears").high < 0
    for key in (*MEASURES, "smears"):
        part, whole = (_more(row, alone, key).value for row in (refined, true))
        assert 0 < part / whole < 0.4
    assert true["fine error"] < refined["fine error"] < alone["fine error"]


def test_the_detail_comes_from_the_two_scores_and_the_clean_areas_from_the_expert(kept):
    alone, usual, same, swapped, high = (
        kept[name] for name in ("base alone", "handed over at 0.8", "scores 6 and 6", "scores 2.5 and 6", "scores 9 and 2.5")
    )
    for key in MEASURES:
        assert not _more(same, alone, key).low > 0
        assert _more(usual, same, key).low > 0
        assert not _more(high, usual, key).low > 0
    assert _more(same, alone, "smears").high < 0
    assert _more(swapped, alone, "smears").low > 0
    assert swapped["frechet of quarters"] > 1.2 * alone["frechet of quarters"]


def test_an_early_hand_over_has_the_most_detail_and_the_worst_pictures(kept):
    settings = {name: row for name, row in kept.items() if name.startswith("handed over") or name == "base alone"}
    early, alone = kept["handed over at 0.4"], kept["base alone"]
    for key in MEASURES:
        assert max(settings.values(), key=lambda row: np.mean(row[key])) is early
    assert max(settings.values(), key=lambda row: row["frechet of quarters"]) is early
    assert min(settings.values(), key=lambda row: np.mean(row["object"])) is early
    assert _more(early, alone, "object").high < 0
    assert _more(early, alone, "smears").low > 0


def test_a_smaller_told_size_softens_but_less_than_in_truth(kept):
    sizes = [row for name, row in kept.items() if name.startswith("original of")]
    sharp = [np.mean(row["sharpness"]) for row in sizes]
    assert sharp == sorted(sharp)
    small, whole = sizes[0], sizes[-1]
    left, truly = (np.mean(np.divide(a, b)) for a, b in (
        (small["sharpness"], whole["sharpness"]), (small["true"]["sharpness"], whole["true"]["sharpness"]),
    ))  # fmt: skip
    assert truly + 0.15 < left < 0.9


def test_a_told_crop_cuts_off_and_hardly_obeys_the_corner(kept):
    crops, whole = [row for name, row in kept.items() if name.startswith("corner at")], kept["original of 1"]
    cut = np.mean([row["border"] for row in crops], 0)
    assert difference(cut, whole["border"]).low > 0
    drawn, truly = (difference(a["centre"], b["centre"]).value for a, b in (
        (crops[0], crops[-1]), (crops[0]["true"], crops[-1]["true"]),
    ))  # fmt: skip
    assert abs(drawn) < 0.25 * truly

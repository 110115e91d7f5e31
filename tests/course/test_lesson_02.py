"""What lesson 02 says in words of the measurements in its file is so. Where this fails after a new measurement, mend the words."""

import numpy as np
import pytest

from sdlab.display.intervals import difference
from sdlab.lesson import read_results

REPAIRS = ("rescaled", "in an interval", "projected")


@pytest.fixture(scope="module")
def measured():
    """`{setting: {what: array}}`."""
    found = read_results("02")
    found.pop("about")
    entries = {name: {key: np.array(values) for key, values in entry.items() if key != "setting"} for name, entry in found.items()}
    for entry in entries.values():
        entry["all three"] = entry["object"] * entry["style"] * entry["background"]
    return entries


def _more(measured, one, other, key):
    return difference(measured[one][key], measured[other][key])


def test_a_little_guidance_buys_most_of_the_accuracy_and_costs_most_of_the_variety(measured):
    for key in ("all three", "variety"):
        start, little, much = (measured[name][key].mean() for name in ("guidance 1", "guidance 3", "guidance 15"))
        assert abs(little - start) > 0.5 * abs(much - start)
    assert _more(measured, "guidance 3", "guidance 1", "all three").low > 0
    assert _more(measured, "guidance 1", "true pictures", "variety").low > 0


def test_without_guidance_it_is_the_thing_that_is_missed_and_at_15_all_is_worse(measured):
    start, middle, end = (measured[name] for name in ("guidance 1", "guidance 5", "guidance 15"))
    assert start["object"].mean() < 0.7 * middle["object"].mean()
    for key in ("style", "background"):
        assert start[key].mean() > 0.85
    for key in ("object", "style"):
        assert end[key].mean() < middle[key].mean()


def test_the_top_is_flat_and_nothing_says_7(measured):
    for name in ("guidance 3", "guidance 5", "guidance 10"):
        assert not _more(measured, name, "guidance 7.5", "all three").is_clear
    plain = {float(name.removeprefix("guidance ")): entry for name, entry in measured.items() if name.startswith("guidance")}
    for key in ("variety", "saturation", "clipping"):
        assert min(plain, key=lambda scale: abs(plain[scale][key].mean() - measured["true pictures"][key].mean())) != 7.5


def test_at_15_pictures_are_oversaturated_and_most_of_it_is_there_at_5(measured):
    for key in ("saturation", "clipping"):
        assert _more(measured, "guidance 15", "true pictures", key).low > 0
        values = [measured[f"guidance {scale:g}"][key].mean() for scale in (1, 2, 5, 15)]
        assert values == sorted(values)
    assert _more(measured, "guidance 1", "true pictures", "clipping").high < 0
    assert _more(measured, "guidance 2", "true pictures", "clipping").high < 0  # still below, where saturation is already above
    assert _more(measured, "guidance 3", "true pictures", "saturation").low > 0
    assert measured["guidance 2"]["saturation"].mean() > measured["true pictures"]["saturation"].mean()
    excess = [_more(measured, name, "true pictures", "saturation").value for name in ("guidance 5", "guidance 15")]
    assert excess[0] > 0.5 * excess[1]
    assert _more(measured, "guidance 15", "guidance 5", "clipping").low > 0


def test_what_each_repair_does(measured):
    for name in REPAIRS:
        assert _more(measured, name, "guidance 15", "clipping").high < 0
        assert _more(measured, name, "guidance 15", "variety").low > 0
    assert not _more(measured, "rescaled", "guidance 15", "all three").low > 0
    assert _more(measured, "in an interval", "guidance 15", "all three").low > 0
    clipped = [measured[name]["clipping"].mean() for name in ("projected", "rescaled", "in an interval")]
    assert clipped == sorted(clipped)
    assert max(entry["variety"].mean() for name, entry in measured.items() if name in REPAIRS) == measured["projected"]["variety"].mean()
    assert _more(measured, "projected", "true pictures", "clipping").high < 0
    for key in ("clipping", "saturation"):
        assert not _more(measured, "rescaled", "true pictures", key).is_clear
    order = [measured[name]["all three"].mean() for name in ("projected", "rescaled", "in an interval")]
    assert order == sorted(order)


def test_no_repair_has_clearly_more_right_than_the_plain_scale_that_clips_as_much(measured):
    plain = [entry for name, entry in measured.items() if name.startswith("guidance")]
    for name in REPAIRS:
        rival = min(plain, key=lambda entry: abs(entry["clipping"].mean() - measured[name]["clipping"].mean()))
        assert not difference(measured[name]["all three"], rival["all three"]).low > 0
        if name == "in an interval":
            assert difference(measured[name]["variety"], rival["variety"]).low > 0

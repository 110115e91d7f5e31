"""What lesson 08 says in words of the measurements in its file is so. Where this fails after a new measurement, mend the words."""

import numpy as np
import pytest

from sdlab.display.intervals import difference
from sdlab.lesson import read_results

KEPT = ("attention to words, 80%", "both attentions, 80%")


@pytest.fixture(scope="module")
def kept():
    return read_results("08")


@pytest.fixture(scope="module")
def strengths(kept):
    """`{"style" or "object", which is new: {strength: row}}`."""
    return {new: {row["strength"]: row for row in kept["strength"] if row["new"] == new} for new in ("style", "object")}


@pytest.fixture(scope="module")
def sketches(kept):
    """`{(scale, start, end): row}`, with what is followed beyond chance."""
    rows = {(row["scale"], row["start"], row["end"]): row for row in kept["sketch"]}
    return {key: row | {"surplus": np.subtract(row["followed"], row["mirrored"])} for key, row in rows.items()}


@pytest.fixture(scope="module")
def styles(kept):
    return {row["method"]: row for row in kept["style"]}


@pytest.fixture(scope="module")
def words(kept):
    return {row["method"]: row for row in kept["words"]}


def _more(row, other, key):
    return difference(row[key], other[key])


def test_another_thing_needs_more_strength_than_another_style(strengths):
    style, thing = strengths["style"], strengths["object"]
    assert difference(style[0.2]["style"], thing[0.2]["object"]).low > 0
    for strength in (0.4, 0.5):
        assert np.mean(style[strength]["style"]) > np.mean(thing[strength]["object"])
    assert np.mean(style[0.2]["style"]) < np.mean(style[1.0]["style"]) - 0.2
    assert np.mean(thing[0.2]["object"]) < np.mean(thing[1.0]["object"]) - 0.4


def test_what_the_prompt_names_too_stays_at_every_strength_and_the_picture_does_not(strengths):
    for new, stays in (("style", "object"), ("object", "style")):
        rows = strengths[new].values()
        assert np.ptp([np.mean(row[stays]) for row in rows]) < 0.15
        moved = [np.mean(row["distance"]) for row in rows]
        assert moved == sorted(moved)


def test_most_new_things_are_still_drawn_when_the_first_two_fifths_of_the_steps_are_left_out(strengths):
    assert np.mean(strengths["object"][0.6]["object"]) > 0.7


def test_a_sketch_moves_the_thing_up_to_scale_1_and_costs_it(sketches):
    whole = {scale: row for (scale, start, end), row in sketches.items() if (start, end) == (0, 1)}
    for scale, before in ((0.5, 0.0), (1.0, 0.5)):
        assert _more(whole[scale], whole[before], "followed").low > 0
    assert _more(whole[1.0], whole[0.0], "mirrored").high < 0
    assert _more(whole[1.0], whole[0.0], "surplus").low > 0
    gain, rest = _more(whole[1.0], whole[0.0], "surplus").value, _more(whole[2.0], whole[1.0], "surplus").value
    assert rest < 0.25 * gain
    for scale in (1.5, 2.0):
        assert _more(whole[scale], whole[0.0], "object").high < 0


def test_a_sketch_that_comes_late_is_in_time(sketches):
    never, early, late = (sketches[key] for key in ((0, 0, 1), (1, 0, 0.4), (1, 0.4, 1)))
    assert _more(late, early, "surplus").low > 0
    assert _more(late, never, "surplus").low > 0


def test_a_style_comes_through_attention_and_features_and_best_through_words(styles):
    none, both = styles["no example"], styles["both"]
    assert not _more(styles["colours of the example"], none, "style").is_clear
    for name in ("shared attention", "matched features", "both"):
        assert _more(styles[name], none, "style").low > 0
    others = [row for name, row in styles.items() if name not in ("both", "style in words")]
    assert np.mean(both["style"]) > max(np.mean(row["style"]) for row in others)
    assert _more(styles["style in words"], both, "style").low > 0
    assert _more(both, none, "background").high < 0


def test_kept_attention_keeps_a_little_more_and_costs_the_new_word(words):
    alone = words["the word alone"]
    assert np.mean(alone["recognised"]) > 0.8
    for name in KEPT:
        calmer = _more(words[name], alone, "should stay")
        assert calmer.high < 0
        assert abs(calmer.value) < 0.3 * np.mean(alone["should stay"])
    assert np.mean(words[KEPT[-1]]["recognised"]) < np.mean(alone["recognised"])

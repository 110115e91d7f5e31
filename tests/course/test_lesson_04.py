"""What lesson 04 says in words of the measurements in its file is so. Where this fails after a new measurement, mend the words."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from sdlab.display import intervals
from sdlab.lesson import read_results


@pytest.fixture(scope="module")
def record():
    return read_results("04")


@pytest.fixture(scope="module")
def dropped(record):
    """`{kind of word: [(what the judge sees of the whole prompt, what was measured without the word)]}`."""
    kinds = {}
    for one in record["drop"]:
        for word in one["words"]:
            kinds.setdefault(word["kind"], []).append((one["whole"], word))
    return kinds


def _same(words, head):
    return np.mean([whole[head] == word[head] for whole, word in words])


def test_words_of_thing_and_place_move_the_picture_and_small_words_hardly_do(dropped):
    moved = {kind: np.mean([255 * word["moved"] for _, word in words]) for kind, words in dropped.items()}
    for kind in ("thing", "place"):
        assert moved[kind] > 1.5 * moved["style"] > 5 * moved["small"]
    assert _same(dropped["thing"], "object") < 0.3 and _same(dropped["thing"], "style") > 0.75
    assert _same(dropped["style"], "style") > 0.5  # the other word of the style is often enough


def test_attention_and_effect_of_words_are_related_weakly_if_at_all(record, dropped):
    ranks = [spearmanr(*zip(*((w["attention"], w["moved"]) for w in one["words"]), strict=True)).statistic for one in record["drop"]]
    assert -0.2 < np.mean(ranks) < 0.5
    attention = {kind: np.mean([word["attention"] for _, word in words]) for kind, words in dropped.items()}
    assert attention["thing"] > 2 * attention["small"] > 4 * attention["place"]
    assert max(attention, key=attention.get) == "thing"


def test_the_end_tokens_carry_the_style_more_often_than_its_words(record):
    words, ends = (np.array([one["style"] == one["wanted"][whose] for one in record["mix"]], float) for whose in (0, 1))
    assert intervals.difference(ends, words).low > 0 and ends.mean() > 0.5


def test_it_does_not_matter_where_the_style_stands(record):
    for form in ("last", "first", "twice", "synonym", "reversed"):
        assert np.mean([one["forms"][form]["style"] == one["wanted"] for one in record["forms"]]) > 0.8
    assert np.mean([one["forms"]["unsaid"]["style"] == one["wanted"] for one in record["forms"]]) < 0.4


def test_of_two_styles_the_same_wins_in_any_order_and_the_plain_ones_lose(record):
    winners = {}
    for row in record["contradicted"]:
        winners.setdefault(frozenset(row["said"]), []).append(row["style"])
    assert np.mean([len(set(seen)) == 1 for seen in winners.values()]) > 0.7
    plain = {"3d render", "flat design"}
    assert all(not plain & set(seen) for pair, seen in winners.items() if plain & pair)
    first = {row["style"] for row in record["contradicted"][:4]}
    assert len(first) == 1  # the pair that is drawn


def test_a_pair_never_seen_is_drawn_about_as_well(record):
    for head in ("style", "object"):
        right = [
            np.array([one[kind][head] == (one["thing"] if head == "object" else one[kind]["wanted"]) for one in record["unseen"]], float)
            for kind in ("unseen", "seen")
        ]
        assert not intervals.difference(*right).is_clear and min(map(np.mean, right)) > 0.75


def _shares(record, head, whose):
    """Share of pictures at every point with the style or object of the first prompt (0), the second (1), or of neither (2)."""
    shows = [
        [picture[head] not in row["wanted"] if whose == 2 else picture[head] == row["wanted"][whose] for picture in row["pictures"]]
        for row in record["swap"][head]
    ]
    return dict(zip(record["swap"]["after"], np.array(shows, float).T, strict=True))


def test_both_are_decided_in_the_second_half_and_the_object_earlier(record):
    style, thing = (_shares(record, head, 1) for head in ("style", "object"))
    for shares in (style, thing):
        assert shares[12].mean() > 0.75 and shares[24].mean() < 0.25
    assert intervals.difference(style[22], thing[22]).low > 0
    assert style[19].mean() - 0.1 > thing[19].mean() < 0.4


def test_in_between_many_pictures_show_neither_object_and_fewer_neither_style(record):
    style, thing = (_shares(record, head, 2) for head in ("style", "object"))
    assert max(map(np.mean, thing.values())) > 0.35
    assert max(map(np.mean, style.values())) < 0.3


def test_strokes_are_laid_over_late_and_colours_are_not(record):
    coloured, sketched = record["swap"]["style"][-4:-2]  # the two that are drawn
    assert [coloured["wanted"][0], sketched["wanted"][1]] == ["pencil sketch"] * 2
    [late] = [point for point, k in enumerate(record["swap"]["after"]) if k == 24]
    assert coloured["pictures"][late]["style"] == "pencil sketch" == sketched["pictures"][late]["style"]
    assert coloured["pictures"][late - 1]["style"] != "pencil sketch"


def test_the_thing_of_the_third_row_is_for_a_while_neither(record):
    row = record["swap"]["object"][-4]
    seen = [picture["object"] for picture in row["pictures"]]
    assert seen[0] == row["wanted"][1] and seen[-1] == row["wanted"][0] and set(seen) - set(row["wanted"])

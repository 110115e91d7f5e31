"""What lesson 17 says in words of the measurements in its file is so. Where this fails after a new measurement, mend the words."""

import pytest

from pocket.reports.limits import PEOPLE, STYLELESS, experiments
from pocket.stages.settings import digest
from sdlab.display.intervals import difference, mean, share
from sdlab.lesson import read_results
from sdlab.pipes.models import fingerprint
from sdlab.study import judge

ORDERED = {"a red cube on top of a blue sphere": 1, "a blue sphere on top of a red cube": -1}
NUMBERS = {"one": 1, "two": 2, "three": 3, "four": 4}


@pytest.fixture(scope="module")
def kept():
    return read_results("17")


def flat(values):
    """The values of all prompts and seeds, in one list."""
    return [value for found in values.values() for value in found]


def commonest(found):
    """The share of the commonest answer."""
    return max(map(found.count, found)) / len(found)


def fits(kept):
    """How well the words fit where they were asked for, and in the same pictures where they were not."""
    asked, plain = [], []
    for prompt, found in kept["letters"].items():
        for number, word in enumerate(("LOVE", "SALE")):
            if f'"{word}"' in prompt:
                asked += [fit[number] for fit in found]
                plain += [fit[number] for fit in kept["letters"][prompt.replace(f' with the word "{word}"', "")]]
    return asked, plain


def test_the_file_is_whole_and_of_the_model_and_the_judge_that_ship(kept, pipe):
    assert set(kept) == {"settings", "world", *experiments(kept["settings"]["count"])}
    remedy = "python -m pocket.reports.limits measures anew"
    assert kept["settings"]["model"] == fingerprint(pipe), remedy
    assert kept["settings"]["judge"] == digest(judge.FOLDER / judge.WEIGHTS), remedy


def test_the_order_and_the_sides_are_as_told(kept):
    placed = [gap is not None and gap * sign > 0 for prompt, sign in ORDERED.items() for gap in kept["order"][prompt]]
    assert share(placed).low > 0.8
    for side, sign in (("left", 1), ("right", -1)):
        places = [x for prompt, found in kept["sides"].items() if f"on the {side}" in prompt for x in found]
        assert share([x is not None and (0.5 - x) * sign > 0 for x in places]).low > 0.8


def test_it_draws_one_thing_and_cannot_count_more(kept):
    counted = {word: [n for prompt, found in kept["counting"].items() if prompt.startswith(word) for n in found] for word in NUMBERS}
    right = {word: [n == NUMBERS[word] for n in found] for word, found in counted.items()}
    assert share(right["one"]).low > 0.7
    assert share(right["two"] + right["three"] + right["four"]).high < 0.4


def test_the_words_of_numbers_are_read_in_pieces(pipe):
    assert all(len(pipe.tokenizer.tokenize(word)) > 1 for word in ("two", "apples"))


def test_a_word_fits_no_better_where_it_is_asked_for(kept):
    asked, plain = fits(kept)
    gain = difference(asked, plain)
    assert abs(gain.value) < 0.03 and not gain.low > 0.01
    assert max(asked) < 0.6


def test_the_friend_of_the_exercise_has_measured_what_he_says(kept):
    asked, plain = fits(kept)
    assert min(asked) > 0.15
    assert max(plain) < 0.6  # a word that is written there fits better


def test_people_are_recognised_and_so_few_pictures_show_only_a_large_difference(kept):
    people, others = (share(flat(kept[name])) for name in ("people", "others"))
    assert others.count == 2 * people.count and len(PEOPLE) == 6
    assert people.value > 0.7
    assert not people.high < others.low
    assert people.high - people.low > 0.15


def test_the_commonest_colour_has_a_larger_share_than_in_the_world_and_with_guidance_a_still_larger_one(kept):
    world = kept["world"]["colours"]
    drawn = [kept[f"colours at guidance {scale}"] for scale in (1, 8)]
    assert [prompt.split()[1] for prompt in drawn[0]] == list(world)
    shares = [[commonest(found) for found in of.values()] for of in (world, *drawn)]
    assert [mean(values).value for values in shares] == sorted(mean(values).value for values in shares)
    assert difference(shares[2], shares[1]).low > 0
    assert difference(shares[1], shares[0]).value > 0.05
    favoured = [max(found, key=found.count) for found in drawn[1].values()]
    assert sum(found.count(colour) < max(map(found.count, found)) for colour, found in zip(favoured, world.values(), strict=True)) > 1


def test_the_world_holds_the_styles_about_equally_often_and_the_model_does_not(kept):
    world = kept["world"]["styles"]
    assert max(world.values()) < 1.3 * min(world.values())
    one, eight = (kept[f"styles at guidance {scale}"] for scale in (1, 8))
    assert len(one) == len(STYLELESS)
    for found in (flat(one), flat(eight)):
        shares = [found.count(style) / len(found) for style in world]
        assert max(shares) > 1.5 * max(world.values()) and min(shares) < 0.5 * min(world.values())
    alike = difference(*([commonest(found) for found in of.values()] for of in (eight, one)))
    assert alike.value > 0  # "guidance makes pictures more alike"

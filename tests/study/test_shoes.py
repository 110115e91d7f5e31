"""The shoes that ship for lesson 14, and the checks of pictures of them."""

import json

import numpy as np
import pytest
from PIL import Image

from pocket.shipping import shoes as made
from pocket.stages.settings import digest
from pocket.world import catalog
from sdlab.assets import ASSETS
from sdlab.study import judge, shoes
from sdlab.training.captioned import read_captions

TRUTH = ASSETS / "shoes-judge" / "held-out"


def rows(folder):
    found = [json.loads(line) for line in (folder / "metadata.jsonl").read_text(encoding="utf-8").splitlines()]
    return found, [Image.open(folder / row["file_name"]).convert("RGB") for row in found]


def test_the_pictures_are_those_that_the_program_draws():
    told, pictures = rows(ASSETS / "shoes")
    again = made.shoes(held_out=False, seed=0)
    assert [row["text"] for row in told] == [row["text"] for _, _, row in again]
    assert all(np.array_equal(one, other) for one, (_, other, _) in zip(map(np.asarray, pictures), again, strict=True))
    captions, skipped = read_captions(ASSETS / "shoes")
    assert len(captions) == len(told) == 54 and not skipped
    assert sum(file.stat().st_size for folder in ("shoes", "shoes-judge") for file in (ASSETS / folder).rglob("*.*")) < 1e6


def test_the_judge_that_knows_shoes_belongs_to_the_judge_and_is_right_on_what_it_has_not_seen():
    told = json.loads((ASSETS / "shoes-judge" / "training.json").read_text(encoding="utf-8"))
    assert told["judge"] == digest(judge.FOLDER / judge.WEIGHTS), "the judge is another one: python -m pocket.shipping.shoes"
    found, pictures = rows(TRUTH)
    shoe = np.array([row["thing"] in catalog.SHOES for row in found])
    said = shoes.shoe_score(pictures) > 0
    assert said[shoe].mean() > 0.9 and said[~shoe].mean() < 0.1
    assert {row["thing"] for row, is_shoe in zip(found, shoe, strict=True) if not is_shoe} <= set(made.unseen_things())


def test_the_checks_of_true_pictures_and_of_wrong_ones():
    found, pictures = rows(TRUTH)
    true = [(row["colour"], picture) for row, picture in zip(found, pictures, strict=True) if row["thing"] in catalog.SHOES]
    colours, pictures = zip(*true, strict=True)
    right = shoes.check_shoes(pictures, colours)
    assert all(np.mean(right[question]) > 0.8 for question in right), {question: np.mean(right[question]) for question in right}
    assert np.mean(shoes.check_shoes(pictures, ["pink"] * len(pictures))["colour"]) == 0
    aside = [Image.new("RGB", picture.size, picture.getpixel((0, 0))) for picture in pictures]
    for corner, picture in zip(aside, pictures, strict=True):
        corner.paste(picture.resize((picture.width // 2, picture.height // 2)))
    assert np.mean(shoes.check_shoes(aside, colours)["centred"]) == 0
    grey = [picture.point(lambda value: value * 0.8) for picture in pictures]
    assert np.mean(shoes.check_shoes(grey, colours)["white"]) == 0


@pytest.mark.parametrize("colour", ["white", "black"])
def test_a_picture_of_nothing_is_not_centred(colour):
    assert shoes.check_shoes([Image.new("RGB", (64, 64), colour)], ["white"])["centred"] == [False]

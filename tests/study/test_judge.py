import json

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from pocket.stages.config import CPU
from pocket.stages.strict_judge import classes_of
from sdlab.study import judge as judging
from sdlab.study.judge import CLASSES, FOLDER, HEADS, NONE, NOT_ASKED, WEIGHTS, Asked, Judge

NAMES = {"object": ["lion", "crown", "house", NONE], "style": ["flat", "oil"], "background": ["beach", "snow"], "colour": ["red", "blue"]}


@pytest.fixture(scope="module")
def small():
    torch.manual_seed(0)
    return Judge(NAMES).eval()


def test_its_weights_in_float16_are_at_most_6_megabytes(tmp_path):
    classes = {**NAMES, "object": [str(i) for i in range(120)], "style": list("abcdefgh"), "background": list("abcdefghijkl")}
    save_file({name: v.half() if v.is_floating_point() else v for name, v in Judge(classes).state_dict().items()}, tmp_path / "judge")
    assert (tmp_path / "judge").stat().st_size <= 6e6


def test_pictures_of_any_size_are_looked_at_at_128_pixels(small):
    wide = torch.rand(2, 3, 40, 90) * 2 - 1
    assert judging.resize(wide).shape == (2, 3, 128, 128)
    found = judging.opinion(small, wide)
    assert found["features"].shape == (2, 256)
    for head in HEADS:
        assert found[head].shape == (2, len(NAMES[head]))
        assert torch.allclose(found[head].sum(1), torch.ones(2), atol=1e-5)
    assert torch.equal(judging.resize(same := torch.rand(1, 3, 128, 128)), same)


def test_a_pil_picture_and_its_tensor_are_the_same_picture():
    picture = Image.effect_noise((128, 128), 80).convert("RGB")
    ours = judging.to_tensor([picture])
    assert ours.shape == (1, 3, 128, 128) and ours.min() >= -1 and ours.max() <= 1
    back = Image.fromarray(ours[0].add(1).mul(127.5).round().byte().permute(1, 2, 0).numpy())
    assert back.tobytes() == picture.tobytes()


def test_answers_and_what_is_recognised_follow_the_opinion(small):
    pictures = [Image.effect_noise((64, 64), 30 * (i + 1)).convert("RGB") for i in range(3)]
    found = judging.opinion(small, judging.to_tensor(pictures))
    assert judging.answers(pictures, "style", small) == [NAMES["style"][i] for i in found["style"].argmax(1)]
    with pytest.raises(ValueError, match="head is 'size': the judge answers for object, style, background, colour"):
        judging.answers(pictures, "size", small)
    asked = [
        Asked("", ("lion",), "flat", "snow"),
        Asked("", ("crown", "house"), "oil", "snow", "red"),
        Asked("", ("house",), "oil", "beach"),
    ]
    right = judging.recognise(pictures, asked, small)
    assert right["style"] == [judging.answers(pictures, "style", small)[i] == asked[i].style for i in range(3)]
    assert {head: len(values) for head, values in right.items()} == {"object": 3, "style": 3, "background": 3, "colour": 1}
    with pytest.raises(ValueError, match="3 pictures and 2 prompts"):
        judging.recognise(pictures, asked[:2], small)


def _opinion(*rows):
    shape = {"style": [[1.0, 0]], "background": [[1.0, 0]], "colour": [[1.0, 0]]}
    return {"object": torch.tensor(rows), **{head: torch.tensor(values * len(rows)) for head, values in shape.items()}}


def test_a_hit_names_all_things_that_were_asked_and_nothing_else():
    lion = Asked("a lion", ("lion",), "flat", "beach", "red")
    both = Asked("a lion wearing a crown", ("lion", "crown"), "oil", "snow")
    found = _opinion([0.6, 0.1, 0, 0.3], [0.4, 0.1, 0, 0.5], [0.5, 0.4, 0, 0.1], [0.6, 0.1, 0, 0.3], [0.1, 0.7, 0.2, 0])
    right = judging.hits(found, [lion, lion, both, both, both], NAMES)
    assert right["object"].tolist() == [1, 0, 1, 0, 0]  # none before the lion; the second thing lost; another in its place
    assert right["style"].tolist() == [1, 1, 0, 0, 0]
    assert right["colour"].tolist() == [1, 1]  # of those that named one
    assert judging.accuracy(found, [both] * 5, NAMES).keys() == {"object", "style", "background"}


def test_a_question_that_nobody_asked_costs_nothing(small):
    pictures, unasked = torch.rand(2, 3, 128, 128), torch.full((2,), NOT_ASKED)
    shares = torch.tensor([[0.5, 0.5, 0, 0], [0, 0, 0, 1.0]])
    both = {"object": shares, "style": unasked, "background": unasked, "colour": unasked}
    assert torch.allclose(small(pictures, both), small(pictures, {"object": shares}))


def test_what_is_seen_comes_by_name_the_likeliest_first(small):
    seen = judging.see(Image.new("RGB", (64, 64), "red"), top=2, judge=small)
    assert list(seen) == list(HEADS)
    for head, answers in seen.items():
        (first, one), (second, two) = answers
        assert {first, second} <= set(NAMES[head]) and one >= two > 0


def test_wrong_calls_are_told():
    with pytest.raises(TypeError, match="must be a PIL picture"):
        judging.see(torch.zeros(3, 8, 8))
    with pytest.raises(TypeError, match="called as see"):
        judging.see()


def test_a_folder_without_a_judge_says_how_to_get_one(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"pocket\.stages\.strict_judge"):
        judging.load_judge(tmp_path)


def test_the_shipped_judge_is_small_and_knows_the_models_things():
    assert (FOLDER / WEIGHTS).stat().st_size <= 6e6
    judge = judging.load_judge()
    assert judge.classes == classes_of(CPU)
    assert json.loads((FOLDER / CLASSES).read_text(encoding="utf-8")) == judge.classes
    for things, least in ((1, 200), (2, 100)):
        known = judging.known_prompts(things)
        assert len(known) >= least
        assert all(set(one.things) <= set(judge.classes["object"]) for one in known)
        assert all(one.style in judge.classes["style"] and one.background in judge.classes["background"] for one in known)


@pytest.mark.parametrize("colour", ["white", "grey", "black"])
def test_on_an_empty_sheet_the_shipped_judge_sees_none_of_its_things(colour):
    assert judging.see(Image.new("RGB", (128, 128), colour))["object"][0][0] == NONE

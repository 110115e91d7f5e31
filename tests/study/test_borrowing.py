"""Borrowing from another picture: the first of a group is drawn as alone, and with nothing to borrow nothing changes."""

import numpy as np
import pytest
import torch

import sdlab
from sdlab.study import borrowing, metrics
from sdlab.study.borrowing import KeptAttention, SharedAttention, attending, draw_like, edit_words, match, matching

TEXTS = ["a castle on the beach, oil painting", "a lion in a garden"]


def draw(pipe, texts, seeds):
    return pipe(texts, generator=borrowing._seeded(seeds), num_inference_steps=3, guidance_scale=4.0).images


def levels(picture, other):
    return int(np.abs(np.asarray(picture, int) - np.asarray(other, int)).max())


@pytest.fixture(scope="module")
def plain(pipe):
    return draw(pipe, TEXTS, [1, 2])


@pytest.mark.parametrize("borrow", [
    lambda unet: attending(unet, to_itself=lambda: SharedAttention(2)),
    lambda unet: attending(unet, lambda: KeptAttention(2, 3), lambda: KeptAttention(2, 3)),
    lambda unet: matching(unet, 2),
])  # fmt: skip
def test_the_first_of_a_group_is_drawn_as_alone_and_the_second_is_not(pipe, plain, borrow):
    with borrow(pipe.unet):
        first, second = draw(pipe, TEXTS, [1, 2])
    assert levels(first, plain[0]) <= 2
    assert levels(second, plain[1]) > 20
    assert draw(pipe, TEXTS, [1, 2])[1].tobytes() == plain[1].tobytes()  # everything is as it was before


def test_a_group_of_one_borrows_nothing(pipe, plain):
    with attending(pipe.unet, lambda: SharedAttention(1), lambda: KeptAttention(1, 3)), matching(pipe.unet, 1):
        alone = draw(pipe, TEXTS, [1, 2])
    assert max(map(levels, alone, plain)) <= 2


def test_matched_features_have_the_examples_statistics():
    x, example = torch.randn(2, 50, 3), 5 + 3 * torch.randn(1, 50, 3)
    found = match(x, example)
    assert torch.allclose(found.mean(1), example.mean(1).expand(2, -1), atol=1e-3)
    assert torch.allclose(found.std(1), example.std(1).expand(2, -1), atol=1e-3)


def test_without_borrowing_a_picture_like_an_example_is_a_plain_one(pipe, plain):
    settings = {"seeds": [2], "steps": 3}
    [same] = draw_like(pipe, plain[0], TEXTS[1:], attention=False, features=False, **settings)
    assert levels(same, plain[1]) <= 1
    [like] = draw_like(pipe, plain[0], TEXTS[1:], **settings)
    assert levels(like, plain[1]) > 20


def test_an_example_gives_its_colours(pipe):
    """Blue and red examples: what is drawn like them is bluer and redder."""
    from PIL import Image

    side = sdlab.native_side(pipe)
    reds = []
    for colour in ("blue", "red"):
        [made] = draw_like(pipe, Image.new("RGB", (side, side), colour), ["a lion in a garden"], steps=4)
        reds.append(np.asarray(made, float)[..., 0].mean() - np.asarray(made, float)[..., 2].mean())
    assert reds[1] > reds[0] + 30


def test_kept_attention_keeps_more_of_the_picture(pipe):
    texts = ("a lion on the beach, cartoon", "a tiger on the beach, cartoon")
    first, plain = edit_words(pipe, *texts, seed=5, steps=4, to_words=0)
    again, kept = edit_words(pipe, *texts, seed=5, steps=4, to_words=1, to_itself=1)
    assert levels(first, again) <= 2
    assert metrics.distance([kept], [first])[0] < metrics.distance([plain], [first])[0]


def test_prompts_of_different_lengths_are_refused(pipe):
    with pytest.raises(ValueError, match="tokens: exchange a word"):
        edit_words(pipe, "a lion on the beach", "a polar bear on the beach")

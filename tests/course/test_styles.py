"""The measurements of notebook 04 measure what they say, and their file holds what the notebook reads."""

import json

import pytest
import torch

import sdlab
from benchmarks import styles
from pocket.world.scene import held_out_kind
from pocket.world.words import STYLES
from sdlab.study import metrics


@pytest.fixture(scope="module")
def pipe():
    torch.set_grad_enabled(False)
    pipe = sdlab.load("pocket")
    pipe.set_progress_bar_config(disable=True)
    yield pipe
    torch.set_grad_enabled(True)


def test_every_style_comes_first_once_and_second_once():
    cases = styles.invent(8)
    for place in (0, 1):
        assert {case.styles[place] for case in cases} == set(STYLES)
    assert not any(held_out_kind(case.scene(thing, style)) for case in cases for thing in (0, 1) for style in (0, 1))
    assert cases[:3] == styles.invent(3)


def test_a_word_is_left_out_and_its_comma_stays():
    assert styles.without("a lion on the beach, oil painting", 4) == "a lion on the, oil painting"
    assert styles.without("a lion on the beach, oil painting", 5) == "a lion on the beach, painting"


def test_a_words_own_positions_are_found(pipe):
    prompt = "a lion on the beach, 3d render"
    ids = pipe.tokenizer(prompt).input_ids
    found = {word: pipe.tokenizer.decode(ids[span]).replace(" ", "") for word, span in styles.spans(pipe, prompt)}
    assert found == {word: word for word in ("a", "lion", "on", "the", "beach", "3d", "render")}


def test_words_and_end_tokens_of_one_prompt_are_the_prompt(pipe):
    text, longer = "a lion on the beach, cartoon", "a lion on the beach, oil painting"
    assert torch.equal(styles.join(pipe, text, text), styles.embed(pipe, [text])[0])
    assert styles.join(pipe, text, longer).shape == styles.join(pipe, longer, text).shape == (77, pipe.unet.config.cross_attention_dim)


def test_the_other_prompt_takes_over_after_the_step_that_was_said(pipe, monkeypatch):
    monkeypatch.setattr(styles, "STEPS", 3)
    first, then = (styles.embed(pipe, [text]) for text in ("a lion on the beach, cartoon", "a lion on the beach, stencil"))
    [plain] = styles.draw(pipe, first, [0], 4.0)
    early, late, never = styles.draw(pipe, first.repeat(3, 1, 1), [0] * 3, 4.0, then.repeat(3, 1, 1), [1, 2, 3])
    apart = 255 * metrics.distance([early, late, never], [plain] * 3)
    assert apart[0] > apart[1] > 1 and apart[2] < 1


def test_the_file_holds_what_the_notebook_reads():
    record = json.loads(styles.FILE.read_text(encoding="utf-8"))
    count, points = record["settings"]["prompts"], len(record["swap"]["after"])
    assert record["swap"]["after"] == [0, *styles.SWAPS, record["settings"]["steps"]]
    for head in ("style", "object"):
        assert [len(row["pictures"]) for row in record["swap"][head]] == [points] * 2 * count
    sizes = {"drop": count, "mix": 4 * count, "forms": count, "contradicted": 4 * count, "unseen": 4 * count}
    assert {name: len(record[name]) for name in sizes} == sizes

"""The report of notebook 08: its prompts mean what it measures, and it goes on where it stopped."""

import json

import numpy as np
import pytest
from PIL import Image, ImageOps

from pocket.reports import pictures_from_pictures as report
from sdlab.study import judge, metrics


def test_the_parts_of_a_prompt_are_the_prompt():
    for one in report.plain_prompts():
        parts = report.split(one)
        assert "".join(parts.values()) == one.prompt
        assert parts["object"].endswith(one.things[0]) and parts["object"].startswith(("a ", "an "))


@pytest.mark.parametrize("head", ["object", "background", "style"])
def test_an_exchange_changes_one_thing_in_the_prompt_and_in_the_answer(head):
    asked = report.plain_prompts()[:20]
    for i, one in enumerate(asked):
        other = report.partner(asked, i, head)
        new = report.exchange(one, other, head)
        assert [key for key, text in report.split(new).items() if text != report.split(one)[key]] == [head]
        assert (new.things, new.style, new.background) != (one.things, one.style, one.background)


def test_edited_prompts_differ_in_one_part_and_have_equally_many_tokens(pipe):
    pairs = list(report.edits(pipe, 24))
    assert [head for head, _, _ in pairs] == ["object"] * 8 + ["colour"] * 8 + ["background"] * 8
    for _, before, after in pairs:
        assert before.prompt != after.prompt
        assert len(pipe.tokenizer(before.prompt).input_ids) == len(pipe.tokenizer(after.prompt).input_ids)


def test_every_style_has_an_example_and_things_of_other_styles():
    found = list(report.examples(3))
    assert [example.style for example, _ in found] == judge.shipped().classes["style"]
    for example, wanted in found:
        assert len(wanted) == 3
        assert all(one.style == example.style and one.things != example.things for one in wanted)


def test_recoloured_pictures_have_the_examples_colours():
    rng = np.random.default_rng(0)
    grey, example = (Image.fromarray(rng.integers(0, high, (32, 32, 3), dtype=np.uint8)) for high in (250, 90))
    made = np.asarray(report.recolour(grey, example))
    assert np.allclose(np.quantile(made, (0.1, 0.5, 0.9)), np.quantile(np.asarray(example), (0.1, 0.5, 0.9)), atol=4)


def test_a_sketch_goes_left_or_right():
    for name, where, _ in report.SKETCHES:
        lines = report.sketch_of(name, where, 64)
        assert lines.size == (64, 64)
        if where:
            middle = np.asarray(lines.convert("L")).nonzero()[1].mean()
            assert (middle < 32) == (where == "left")
            assert metrics.followed([ImageOps.invert(lines)], [lines])[0] > metrics.followed([ImageOps.mirror(lines)], [lines])[0]


def test_rows_that_are_there_are_not_drawn_again(tmp_path, monkeypatch):
    drawn = []

    def experiment(pipe, count):
        for scale in (1, 2):
            yield {"scale": scale}, lambda scale=scale: drawn.append(scale) or {"found": [scale / 3] * count}

    monkeypatch.setattr(report, "EXPERIMENTS", {"one": (experiment, 4)})
    file = tmp_path / "08.json"
    report.main(share=0.5, file=file)
    kept = json.loads(file.read_text(encoding="utf-8"))
    assert drawn == [1, 2] and kept["one"] == [{"scale": 1, "found": [0.3333] * 2}, {"scale": 2, "found": [0.6667] * 2}]
    file.write_text(json.dumps({**kept, "one": kept["one"][:1]}), encoding="utf-8")
    report.main(share=0.5, file=file)
    assert drawn == [1, 2, 2]
    report.main(share=1.0, file=file)  # another setting: all anew
    assert drawn == [1, 2, 2, 1, 2]

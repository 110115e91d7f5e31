from xml.etree import ElementTree

import pytest

import sdlab
from sdlab import lesson


def test_a_right_answer_is_praised(capsys):
    with sdlab.exercise("Adding"):
        assert 1 + 1 == 2
    assert capsys.readouterr().out == "✓ Adding: well done\n"


def test_a_wrong_answer_gets_the_hint_and_the_notebook_goes_on(capsys, monkeypatch):
    monkeypatch.delenv("SDLAB_STRICT", raising=False)
    with sdlab.exercise("Adding"):
        assert 1 + 1 == 3, "one and one is two"
    assert capsys.readouterr().out == "✗ Adding: not yet. One and one is two\n"


@pytest.mark.parametrize(
    ("add", "said"),
    [
        (lambda: {}["sum"], "It stopped with KeyError: 'sum'"),
        (lambda: next(iter([])), "It stopped with StopIteration"),
        (
            lambda: None.sum,
            "Something is None that should not be: does your answer return its result in every case? (AttributeError: "
            "'NoneType' object has no attribute 'sum')",
        ),
    ],
)
def test_an_answer_that_runs_into_an_error_is_told_so(add, said, capsys, monkeypatch):
    monkeypatch.delenv("SDLAB_STRICT", raising=False)
    with sdlab.exercise("Adding"):
        assert add() == 2
    assert capsys.readouterr().out == f"✗ Adding: not yet. {said}\n"


def test_hints_unfold_one_inside_the_other_and_only_after_a_failure(capsys, monkeypatch):
    monkeypatch.delenv("SDLAB_STRICT", raising=False)
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    hints = ["Look at the sum.", "Is 1 + 1 < 3?", "Write 2."]
    with sdlab.exercise("Adding", hints=hints):
        assert 1 + 1 == 2
    assert not shown
    with sdlab.exercise("Adding", hints=hints):
        assert 1 + 1 == 3
    page = ElementTree.fromstring(shown[0]._repr_html_())
    for number, hint in enumerate(hints, 1):
        assert page.find("summary").text == f"Hint {number} of 3"
        assert page.find("p").text == hint
        page = page.find("details")
    assert page is None


@pytest.mark.parametrize("hints", ["Write 2.", [2]])
def test_hints_are_a_list_of_texts(hints):
    with pytest.raises(TypeError, match="it must be a list of texts, one for each stage"), sdlab.exercise("Adding", hints=hints):
        pass


def test_strictly_a_wrong_answer_is_an_error(monkeypatch):
    monkeypatch.setenv("SDLAB_STRICT", "1")
    with pytest.raises(AssertionError, match="two"), sdlab.exercise("Adding"):
        assert 1 + 1 == 3, "one and one is two"


def test_kept_results_are_read_and_missing_ones_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr(lesson, "RESULTS", tmp_path)
    (tmp_path / "02.json").write_text('{"shares": [0.5]}', encoding="utf-8")
    assert lesson.read_results("02") == {"shares": [0.5]}
    with pytest.raises(FileNotFoundError, match="no results of lesson '03': kept are those of 02"):
        lesson.read_results("03")

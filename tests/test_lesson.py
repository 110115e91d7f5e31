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
    with sdlab.exercise("Adding"):
        raise NotImplementedError
    assert capsys.readouterr().out == "✗ Adding: not yet. One and one is two\n✗ Adding: not yet. NotImplementedError\n"


def test_every_failure_shows_one_more_hint_until_it_is_solved(capsys, monkeypatch):
    monkeypatch.delenv("SDLAB_STRICT", raising=False)

    def answer(right):
        with sdlab.exercise("Taking away", hints=["look at the sign", "write a minus"]):
            assert right, "one too many"
        return capsys.readouterr().out.splitlines()

    told, more = "✗ Taking away: not yet. One too many", "  (Run this cell again for one more hint.)"
    assert answer(False) == [told, "  Hint 1 of 2: look at the sign", more]
    for _ in range(2):  # the last hint is not followed by another
        assert answer(False) == [told, "  Hint 1 of 2: look at the sign", "  Hint 2 of 2: write a minus"]
    assert answer(True) == ["✓ Taking away: well done"]


def test_exercises_do_not_share_their_hints(capsys, monkeypatch):
    monkeypatch.delenv("SDLAB_STRICT", raising=False)
    for title in ("First", "Second"):
        with sdlab.exercise(title, hints=["a", "b"]):
            raise AssertionError("no")
    assert "Hint 2" not in capsys.readouterr().out


@pytest.mark.parametrize("hints", ["look at the sign", [1], None])
def test_hints_that_are_no_list_of_texts_are_refused(hints):
    with pytest.raises(TypeError, match="it must be a list of texts"), sdlab.exercise("Adding", hints=hints):
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

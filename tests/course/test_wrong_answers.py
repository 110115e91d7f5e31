"""Checks of exercises accept what is right, refuse plausible wrong answers, and say something of use."""

import re
from importlib import import_module

import pytest

from docs.tools.derive import SCRIPTS
from tests.course.exercises import STUB

LESSONS = sorted(script.stem[:2] for script in SCRIPTS.glob("[0-9]*.py"))
EXERCISES = [exercise for lesson in LESSONS for exercise in import_module(f"tests.course.answers.lesson_{lesson}").EXERCISES]


def cases(of):
    """Test cases of each exercise: `of` gives their further parameters."""
    return [
        pytest.param(exercise, *more, id=f"{exercise.title}-{number}", marks=[pytest.mark.slow] * exercise.slow)
        for exercise in EXERCISES
        for number, more in enumerate(of(exercise))
    ]


def test_every_exercise_of_the_course_is_tried():
    asked = [
        re.findall(r'^with sdlab\.exercise\("(.*?)"', script.read_text(encoding="utf-8"), re.M) for script in sorted(SCRIPTS.glob("*.py"))
    ]
    assert [exercise.title for exercise in EXERCISES] == sum(asked, [])
    assert all(STUB in exercise.wrong and len(exercise.wrong) > 3 for exercise in EXERCISES)


@pytest.mark.parametrize(("exercise", "answer"), cases(lambda e: [(answer,) for answer in ("", *e.right)]))
def test_a_right_answer_passes(exercise, answer, request, monkeypatch):
    monkeypatch.setenv("SDLAB_STRICT", "1")
    exercise.check(answer, request)


@pytest.mark.parametrize(("exercise", "answer", "hint"), cases(lambda e: e.wrong.items()))
def test_a_plausible_wrong_answer_gets_its_hint(exercise, answer, hint, request, monkeypatch, capsys):
    monkeypatch.delenv("SDLAB_STRICT", raising=False)
    exercise.check(answer, request)
    said = capsys.readouterr().out
    assert "✓" not in said
    told = re.search(rf"✗ {re.escape(exercise.title)}: not yet\. (.*)", said)[1]
    assert hint.lower() in told.lower()

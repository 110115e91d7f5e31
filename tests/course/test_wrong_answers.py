"""Checks of exercises accept what is right, refuse plausible wrong answers, and say something of use.

The answers are in `answers`, a file for each lesson.
"""

import re
from importlib import import_module

import pytest

from docs.tools.derive import SCRIPTS
from tests.course.exercises import SOLUTION, STUB

ALL = sorted(SCRIPTS.glob("[0-9]*.py"))
EXERCISES = [one for script in ALL for one in import_module(f"tests.course.answers.lesson_{script.stem[:2]}").EXERCISES]


def cases(of):
    """What pytest is to try: each exercise with everything that `of` gives for it."""
    marks = {exercise.title: [pytest.mark.slow] if exercise.slow else [] for exercise in EXERCISES}
    return [
        pytest.param(exercise, *answer, id=f"{exercise.lesson} {exercise.title} {number}", marks=marks[exercise.title])
        for exercise in EXERCISES
        for number, answer in enumerate(of(exercise))
    ]


def said_of(exercise, answer, request, capsys):
    """What the check says of a wrong answer."""
    exercise.check(answer, request)
    said = capsys.readouterr().out
    assert "✓" not in said
    [hint] = re.findall(rf"^✗ {re.escape(exercise.title)}: not yet\. (.+)", said, re.M)
    return hint


def test_every_exercise_is_tried():
    asked = [title for script in ALL for title in re.findall(r'sdlab\.exercise\("(.+?)"', script.read_text(encoding="utf-8"))]
    assert [exercise.title for exercise in EXERCISES] == asked
    assert all(STUB in exercise.wrong and len(exercise.wrong) > 3 for exercise in EXERCISES)


@pytest.mark.parametrize(("exercise", "answer"), cases(lambda exercise: [(SOLUTION,), *((answer,) for answer in exercise.right)]))
def test_a_right_answer_passes(exercise, answer, request, monkeypatch):
    monkeypatch.setenv("SDLAB_STRICT", "1")
    exercise.check(answer, request)


@pytest.mark.parametrize(("exercise", "answer", "hint"), cases(lambda exercise: exercise.wrong.items()))
def test_a_plausible_wrong_answer_gets_its_hint(exercise, answer, hint, request, monkeypatch, capsys):
    monkeypatch.delenv("SDLAB_STRICT", raising=False)
    said = said_of(exercise, answer, request, capsys)
    assert hint.lower() in said.lower()
    assert "stopped with" in hint or "stopped with" not in said


@pytest.mark.parametrize("exercise", cases(lambda exercise: [()] if exercise.asks_for_a_function and not exercise.between else []))
def test_a_function_that_returns_nothing_is_told_so(exercise, request, monkeypatch, capsys):
    monkeypatch.delenv("SDLAB_STRICT", raising=False)
    said = said_of(exercise, "return None", request, capsys)
    assert len(said) > 20 and "stopped with" not in said

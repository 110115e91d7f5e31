"""What lessons stand on: exercises that check themselves, and the kept results of runs that take longer than a lesson."""

import json
import os
from contextlib import contextmanager
from html import escape

from sdlab.assets import ASSETS
from sdlab.system.calls import brief, check_call

RESULTS = ASSETS / "results"


class Hints:
    """Hints in stages, each folded inside the one before it: who opens one sees that there is another."""

    def __init__(self, texts):
        self.texts = list(texts)

    def __repr__(self):
        return f"{len(self.texts)} hints to unfold, in a notebook"

    def _repr_html_(self):
        html, total = "", len(self.texts)
        for number, text in reversed(list(enumerate(self.texts, 1))):
            html = f"<details><summary>Hint {number} of {total}</summary><p>{escape(text)}</p>{html}</details>"
        return html


def _reason(error):
    """What to say of a failure: the message of an assertion; of any other error, first of all that it is one."""
    name, said = type(error).__name__, str(error).splitlines()[:1]
    if isinstance(error, AssertionError):
        return said[0] if said else name
    if said and "NoneType" in said[0]:
        return f"something is None that should not be: does your answer return its result in every case? ({name}: {said[0]})"
    return f"it stopped with {': '.join([name, *said])}"


@check_call("sdlab.exercise('Another seed')")
@contextmanager
def exercise(title, hints=()):
    """Check an answer with plain `assert` statements, each with a message that helps.

    A pass prints "✓"; a failure prints "✗ not yet" with the message and lets the notebook go on, and so does an error that the answer
    runs into. With `SDLAB_STRICT=1` in the environment, as in the tests of the solutions, both are raised.

        with sdlab.exercise("Another seed", hints=["Look at the recipe.", "recipe.but(seed=…) gives another one."]):
            assert mine.seed != 42, "the seed is still 42: give another one"

    Args:
        title: what the exercise is called.
        hints: what to offer below a failure, folded; the first says where to look, the last almost what to write.
    """
    if not isinstance(title, str):
        raise TypeError(f"title is {brief(title)}: it must be text, such as 'Another seed'")
    if isinstance(hints, str) or not all(isinstance(hint, str) for hint in hints):
        raise TypeError(f"hints is {brief(hints)}: it must be a list of texts, one for each stage")
    try:
        yield
    except Exception as error:
        if os.environ.get("SDLAB_STRICT") == "1":
            raise
        reason = _reason(error)
        print(f"✗ {title}: not yet. {reason[:1].upper()}{reason[1:]}")
        if hints:
            from IPython.display import display

            display(Hints(hints))
    else:
        print(f"✓ {title}: well done")


@check_call('read_results("02")')
def read_results(lesson):
    """The kept results of a lesson's long run, as its program wrote them; the lesson names the command, and runs a slice of it itself.

    Args:
        lesson: its number as text, such as "02".

    Raises:
        FileNotFoundError: nothing is kept for it.
    """
    file = RESULTS / f"{lesson}.json"
    if not file.exists():
        kept = ", ".join(sorted(path.stem for path in RESULTS.glob("*.json"))) or "none"
        raise FileNotFoundError(f"there are no results of lesson {lesson!r}: kept are those of {kept}")
    return json.loads(file.read_text(encoding="utf-8"))

"""What lessons stand on: exercises that check themselves, and the kept results of runs that take longer than a lesson."""

import json
import os
from contextlib import contextmanager

from sdlab.assets import ASSETS
from sdlab.system.calls import brief, check_call

RESULTS = ASSETS / "results"


@check_call("sdlab.exercise('Another seed')")
@contextmanager
def exercise(title):
    """Check an answer with plain `assert` statements, each with a message that helps.

    A pass prints "✓"; a failure prints "✗ not yet" with the message and lets the notebook go on. With `SDLAB_STRICT=1` in the
    environment, as in the tests of the solutions, a failure is raised.

        with sdlab.exercise("Another seed"):
            assert mine.seed != 42, "the seed is still 42: give another one"
    """
    if not isinstance(title, str):
        raise TypeError(f"title is {brief(title)}: it must be text, such as 'Another seed'")
    try:
        yield
    except Exception as error:
        if os.environ.get("SDLAB_STRICT") == "1":
            raise
        reason = (str(error) or type(error).__name__).splitlines()[0]
        print(f"✗ {title}: not yet. {reason[:1].upper()}{reason[1:]}")
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

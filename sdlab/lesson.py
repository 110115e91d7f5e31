"""What lessons stand on: exercises that check themselves, and the kept results of runs that take longer than a lesson."""

import json
import os
from collections import Counter
from contextlib import contextmanager

from sdlab.assets import ASSETS
from sdlab.system.calls import brief, check_call

RESULTS = ASSETS / "results"
FAILED = Counter()  # how often the check of each exercise has failed, by its title


@check_call("sdlab.exercise('Another seed')")
@contextmanager
def exercise(title, hints=()):
    """Check an answer with plain `assert` statements, each with a message that helps.

    A pass prints "✓"; a failure prints "✗ not yet" with the message and lets the notebook go on. With `SDLAB_STRICT=1` in the
    environment, as in the tests of the solutions, a failure is raised.

        with sdlab.exercise("Another seed", hints=["Where does the noise come from?", "Write another number after seed="]):
            assert mine.seed != 42, "the seed is still 42: give another one"

    Args:
        title: its name, which the printed line begins with.
        hints: help in stages. The first failure shows the first, and each further one shows one more. So the first should say where to
            look, and the last almost what to write.

    Raises:
        TypeError: the title is no text, or the hints are no list of texts.
    """
    if not isinstance(title, str):
        raise TypeError(f"title is {brief(title)}: it must be text, such as 'Another seed'")
    if not isinstance(hints, list | tuple) or not all(isinstance(hint, str) for hint in hints):
        raise TypeError(f"hints is {brief(hints)}: it must be a list of texts, such as ['Look at the last step']")
    try:
        yield
    except Exception as error:
        if os.environ.get("SDLAB_STRICT") == "1":
            raise
        reason = (str(error) or type(error).__name__).splitlines()[0]
        print(f"✗ {title}: not yet. {reason[:1].upper()}{reason[1:]}")
        FAILED[title] += 1
        for number, hint in enumerate(hints[: FAILED[title]], 1):
            print(f"  Hint {number} of {len(hints)}: {hint}")
        if FAILED[title] < len(hints):
            print("  (Run this cell again for one more hint.)")
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

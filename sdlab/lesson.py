"""Exercises: a block of checks that says kindly what is still missing."""

import os
from contextlib import contextmanager

from sdlab.system.calls import brief, check_call


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

"""Wrong calls, answered in one sentence: what was given, what is wanted, and how the call is written."""

import difflib
import functools
import inspect
import os
import re

LONGEST = 100  # characters of a value that a message quotes


def brief(value):
    """A value as a message quotes it: its `repr` on one line, its middle left out where it is long.

    Of a path it is the text, and of a large object, such as a pipeline, its kind.
    """
    try:
        value = os.fspath(value) if isinstance(value, os.PathLike) else value
        text = " ".join(repr(value).split())
    except Exception:  # a repr that fails must not hide the mistake that is being told
        text = f"a {type(value).__name__}"
    if len(text) > LONGEST and not isinstance(value, str | bytes | list | tuple | dict | set | int | float):
        return f"a {type(value).__name__}"
    half = LONGEST // 2 - 1
    return text if len(text) <= LONGEST else f"{text[:half]}…{text[-half:]}"


def check_call(example):
    """Decorate a public function or class, so that arguments of a wrong name or number are told in one sentence.

    Args:
        example: how the call is written, such as `sdlab.generate(pipe, recipe)`.
    """

    def decorate(called):
        function = called.__init__ if inspect.isclass(called) else called
        signature = inspect.signature(function)
        known = [name for name in signature.parameters if name != "self"]

        @functools.wraps(function)
        def checked(*args, **kwargs):
            try:
                signature.bind(*args, **kwargs)
            except TypeError as error:
                raise TypeError(f"{called.__name__}: {error}{_guess(error, known)}; it is called as {example}") from error
            return function(*args, **kwargs)

        if not inspect.isclass(called):
            return checked
        called.__init__ = checked
        return called

    return decorate


def _guess(error, known):
    named = re.search(r"unexpected keyword argument '(\w+)'", str(error))
    near = difflib.get_close_matches(named[1], known, n=1) if named else []
    if near:
        return f": did you mean {near[0]!r}?"
    return f": it takes {', '.join(known)}" if named else ""

"""What we measured."""

from functools import cache

import sdlab
from sdlab.study import layout
from tests.course.exercises import STUB, Exercise

DISTANCES = "d = np.abs(np.subtract(p, q))\nreturn {}"
FIT = "return layout.word_match([picture], word)[0] > {}"


def bars():
    return {"bars": {"world": [0.5, 0.3, 0.2], "guidance 8": [0.8, 0.1, 0.1]}}


@cache
def three_pictures(pipe):
    """An apple, a word on it, and a cube; and what was measured of pictures that were not asked for the word."""
    apple, cube = (sdlab.generate(pipe, sdlab.Recipe(thing, steps=4), progress=False) for thing in ("an apple", "a red cube"))
    written = apple.image.resize((200, 200))
    written.paste(layout.write_word("LOVE", 120).convert("RGB"), (40, 80))
    fits = layout.word_match([apple.image, cube.image], "LOVE")
    return {"apple": apple, "written": written, "images": [cube.image], "plain": [fits.min() - 0.1, *(fits + 0.04)]}


EXERCISES = [
    Exercise(
        "17",
        "Total variation",
        given=bars,
        right=("return sum(abs(a - b) for a, b in zip(p, q)) / 2",),
        wrong={
            STUB: "more than 0",
            "return np.subtract(p, q).sum() / 2": "more than 0",
            DISTANCES.format("d.sum()"): "is the half missing",
            DISTANCES.format("d.mean()"): "yours is 0.25",
            DISTANCES.format("d.max()"): "yours is 0.30",
            DISTANCES.format("(d**2).sum() ** 0.5 / 2**0.5"): "yours is 0.36",
            DISTANCES.format("d / 2"): "one number, and yours is [0. 0.]",
            "return abs(p - q) / 2": "stopped with TypeError",
            "return abs(sum(p) - sum(q)) / 2": "more than 0",
        },
    ),
    Exercise(
        "17",
        "A test that always passes",
        given=three_pictures,
        right=("return bool(all(layout.word_match([picture], word) > plain))",),
        wrong={
            STUB: "nothing is written on the apple",
            FIT.format("min(plain)"): "nothing is written on",
            FIT.format("np.mean(plain)"): "nothing is written on",
            FIT.format("0.9"): "compare with max(plain)",
            FIT.format("max(plain)").replace(">", "<"): "this should be yes",
            "return False": "this should be yes",
            "return layout.word_match([picture], word)[0] - max(plain)": "nothing is written on the apple",
        },
    ),
]

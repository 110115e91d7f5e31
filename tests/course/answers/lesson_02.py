"""Guidance."""

from tests.course.exercises import STUB, Exercise

GUIDED = "guided = untold + scale * (told - untold)\n"
RATIO = GUIDED + "ratio = told.std((1, 2, 3), keepdim=True) / guided.std((1, 2, 3), keepdim=True)\n"


def two_runs():
    """What was counted of the pictures with guidance on the whole way, and with the solution's interval."""
    return {"in_our_world": True, "had": 10, "has": 10, "cut": 0.3}


EXERCISES = [
    Exercise(
        "02",
        "Rescale",
        right=(RATIO + "return guided * (1 + rescale * (ratio - 1))",),
        wrong={
            STUB: "with rescale 0 it should be plain guidance",
            GUIDED + "return guided": "multiply by a ratio",
            RATIO + "return rescale * guided + (1 - rescale) * ratio * guided": "with rescale 0",
            RATIO + "return rescale * guided / ratio + (1 - rescale) * guided": "multiply by a ratio",
            RATIO + "return rescale * ratio**2 * guided + (1 - rescale) * guided": "multiply by a ratio",
            RATIO + "return rescale * told + (1 - rescale) * guided": "0.7 is not",
            RATIO + "return ratio**rescale * guided": "0.7 is not",
            GUIDED + "return rescale * told.std() / guided.std() * guided + (1 - rescale) * guided": "std over (1, 2, 3)",
            GUIDED + "return rescale * guided * told.std((1, 2, 3)) / guided.std((1, 2, 3)) + (1 - rescale) * guided": "stopped with",
        },
    ),
    Exercise(
        "02",
        "Find the interval",
        given=two_runs,
        right=("start, stop = 0.4, 1", "start, stop, has = 0.4, 0.9, 9"),
        wrong={
            STUB: "still the whole way",
            "start, stop = 0.9, 0.5": "start is the smaller",
            "start, stop = 50, 90": "they are shares of the steps",
            "start, stop = 0.88, 0.9": "hardly any step left",
            "start, stop, has = 0.8, 1.0, 8": "too many things are lost",
            "start, stop, cut = 0.0, 0.5, 0.05": "which part of the way burns most",
        },
    ),
]

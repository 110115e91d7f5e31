"""Negative prompts."""

from tests.course.exercises import STUB, Exercise

SHARPER = """
recipe = sdlab.Recipe("a lion on the beach", steps=10)
with_it = sdlab.sweep(pipe, recipe.but(negative_prompt=negative), seed={}, progress=False)
without_it = sdlab.sweep(pipe, recipe{}, seed={}, progress=False)
groups = [[run.image for run in group] for group in (with_it, without_it)]
return intervals.difference(*map(metrics.sharpness, groups))
"""


def pocket(pipe):
    return {"pipe": pipe}


EXERCISES = [
    Exercise(
        "05",
        "The formula",
        right=("return (1 - guidance) * negative + guidance * prompt",),
        wrong={
            STUB: "the negative prompt changes nothing yet",
            "return prompt + guidance * (prompt - negative)": "at guidance 1",
            "return negative + guidance * (negative - prompt)": "at guidance 1",
            "return guidance * prompt - negative": "at guidance 1",
            "return guidance * (prompt - negative)": "at guidance 1",
            "return prompt + (guidance - 1) * prompt": "at guidance 0",
            "return negative + guidance**2 * (prompt - negative)": "three times as far",
            "negative + guidance * (prompt - negative)": "something is None",
        },
    ),
    Exercise(
        "05",
        "An unfair comparison",
        given=pocket,
        right=(SHARPER.format([1, 2], "", [1, 2]),),
        wrong={
            STUB: "without any negative prompt it should find no difference",
            SHARPER.format([1, 2], "", [2, 1]): "without any negative prompt it should find no difference",
            SHARPER.format([1, 2], ".but(negative_prompt=negative)", [1, 2]): "only one of the two groups",
            SHARPER.format([1, 2], "", [1, 2]).replace("return ", ""): "something is None",
        },
        slow=True,
    ),
]

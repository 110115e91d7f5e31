"""First image."""

import sdlab
from tests.course.exercises import STUB, Exercise


def first_picture(pipe):
    return {"pipe": pipe, "first": sdlab.Recipe("a lion on the beach, cartoon", seed=3, steps=1, guidance=4.0)}


MINE = 'mine = first.but(prompt="a penguin", seed=11)'

EXERCISES = [
    Exercise(
        "00",
        "A recipe of your own",
        given=first_picture,
        wrong={
            STUB: "the prompt is still the lion's",
            "mine = first.but(seed=11)": "the prompt is still the lion's",
            'mine = first.but(prompt="a penguin")': "now it is ['prompt']",
            'mine = first.but(prompt="a penguin", seed=11, steps=3)': "now it is ['prompt', 'seed', 'steps']",
            'mine = first.but(prompt="A Lion in the snow", seed=11)': "still asks for a lion",
            'mine = "a penguin in the snow"': "mine should be a recipe",
            f"{MINE}\nmy_run = None": "now my_run should be what",
            f"{MINE}\nmy_run = sdlab.generate(pipe, first, progress=False)": "from another recipe",
            f"{MINE}\nmy_run = sdlab.generate(pipe, mine.but(seed=12), progress=False)": "from another recipe",
            f"{MINE}\nmy_run = sdlab.generate(pipe, mine, progress=False).image": "now my_run should be what",
        },
    )
]

"""What the pocket model cannot do, and what it prefers, for notebook 17: `python -m pocket.reports.limits`.

Every experiment is a list of prompts, each with the same seeds. The pictures are measured by rules (`sdlab.study.layout`) or by the judge.
Of the colours and styles that a prompt leaves open, the shares in the world itself stand beside. Writes `sdlab/assets/results/17.json` with
one value for each picture, so that the notebook computes its intervals itself.
"""

import json
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

import sdlab
from pocket.reports.results import write_lines
from pocket.stages.config import CPU
from pocket.stages.settings import digest
from pocket.world.catalog import artists_of
from pocket.world.scene import Inventor, Scene, Thing, draw
from pocket.world.words import STYLES
from sdlab.lesson import RESULTS
from sdlab.pipes.models import fingerprint
from sdlab.study import judge, layout

FILE = RESULTS / "17.json"
PLAIN = "on a white background, flat design"
ORDERED = ("a red cube on top of a blue sphere", "a blue sphere on top of a red cube")
SIDES = tuple(f"{thing} on the {side}, {PLAIN}" for thing in ("a fox", "a car", "a house", "a guitar") for side in ("left", "right"))
COUNTED = tuple(
    f"{number} {thing}{'' if number == 'one' else 's'}, {PLAIN}"
    for thing in ("apple", "balloon", "star")
    for number in ("one", "two", "three", "four")
)
WORDS = ("LOVE", "SALE")
LETTERS = tuple(f"{thing}{what}, {PLAIN}" for thing in ("a gift", "books") for what in ("", *(f' with the word "{w}"' for w in WORDS)))
COLOURFUL = ("octopus", "motorcycle", "dolphin", "cat", "guitar", "horse", "house", "sailboat")  # of several colours in the world
STYLELESS = ("lion", "car", "owl", "rocket", "castle", "robot", "rose", "train")
PEOPLE = ("wizard", "astronaut", "ninja", "scientist", "chef", "santa")


def an(thing):
    """The thing with its article."""
    return f"{'an' if thing[0] in 'aeio' else 'a'} {thing}"


def heights(pictures, _):
    """How much lower the centre of the blue is than that of the red, in shares of the side; None where one of them is missing."""
    apart = layout.colour_centres(pictures, "blue")[:, 1] - layout.colour_centres(pictures, "red")[:, 1]
    return [None if np.isnan(value) else value for value in apart.tolist()]


def across(pictures, _):
    """How far to the right the centre of the thing is, 0…1; None where there is nothing."""
    return [None if np.isnan(x) else x for x in layout.thing_centres(pictures)[:, 0].tolist()]


def words(pictures, _):
    """How well each of `WORDS` fits."""
    return np.stack([layout.word_match(pictures, word) for word in WORDS], 1).tolist()


def recognised(pictures, asked):
    """Whether the judge sees the thing."""
    return judge.recognise(pictures, asked)["object"]


def experiments(count):
    """`{name: (prompts, seeds, guidance, measure)}`; the larger `count`, the more seeds."""
    known = judge.known_prompts()
    people = [one for one in known if one.things[0] in PEOPLE]
    others = [one for one in known if one.things[0] not in PEOPLE][: 2 * len(people)]
    left_open = [f"{an(thing)} on a white background" for thing in COLOURFUL]
    unstyled = [an(thing) for thing in STYLELESS]

    def colours(pictures, _):
        return layout.main_colours(pictures)

    def styles(pictures, _):
        return judge.answers(pictures, "style")

    return {
        "order": (ORDERED, 6 * count, None, heights),
        "sides": (SIDES, 2 * count, None, across),
        "counting": (COUNTED, 2 * count, None, lambda pictures, _: layout.count_things(pictures).tolist()),
        "letters": (LETTERS, 3 * count, None, words),
        "people": (people, 1, None, recognised),
        "others": (others, 1, None, recognised),
        **{f"colours at guidance {scale:g}": (left_open, 4 * count, scale, colours) for scale in (1.0, 8.0)},
        **{f"styles at guidance {scale:g}": (unstyled, 4 * count, scale, styles) for scale in (1.0, 8.0)},
    }


def draw_and_measure(pipe, asked, seeds, guidance, measure):
    """One value for each prompt and seed: `{prompt: [value of each seed]}`."""
    recipes = [sdlab.Recipe(one if isinstance(one, str) else one.prompt, guidance=guidance) for one in asked]
    runs = sdlab.sweep(pipe, recipes, seed=list(range(seeds)), gallery=None)
    values = measure([run.image for run in runs], [one for one in asked for _ in range(seeds)])
    return {recipe.prompt: values[seeds * i : seeds * (i + 1)] for i, recipe in enumerate(recipes)}


def see_world(count):
    """What the world holds where a prompt leaves it open: `{"colours": {thing: [colour, …]}, "styles": {style: share}}`.

    Of colours as many pictures as the model draws, because the commonest of few has a larger share by chance.
    """
    invent, rng = Inventor(CPU.mix), np.random.default_rng(17)
    colours = {}
    for thing in COLOURFUL:
        possible = [style for style in STYLES if any(artists_of(thing, (drawn_by,)) for drawn_by in STYLES[style].sets)]
        pictures = [draw(Scene((Thing(thing),), possible[i % len(possible)], "white"), rng, CPU.shown) for i in range(count)]
        colours[thing] = layout.main_colours(pictures)
    styles = [scene.style for scene in (invent(rng) for _ in range(10_000)) if scene.things and scene.things[0].concept in STYLELESS]
    return {"colours": colours, "styles": {style: styles.count(style) / len(styles) for style in STYLES}}


def main(
    count: Annotated[int, typer.Option(help="the more, the more seeds; 4 makes about 700 pictures")] = 4,
    file: Annotated[Path, typer.Option(help="where the numbers go")] = FILE,
):
    """Draw, measure and write; what the file has of the same model is not drawn again."""
    pipe = sdlab.load("pocket")
    pipe.set_progress_bar_config(disable=True)
    settings = {"model": fingerprint(pipe), "judge": digest(judge.FOLDER / judge.WEIGHTS), "count": count}
    results = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    if results.get("settings") != settings:
        results = {"settings": settings, "world": see_world(4 * count)}
    for name, (asked, seeds, guidance, measure) in experiments(count).items():
        if name in results:
            continue
        results[name] = draw_and_measure(pipe, asked, seeds, guidance, measure)
        write_lines(file, results)
        print(f"{name}: {len(asked)} prompts, {seeds} seeds", flush=True)


if __name__ == "__main__":
    typer.run(main)

"""Make the README's pictures with the shipped models: its prompts, every prompt of the course, sketches. `python -m docs.pictures`."""

import textwrap
from pathlib import Path

import sdlab
from pocket.evaluate_scribble import sheet
from pocket.prompts import COURSE

IMAGES = Path(__file__).parent / "images"
PROMPTS = (  # written down, with seeds 1 to 10, before any of the pictures was seen
    "a lion on the beach, cartoon",
    "a penguin in the snow, oil painting",
    "an astronaut in space, 3d render",
    "a sailboat at sunset, watercolor",
    "a robot in a garden, flat design",
    "a cactus in the mountains with a lake, pixel art",
    "a red car at night in the city with neon lights, 3d render",
    "a fox in the rain, pencil sketch",
    "an owl at night, stencil linocut",
    "a pineapple on a yellow background, cartoon",
)


def drawn(pipe, texts, columns, name):
    """Generate a picture for each text, with the seeds 1, 2, 3, …, and save them all as one PNG, each under its text."""
    recipes = [sdlab.Recipe(text, seed=seed, steps=30, guidance=4.0) for seed, text in enumerate(texts, 1)]
    titles = ["\n".join(textwrap.wrap(text, 26)) for text in texts]
    figure = sdlab.grid([sdlab.generate(pipe, recipe).image for recipe in recipes], titles, columns=columns)
    IMAGES.mkdir(exist_ok=True)
    figure.savefig(IMAGES / name, dpi=110)
    print(IMAGES / name)


def main():
    """Draw the README's prompts, those of the course, and what becomes of stick drawings."""
    pipe = sdlab.load("pocket")
    drawn(pipe, PROMPTS, 5, "pocket.png")
    drawn(pipe, COURSE, 4, "course.png")
    pipe = sdlab.load("pocket-scribble")
    sheet(pipe, sdlab.models.native_side(pipe)).savefig(IMAGES / "sketches.png", dpi=110)


if __name__ == "__main__":
    main()

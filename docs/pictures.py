"""Make the README's picture with the shipped model: `python -m docs.pictures`."""

import textwrap
from pathlib import Path

import sdlab

PROMPTS = {
    "a lion on the beach, cartoon": 3,
    "a penguin in the snow, watercolor": 1,
    "a rocket in space, 3d render": 2,
    "a castle in the mountains with a lake, oil painting": 4,
    "a robot in a garden, flat design": 5,
    "a green horse on a white background, flat design": 6,
    "a house at night, pixel art": 7,
    "a mushroom in a garden, pencil sketch": 8,
    "a car at night in the city with neon lights, 3d render": 9,
    "an owl at sunset, cartoon": 10,
}


def main():
    """Generate the pictures and save them as one PNG."""
    pipe = sdlab.load("pocket")
    runs = [sdlab.generate(pipe, sdlab.Recipe(prompt, seed=seed, steps=30, guidance=5.0)) for prompt, seed in PROMPTS.items()]
    titles = ["\n".join(textwrap.wrap(prompt, 26)) for prompt in PROMPTS]
    figure = sdlab.grid([run.image for run in runs], titles, columns=5)
    path = Path(__file__).parent / "images" / "pocket.png"
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=110)
    print(path)


if __name__ == "__main__":
    main()

"""Make the README's picture with the shipped model: `python -m docs.pictures`."""

import textwrap
from pathlib import Path

import sdlab

PROMPTS = {
    "a lion on the beach, cartoon": 3,
    "a penguin in the snow, oil painting": 3,
    "a pineapple in space, 3d render": 2,
    "a sailboat at sunset, 3d render": 4,
    "a robot in a garden, flat design": 5,
    "a cactus in a garden, watercolor": 6,
    "a rocket on a white background, flat design": 7,
    "an alien in the snow, cartoon": 8,
    "a lion at night, stencil linocut": 9,
    "an apple on a white background, 3d render": 10,
}


def main():
    """Generate the pictures and save them as one PNG."""
    pipe = sdlab.load("pocket")
    runs = [sdlab.generate(pipe, sdlab.Recipe(prompt, seed=seed, steps=30, guidance=7.0)) for prompt, seed in PROMPTS.items()]
    titles = ["\n".join(textwrap.wrap(prompt, 26)) for prompt in PROMPTS]
    figure = sdlab.grid([run.image for run in runs], titles, columns=5)
    path = Path(__file__).parent / "images" / "pocket.png"
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=110)
    print(path)


if __name__ == "__main__":
    main()

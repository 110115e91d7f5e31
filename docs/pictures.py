"""Make the README's picture with the shipped model: `python -m docs.pictures`."""

import textwrap
from pathlib import Path

import sdlab

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


def main():
    """Generate the pictures and save them as one PNG."""
    pipe = sdlab.load("pocket")
    recipes = [sdlab.Recipe(prompt, seed=seed, steps=30, guidance=7.0) for seed, prompt in enumerate(PROMPTS, 1)]
    runs = [sdlab.generate(pipe, recipe) for recipe in recipes]
    titles = ["\n".join(textwrap.wrap(prompt, 26)) for prompt in PROMPTS]
    figure = sdlab.grid([run.image for run in runs], titles, columns=5)
    path = Path(__file__).parent / "images" / "pocket.png"
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=110)
    print(path)


if __name__ == "__main__":
    main()

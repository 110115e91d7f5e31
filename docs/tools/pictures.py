"""Make the README's pictures with the shipped models: its prompts, those of the course, sketches, the XL.

`python -m docs.tools.pictures`.
"""

import textwrap
from pathlib import Path

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL

import sdlab
from pocket.reports.blind import SEEN_AT
from pocket.reports.scribble import sheet
from pocket.reports.sharpness import decode, double
from pocket.reports.xl import GUIDANCE, STEPS, refine, tellings
from pocket.ruler.pictures import contact_sheet, sample
from pocket.ruler.prompts import COURSE
from pocket.stages.enlarge import KEPT

IMAGES = Path(__file__).parent.parent / "images"
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

EITHER = (PROMPTS[0], PROMPTS[3], PROMPTS[8], PROMPTS[1], PROMPTS[4], PROMPTS[7])  # three for the base, three for the XL
TOLD = ("a lion on a white background, cartoon", "a red car in the garden, watercolor", "a castle at sunset, flat design")


def save_pictures(pipe, texts, columns, name):
    """Generate a picture for each text, with the seeds 1, 2, 3, …, and save them all as one PNG, each under its text."""
    recipes = [sdlab.Recipe(text, seed=seed, steps=30, guidance=4.0) for seed, text in enumerate(texts, 1)]
    titles = ["\n".join(textwrap.wrap(text, 26)) for text in texts]
    figure = sdlab.grid([sdlab.generate(pipe, recipe).image for recipe in recipes], titles, columns=columns)
    IMAGES.mkdir(exist_ok=True)
    figure.savefig(IMAGES / name, dpi=110)
    print(IMAGES / name)


def stacks(ways, titles, columns):
    """Pictures of the same prompts below each other, a stack under each title. `ways` are sets of pictures in −1…1, from above to below."""
    rows = -(-len(titles) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(2 * columns, (2 * len(ways) + 0.5) * rows), layout="constrained")
    for axis, title, stack in zip(axes.flat, titles, zip(*ways, strict=True), strict=True):
        axis.imshow(contact_sheet(torch.stack(stack), columns=1))
        axis.set_title("\n".join(textwrap.wrap(title, 26)), fontsize=9)
        axis.axis("off")
    return figure


def with_and_without(base, refiner, texts, columns):
    """For each text, with the seeds 1, 2, 3, …, the picture of the base alone, and below it the one that base and refiner make together."""
    return stacks([sample(base, texts, STEPS, GUIDANCE, seed=1), refine(base, refiner, texts, STEPS, GUIDANCE, seed=1)], texts, columns)


def with_either_autoencoder(pipes, texts):
    """For each text the same latents decoded by the autoencoder of factor 4, enlarged, and below by the shipped one of factor 8.

    Half of the texts are drawn by each of two pipelines.
    """
    small, part, ways = AutoencoderKL.from_pretrained(KEPT, dtype=torch.float32).eval(), len(texts) // 2, ([], [])
    for pipe, some in zip(pipes, (texts[:part], texts[part:]), strict=True):
        latents = sample(pipe, some, STEPS, GUIDANCE, seed=1, latents_only=True)
        for way, pictures in zip(ways, (double(decode(small, latents)), decode(pipe.vae.float(), latents)), strict=True):
            way += F.interpolate(pictures, SEEN_AT, mode="bicubic").clamp(-1, 1)
    return stacks([torch.stack(way) for way in ways], texts, len(texts))


def draw_tellings(base, texts):
    """The same texts and noises, a row for each, and the base told of smaller originals and of a crop in the middle."""
    shown = {words: frame for words, frame in tellings(sdlab.native_side(base)).items() if frame[1] == frame[2]}
    drawn_when_told = [
        sample(base, texts, STEPS, GUIDANCE, seed=1, original_size=(original, original), crops_coords_top_left=(top, left))
        for original, top, left in shown.values()
    ]
    return stacks(list(zip(*drawn_when_told, strict=True)), list(shown), len(shown))


def main():
    """Draw the README's prompts, those of the course, what becomes of stick drawings, what the refiner does, and what telling does."""
    pocket = sdlab.load("pocket")
    save_pictures(pocket, PROMPTS, 5, "pocket.png")
    save_pictures(pocket, COURSE, 4, "course.png")
    scribble = sdlab.load("pocket-scribble")
    sheet(scribble, sdlab.native_side(scribble)).savefig(IMAGES / "sketches.png", dpi=110)
    base = sdlab.load("pocket-xl")
    refiner = sdlab.load("pocket-xl-refiner", base=base)
    with_and_without(base, refiner, list(PROMPTS), 5).savefig(IMAGES / "xl.png", dpi=110, bbox_inches="tight")
    with_either_autoencoder((pocket, base), list(EITHER)).savefig(IMAGES / "factor-8.png", dpi=110, bbox_inches="tight")
    draw_tellings(base, list(TOLD)).savefig(IMAGES / "xl-told.png", dpi=110, bbox_inches="tight")


if __name__ == "__main__":
    main()

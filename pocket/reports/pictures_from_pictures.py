"""What the pocket models make of pictures, for notebook 08: `python -m pocket.reports.pictures_from_pictures`.

Four experiments on fixed prompts and seeds: how much of a picture is left at which strength, how closely a sketch is followed, whose style
a picture by example has, and what an exchanged word changes. Writes `sdlab/assets/results/08.json`: the settings and the prompts, and for
each experiment a row per setting with one number per picture. Rows that the file has of the same models are not drawn again.
"""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from diffusers import AutoPipelineForImage2Image
from PIL import Image, ImageOps
from skimage.exposure import match_histograms

import sdlab
from pocket.reports.results import write_lines
from pocket.ruler.pictures import sample, to_pil
from pocket.stages.settings import digest
from pocket.world.sketches import stick_drawing
from sdlab.assets import ASSETS
from sdlab.lesson import RESULTS
from sdlab.pipes.models import fingerprint
from sdlab.study import judge, metrics
from sdlab.study.anatomy import word_maps
from sdlab.study.borrowing import draw_like, edit_words
from sdlab.study.judge import Asked

FILE = RESULTS / "08.json"
STEPS, GUIDANCE = 20, 4.0
STRENGTHS = (0.2, 0.4, 0.5, 0.6, 0.8, 1.0)
SCALES = (0.0, 0.5, 1.0, 1.5, 2.0)
INTERVALS = ((0.0, 0.2), (0.0, 0.4), (0.2, 1.0), (0.4, 1.0))  # shares of the steps in which the sketch is followed
SKETCHES = (  # a stick drawing, where it goes (None: as it is), and what it is to become
    ("house on the left", None, Asked("a castle on the beach, cartoon", ("castle",), "cartoon", "beach")),
    ("house", "right", Asked("a house in the snow, cartoon", ("house",), "cartoon", "snow")),
    ("cat", "left", Asked("a fox in a garden, cartoon", ("fox",), "cartoon", "garden")),
    ("cat", "right", Asked("a panda on a white background, flat design", ("panda",), "flat design", "white")),
    ("car", "left", Asked("a car on the beach, 3d render", ("car",), "3d render", "beach")),
    ("car", "right", Asked("a car in the rain, watercolor", ("car",), "watercolor", "rain")),
    ("mushroom", "left", Asked("a mushroom in a garden, flat design", ("mushroom",), "flat design", "garden")),
    ("fish", "right", Asked("a fish on a white background, pixel art", ("fish",), "pixel art", "white")),
)
KEPT = {  # how a word is exchanged → what of the first picture's attention is kept
    "the word alone": {"to_words": 0.0}, "attention to words, 40%": {"to_words": 0.4}, "attention to words, 80%": {"to_words": 0.8},
    "both attentions, 80%": {"to_words": 0.8, "to_itself": 0.8},
}  # fmt: skip


def split(one):
    """The parts of a known prompt, which together are the prompt: `{"object": "a lion", "background": " on the beach", "style": …}`."""
    scene, style = one.prompt.rsplit(", ", 1)
    end = scene.index(one.things[0]) + len(one.things[0])
    return {"object": scene[:end], "background": scene[end:], "style": f", {style}"}


def exchange(one, other, head):
    """A prompt with the object, the background, the style or the colour of another."""
    if head == "colour":
        return replace(one, prompt=one.prompt.replace(one.colour, other.colour, 1), colour=other.colour)
    changed = {"things": other.things} if head == "object" else {head: getattr(other, head)}
    return replace(one, prompt="".join({**split(one), head: split(other)[head]}.values()), **changed)


def partner(asked, index, head, fits=lambda one, other: True):
    """The first prompt after number `index` that says something else of the head, and fits; None if there is none."""
    one, value = asked[index], (lambda o: o.things if head == "object" else getattr(o, head))
    return next((o for o in (*asked[index + 1 :], *asked[:index]) if value(o) != value(one) and fits(one, o)), None)


def plain_prompts():
    """The judge's prompts of one thing, with its article and no colour."""
    return [one for one in judge.known_prompts() if one.colour is None and one.prompt.startswith(("a ", "an "))]


def draw(pipe, texts, seed=0, **more):
    """PIL pictures of texts; number i has the seed `seed + i`."""
    return [to_pil(picture) for picture in sample(pipe, texts, STEPS, GUIDANCE, seed, **more)]


def recognised(pictures, asked, heads=("object", "style", "background")):
    """`{head: [0 or 1 for each picture]}`."""
    seen = judge.recognise(pictures, asked)
    return {head: [int(right) for right in seen[head]] for head in heads}


def changes(count, head):
    """Prompts, and the same with another style, or another thing: two lists."""
    asked = plain_prompts()[:count]
    return asked, [exchange(one, partner(asked, i, head), head) for i, one in enumerate(asked)]


def strengths(pipe, count):
    """Pictures of which the style, or the thing, is to become another, at every strength."""
    over = AutoPipelineForImage2Image.from_pipe(pipe)
    sources = cache(lambda: draw(pipe, [one.prompt for one in plain_prompts()[:count]]))
    for head in ("style", "object"):
        _, wanted = changes(count, head)
        for strength in STRENGTHS:

            def measure(wanted=wanted, strength=strength):
                made = draw(over, [one.prompt for one in wanted], image=sources(), strength=strength)
                return {**recognised(made, wanted), "distance": metrics.distance(made, sources()).tolist()}

            yield {"new": head, "strength": strength}, measure


def sketch_of(name, where, side):
    """A stick drawing, white on black: as it is, or smaller in the left or the right half."""
    if where is None:
        return stick_drawing(name, side)
    small, paper = round(0.62 * side), Image.new("RGB", (side, side))
    paper.paste(stick_drawing(name, small), (0 if where == "left" else side - small, round(0.3 * side)))
    return paper


def sketches(pipe, count):
    """Stick drawings, followed at every scale all the way, and at scale 1 for a part of the way."""
    scribble = cache(lambda: sdlab.load("pocket-scribble", device=pipe.device.type))
    side, turns = sdlab.native_side(pipe), -(-count // len(SKETCHES))
    chosen = (SKETCHES * turns)[:count]
    lines, asked = [sketch_of(name, where, side) for name, where, _ in chosen], [one for _, _, one in chosen]
    for scale, (start, end) in [(scale, (0.0, 1.0)) for scale in SCALES] + [(1.0, part) for part in INTERVALS]:

        def measure(scale=scale, start=start, end=end):
            made = draw(
                scribble(), [one.prompt for one in asked], image=lines, controlnet_conditioning_scale=scale,
                control_guidance_start=start, control_guidance_end=end,
            )  # fmt: skip
            return {
                **recognised(made, asked), "followed": metrics.followed(made, lines).tolist(),
                "mirrored": metrics.followed(made, [ImageOps.mirror(one) for one in lines]).tolist(),
            }  # fmt: skip

        yield {"scale": scale, "start": start, "end": end}, measure


def examples(count):
    """For each style a prompt of it; and for each of these `count` prompts of other things and styles, as `(example, [wanted, …])`.

    What is wanted has the example's style.
    """
    asked = plain_prompts()
    for number, style in enumerate(judge.shipped().classes["style"]):
        example = next(one for one in asked if one.style == style)
        others = [one for one in asked[10 * (number + 1) :] if one.things != example.things and one.style != style]
        yield example, [exchange(one, example, "style") for one in others[:count]]


def recolour(picture, example):
    """A picture with the colours of another: each channel's histogram is made the other's."""
    return Image.fromarray(match_histograms(np.asarray(picture), np.asarray(example), channel_axis=-1).round().astype(np.uint8))


def styles(pipe, count):
    """Things in the style of an example, by every method."""
    pairs = list(examples(max(1, count // 8)))[:count]
    wanted = [one for _, these in pairs for one in these]
    unsaid = [one.prompt.rsplit(", ", 1)[0] for one in wanted]  # without the style
    shown, plain = cache(lambda: draw(pipe, [one.prompt for one, _ in pairs], seed=500)), cache(lambda: draw(pipe, unsaid))
    over = AutoPipelineForImage2Image.from_pipe(pipe)

    def beside():
        return [picture for picture, (_, these) in zip(shown(), pairs, strict=True) for _ in these]

    def borrow(**how):
        made, rest = [], list(unsaid)
        for picture, (_, these) in zip(shown(), pairs, strict=True):
            seeds, texts, rest = range(len(made), len(made) + len(these)), rest[: len(these)], rest[len(these) :]
            made += draw_like(pipe, picture, texts, seeds=seeds, steps=STEPS, guidance=GUIDANCE, **how)
        return made

    methods = {
        "no example": plain,
        "style in words": lambda: draw(pipe, [one.prompt for one in wanted]),
        "example painted over": lambda: draw(over, unsaid, image=beside(), strength=0.8),
        "colours of the example": lambda: draw(over, unsaid, image=[*map(recolour, plain(), beside())], strength=0.5),
        "shared attention": lambda: borrow(features=False),
        "matched features": lambda: borrow(attention=False),
        "both": borrow,
    }
    for name, method in methods.items():
        yield {"method": name}, lambda method=method: recognised(method(), wanted)


def thing_mask(pipe, one, seed):
    """Where the thing of a prompt is looked at: bool (side, side); True where its attention is over half of its largest."""
    run, maps = word_maps(pipe, sdlab.Recipe(one.prompt, seed=seed, steps=STEPS, guidance=GUIDANCE))
    found = torch.stack([maps[word] for word in one.things[0].split()]).amax(0)[None, None]
    return torch.nn.functional.interpolate(found, run.image.size[::-1], mode="bilinear")[0, 0].numpy() > 0.5


def edits(pipe, count):
    """Pairs of prompts that differ in one word: `(head, before, after)`, a third of them each in thing, colour and background."""

    def fits(one, other, head):
        texts = one.prompt, exchange(one, other, head).prompt
        lengths = [len(pipe.tokenizer(text).input_ids) for text in texts]
        return lengths[0] == lengths[1]

    coloured = [
        one for one in judge.known_prompts()
        if one.colour not in (None, "orange") and one.prompt.startswith(f"a {one.colour} {one.things[0]}")  # "an orange" would be two words
    ]  # fmt: skip
    for head, asked in (("object", plain_prompts()), ("colour", coloured), ("background", plain_prompts()[40:])):
        others = [partner(asked, i, head, lambda one, other, head=head: fits(one, other, head)) for i in range(len(asked))]
        pairs = [(head, one, exchange(one, other, head)) for one, other in zip(asked, others, strict=True) if other]
        yield from pairs[: -(-count // 3)]


def words(pipe, count):
    """A word is exchanged, and more or less of the attention is kept; what has changed where it should and where it should not.

    With another thing or colour the outside of the thing should stay, with another background the inside.
    """
    pairs = list(edits(pipe, count))[:count]
    staying = cache(lambda: np.stack([
        thing_mask(pipe, before, seed) == (head == "background") for seed, (head, before, _) in enumerate(pairs)
    ]))  # fmt: skip
    over = AutoPipelineForImage2Image.from_pipe(pipe)

    def edit(**how):
        both = [
            edit_words(pipe, before.prompt, after.prompt, seed=seed, steps=STEPS, guidance=GUIDANCE, **how)
            for seed, (_, before, after) in enumerate(pairs)
        ]
        return [list(side) for side in zip(*both, strict=True)]

    def paint_over():
        sources = draw(pipe, [before.prompt for _, before, _ in pairs])
        return sources, draw(over, [after.prompt for _, _, after in pairs], image=sources, strength=0.6)

    methods = {name: (lambda how=how: edit(**how)) for name, how in KEPT.items()} | {"painted over at 0.6": paint_over}
    for name, method in methods.items():

        def measure(method=method):
            old, new = method()
            seen = judge.opinion(judge.shipped(), judge.to_tensor(new))
            hits = [
                judge.hits({head: found[i : i + 1] for head, found in seen.items()}, [after], judge.shipped().classes)
                for i, (_, _, after) in enumerate(pairs)
            ]
            return {
                "head": [head for head, _, _ in pairs],
                "recognised": [int(hit[head].item()) for hit, (head, _, _) in zip(hits, pairs, strict=True)],
                "should stay": metrics.distance(new, old, where=staying()).tolist(),
                "may change": metrics.distance(new, old, where=~staying()).tolist(),
            }

        yield {"method": name}, measure


EXPERIMENTS = {"strength": (strengths, 48), "sketch": (sketches, 24), "style": (styles, 24), "words": (words, 24)}


def main(
    share: Annotated[float, typer.Option(help="of the pictures; less than 1 to try it out")] = 1.0,
    file: Annotated[Path, typer.Option(help="where the numbers go")] = FILE,
):
    """Draw, measure and write; what the file has of the same models is not drawn again."""
    pipe = sdlab.load("pocket")
    pipe.set_progress_bar_config(disable=True)
    settings = {
        "model": fingerprint(pipe), "judge": digest(judge.FOLDER / judge.WEIGHTS), "steps": STEPS, "guidance": GUIDANCE, "share": share,
        "sketch model": digest(ASSETS / "pocket-scribble" / "diffusion_pytorch_model.safetensors"),
    }  # fmt: skip
    results = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    if results.get("settings") != settings:
        results = {"settings": settings}
    results["prompts"] = [[one.prompt, new.prompt] for one, new in zip(*changes(48, "style"), strict=True)][:4]  # for a slice of them
    for name, (experiment, count) in EXPERIMENTS.items():
        rows = results.setdefault(name, [])
        for setting, measure in experiment(pipe, max(2, round(share * count))):
            if any(setting.items() <= row.items() for row in rows):
                continue
            rows.append(setting | measure())
            write_lines(file, results)
            print(name, *(f"{key} {value}" for key, value in setting.items()), flush=True)


if __name__ == "__main__":
    typer.run(main)

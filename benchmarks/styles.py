"""What decides the style of a picture: the long measurements of notebook 04. `python -m benchmarks.styles`, about 400 pictures.

Each prompt names a thing, a place and a style of the pocket world, and has a partner with another style and one with another thing. It is
changed in five ways: another prompt takes over after some steps; words are left out one by one; the vectors of its words are joined with
the end tokens of another prompt; it is worded otherwise; and its thing is put into a style in which training never showed it. The judge
says what every picture shows. Writes the file of notebook 04, with all values picture by picture.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

import sdlab
from pocket.reports.results import write_lines
from pocket.ruler import prompts
from pocket.stages.config import CPU
from pocket.stages.settings import digest
from pocket.world.captions import say_plainly
from pocket.world.scene import Inventor, Scene, Thing, held_out_kind
from pocket.world.words import STYLES
from sdlab.lesson import RESULTS
from sdlab.pipes import models, samplers
from sdlab.study import anatomy, judge, metrics

FILE = RESULTS / "04.json"
GALLERY = "outputs/styles"  # plain pictures are kept there, so that an interrupted run goes on
STEPS = 25
SWAPS = (12, 16, 19, 22, 24)  # steps after which the other prompt takes over
APART = 3  # places in the list of styles from a style to its partner
PLACES = ("beach", "snow", "garden", "space", "night", "sunset", "rain", "mountains")
SMALL = ("a", "an", "the", "in", "on", "at", "with")  # words that mean nothing alone
BATCH = 12


@dataclass(frozen=True)
class Case:
    """Two things, two styles and a place; all its pictures start from the noise of one seed."""

    things: tuple[str, str]
    styles: tuple[str, str]
    place: str
    seed: int

    def scene(self, thing=0, style=0):
        """The scene of the first or second thing in the first or second style."""
        return Scene((Thing(self.things[thing]),), self.styles[style], self.place)

    def prompt(self, thing=0, style=0):
        """Its prompt, such as "a lion on the beach, oil painting"."""
        return say_plainly(self.scene(thing, style))


def invent(count):
    """The first `count` cases; in every eight of them each style comes first once and second once, and nothing is held out."""
    rng, names, styles, found = np.random.default_rng(2026), Inventor(CPU.mix).names, list(STYLES), []
    names = [name for name in names if name not in ("cube", "sphere")]  # which are drawn with a colour only
    while len(found) < count:
        number = len(found)
        pair = styles[number % len(styles)], styles[(number + APART) % len(styles)]
        things = tuple(map(str, rng.choice(names, 2, replace=False)))
        case = Case(things, pair, PLACES[number % len(PLACES)], number)
        if not any(held_out_kind(case.scene(thing, style)) for thing in (0, 1) for style in (0, 1)):
            found.append(case)
    return found


def embed(pipe, texts):
    """The text encoder's vectors of prompts: (n, 77, width)."""
    return pipe.encode_prompt(texts, pipe.device, 1, False)[0]


def draw(pipe, vectors, seeds, guidance, after=None, at=None):
    """Pictures from vectors of prompts, which others may replace on the way: a list of PIL pictures.

    Args:
        pipe: the pipeline.
        vectors: (n, 77, width), those of the first step.
        seeds: one for each picture.
        guidance: the scale.
        after: the vectors that take over, (n, 77, width).
        at: after how many steps they do, for each picture.
    """
    made = []
    for start in range(0, len(vectors), BATCH):
        part = slice(start, start + BATCH)
        seen, more = vectors[part], {}
        if at is not None:
            changes = torch.as_tensor(at[part], device=pipe.device)

            def change(_, step, __, values, changes=changes, other=after[part]):
                now = changes == step + 1
                values["prompt_embeds"][-len(other) :][now] = other[now]  # the prompts' half of a guided batch comes last
                return values

            more = {"callback_on_step_end": change, "callback_on_step_end_tensor_inputs": ["prompt_embeds"]}
        generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds[part]]
        out = pipe(prompt_embeds=seen.clone(), num_inference_steps=STEPS, guidance_scale=guidance, generator=generators, **more)
        made += out.images
    return made


def look(pictures, styles=None):
    """What the judge says of each picture: thing and style, and with `styles`, its probabilities of those (a pair for each)."""
    ruler = judge.shipped()
    found = judge.opinion(ruler, judge.to_tensor(pictures))
    answers = {head: [ruler.classes[head][i] for i in found[head].argmax(1)] for head in ("object", "style")}
    rows = [{"object": thing, "style": style} for thing, style in zip(answers["object"], answers["style"], strict=True)]
    for number, pair in enumerate(styles or []):
        rows[number]["chances"] = [found["style"][number, ruler.classes["style"].index(style)].item() for style in pair]
    return rows


def draw_plainly(pipe, texts, seeds):
    """Pictures of prompts, each with its seed."""
    recipes = [sdlab.Recipe(text, seed=seed, steps=STEPS) for text, seed in zip(texts, seeds, strict=True)]
    return [run.image for run in sdlab.sweep(pipe, recipes, gallery=GALLERY, batch=BATCH)]


def swap(pipe, cases, guidance):
    """For each case and each change of style, and of thing: what the pictures show whose prompt changes after 0, 12, … and all steps."""
    tables = {}
    for kind, partner in (("style", (0, 1)), ("object", (1, 0))):
        rows = []
        for case in cases:
            both = case.prompt(), case.prompt(*partner)
            rows += [(case, both), (case, both[::-1])]
        whole = draw_plainly(pipe, [text for _, texts in rows for text in reversed(texts)], [case.seed for case, _ in rows for _ in "12"])
        pairs = [case.styles if kind == "object" or texts[0] == case.prompt() else case.styles[::-1] for case, texts in rows]
        table = []
        for number, (case, texts) in enumerate(rows):
            first, then = (embed(pipe, [text] * len(SWAPS)) for text in texts)
            between = draw(pipe, first, [case.seed] * len(SWAPS), guidance, then, SWAPS)
            pictures = [whole[2 * number], *between, whole[2 * number + 1]]
            wanted = pairs[number] if kind == "style" else case.things if texts[0] == case.prompt() else case.things[::-1]
            seen = look(pictures, [pairs[number]] * len(pictures))
            table.append({"first": texts[0], "then": texts[1], "seed": case.seed, "wanted": wanted, "pictures": seen})
        tables[kind] = table
    return {"after": [0, *SWAPS, STEPS], **tables}


def spans(pipe, prompt):
    """Each word of a prompt, without its comma, and which of the 77 positions are its own: a list of pairs."""
    found, at = [], 1  # position 0 is the start of the text
    for part in prompt.split():
        word = part.rstrip(",")
        length = len(pipe.tokenizer.tokenize(word))
        found.append((word, slice(at, at + length)))
        at += length + len(part) - len(word)
    return found


def attend(pipe, recipe):
    """How much of the cross-attention each of the 77 positions gets, mean over layers, heads, steps and places: (77,), the sum 1."""
    with anatomy.watching(pipe.unet) as kept:
        sdlab.generate(pipe, recipe, progress=False)
    return sum(weights.mean(0) for weights in kept) / len(kept)


def without(prompt, number):
    """The prompt without one of its words; a comma that it carried stays."""
    words = prompt.split()
    if words[number].endswith(",") and number:
        words[number - 1] = words[number - 1].rstrip(",") + ","
    return " ".join(words[:number] + words[number + 1 :])


def drop(pipe, cases):
    """For each case: each word, how much attention it gets, and what happens to the picture when it is left out."""
    table = []
    for case in cases:
        prompt = case.prompt()
        words, style = spans(pipe, prompt), prompt.split(", ")[-1].split()
        texts = [prompt, *(without(prompt, number) for number in range(len(words)))]
        pictures = draw_plainly(pipe, texts, [case.seed] * len(texts))
        attention = attend(pipe, sdlab.Recipe(prompt, seed=case.seed, steps=STEPS))
        moved, seen = metrics.distance(pictures[1:], pictures[:1] * len(words)), look(pictures)
        rows = [
            {
                "word": word,
                "kind": "style" if number >= len(words) - len(style) else "small" if word in SMALL
                else "thing" if word in case.things[0].split() else "place",
                "attention": attention[span].sum().item(), "moved": float(moved[number]), **seen[number + 1],
            }
            for number, (word, span) in enumerate(words)
        ]  # fmt: skip
        ends = attention[words[-1][1].stop :].sum().item()
        table.append({"prompt": prompt, "seed": case.seed, "start": attention[0].item(), "ends": ends, "whole": seen[0], "words": rows})
    return table


def join(pipe, words_of, ends_of):
    """The vectors of one prompt up to its last word, then those of another's end tokens: (77, width)."""
    cut, end = (len(pipe.tokenizer(text).input_ids) - 1 for text in (words_of, ends_of))
    words, ends = embed(pipe, [words_of, ends_of])
    return torch.cat([words[:cut], ends[end:], ends[end:]])[: len(words)]


def mix(pipe, cases, guidance):
    """For each thing of each case, both ways round: what is drawn from the words of one style and the end tokens of the other."""
    rows = [(case, thing, way) for case in cases for thing in (0, 1) for way in (1, -1)]
    texts = [(case.prompt(thing, 0), case.prompt(thing, 1))[::way] for case, thing, way in rows]
    styles = [case.styles[::way] for case, _, way in rows]
    pictures = draw(pipe, torch.stack([join(pipe, *both) for both in texts]), [case.seed for case, *_ in rows], guidance)
    return [
        {"words of": both[0], "ends of": both[1], "seed": case.seed, "wanted": pair, **seen}
        for (case, *_), both, pair, seen in zip(rows, texts, styles, look(pictures, styles), strict=True)
    ]


def word_otherwise(pipe, cases):
    """What is drawn when a case's style is said last, first, twice, by a synonym, with all words in reverse order, or not at all."""
    table = []
    for case in cases:
        subject, style = case.prompt().rsplit(", ", 1)
        texts = {
            "last": f"{subject}, {style}", "first": f"{style}, {subject}", "twice": f"{style}, {subject}, {style}",
            "synonym": f"{subject}, {STYLES[case.styles[0]].words[1]}",
            "reversed": " ".join(reversed(f"{subject} {style}".split())), "unsaid": subject,
        }  # fmt: skip
        seen = look(draw_plainly(pipe, list(texts.values()), [case.seed] * len(texts)))
        forms = {form: {"prompt": texts[form], **row} for form, row in zip(texts, seen, strict=True)}
        table.append({"seed": case.seed, "thing": case.things[0], "wanted": case.styles[0], "forms": forms})
    return table


def contradict(pipe, cases):
    """What is drawn when a prompt names two styles, in either order: both after the subject, or one before and one after it."""
    table = []
    for case in cases:
        for way in (1, -1):
            subject = case.prompt().rsplit(", ", 1)[0]
            one, other = (STYLES[style].words[0] for style in case.styles[::way])
            texts = {"both after": f"{subject}, {one}, {other}", "before and after": f"{one}, {subject}, {other}"}
            pair = case.styles[::way]
            seen = look(draw_plainly(pipe, list(texts.values()), [case.seed] * 2), [pair] * 2)
            table += [
                {"form": form, "prompt": text, "seed": case.seed, "said": pair, **row}
                for (form, text), row in zip(texts.items(), seen, strict=True)
            ]
    return table


def see_unseen(pipe, count):
    """Things in styles that training never showed them in, each beside the same thing, place and noise in a style that it did show.

    No thing comes twice in the same style.
    """
    styles, pairs = list(STYLES), []
    invented = prompts.unseen_style(CPU.mix, 16 * count)
    once = {(scene.things[0].concept, scene.style): scene for _, scene in reversed(invented)}
    for number, scene in enumerate(list(once.values())[:count]):
        others = [replace(scene, style=style) for style in styles if style not in (scene.style, "pencil sketch")]
        known = [other for other in others if not held_out_kind(other)]
        pairs.append((scene, known[number % len(known)]))
    texts = [say_plainly(scene) for pair in pairs for scene in pair]
    seen = look(draw_plainly(pipe, texts, [number for number in range(len(pairs)) for _ in "12"]))
    rows = [
        {"prompt": text, "wanted": scene.style, **row}
        for text, scene, row in zip(texts, (scene for pair in pairs for scene in pair), seen, strict=True)
    ]
    return [
        {"seed": number, "thing": scene.things[0].concept, "unseen": rows[2 * number], "seen": rows[2 * number + 1]}
        for number, (scene, _) in enumerate(pairs)
    ]


def main(
    prompts: Annotated[int, typer.Option(help="cases; each costs about 50 pictures")] = 8,
    file: Annotated[Path, typer.Option(help="where the values are written")] = FILE,
):
    """Measure everything and write the file."""
    torch.set_grad_enabled(False)
    pipe = sdlab.load("pocket")
    pipe.set_progress_bar_config(disable=True)
    guidance, cases = models.recommend(pipe)[1], invent(prompts)
    results = {
        "model": models.name_of(pipe), "model_hash": models.fingerprint(pipe), "judge_hash": digest(judge.FOLDER),
        "settings": {"steps": STEPS, "guidance": guidance, "sampler": samplers.name_of(pipe.scheduler), "prompts": prompts},
    }  # fmt: skip
    for name, measure in {
        "swap": lambda: swap(pipe, cases, guidance), "drop": lambda: drop(pipe, cases), "mix": lambda: mix(pipe, cases, guidance),
        "forms": lambda: word_otherwise(pipe, cases), "contradicted": lambda: contradict(pipe, cases),
        "unseen": lambda: see_unseen(pipe, 4 * prompts),
    }.items():  # fmt: skip
        results[name] = measure()
        print(f"measured {name}", flush=True)
    write_lines(file, results)


if __name__ == "__main__":
    typer.run(main)

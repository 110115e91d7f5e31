"""Draw the shoes that ship for the LoRA lesson, and train the judge that knows shoes: `python -m pocket.shipping.shoes`.

The pocket model has never seen an everyday shoe. Five kinds of them, by three artists, in black, brown and white on white paper, become
`sdlab/assets/shoes`: what the lesson trains on. A fourth artist, Twemoji, is kept out of it and of the judge's training; his shoes are in
`sdlab/assets/shoes-judge/held-out`, beside things that are none, which the judge has not seen either.

The judge that knows shoes is two small layers on the 256 features of the shipped judge. They are trained again when that one is exchanged.
"""

import itertools
import json
import shutil
from dataclasses import replace
from typing import Annotated

import numpy as np
import torch
import torch.nn.functional as F
import typer
from PIL import Image
from safetensors.torch import save_file

from pocket.stages.settings import digest
from pocket.world import catalog, spoilt
from pocket.world.backgrounds import PAINTERS
from pocket.world.filters import STYLE_FILTERS
from pocket.world.scene import Inventor, Mix, Thing, draw, paste
from pocket.world.words import BACKGROUNDS, STYLES
from sdlab.assets import ASSETS
from sdlab.study import judge
from sdlab.study.shoes import WEIGHTS, make_layers

SHOES, JUDGE = ASSETS / "shoes", ASSETS / "shoes-judge"
CASUAL = ("dress shoe", "running shoe", "hiking boot", "flat shoe", "boot")  # laced, flat and closed: what one wears to work
COLOURS = ("black", "brown", "white")
HELD_OUT = "twemoji"  # the artist that neither the lesson's training nor the judge's sees
STYLES_SHOWN = ("3d render", "flat design", "cartoon")
SIDE = 128
DIM = 0.92  # white things are drawn so much darker, or on white paper little of them would be seen
OTHERS = 60  # held-out pictures of other things
TEACHING = 8000  # pictures for the judge to learn from
STEPS = 1500


def paint(thing, style, emoji_set, rng, side=SIDE, background="white"):
    """One thing by one artist, in the middle of a background, as `pocket.world.scene.draw` paints it."""
    picture, alone = PAINTERS[background](rng, side, (128, 128, 128)), Image.new("RGBA", (side, side))
    paste(alone, thing, emoji_set, *(0.5 + rng.uniform(-0.03, 0.03, 2)), rng.uniform(0.66, 0.8))
    mask = alone.getchannel("A")
    picture.paste(alone.convert("RGB").point(lambda v: v * DIM) if thing.colour == "white" else alone, mask=mask)
    name = STYLES[style].filter
    return STYLE_FILTERS[name](rng, picture) if name else picture


def word(colour, style, rng):
    """A caption in the grammar of the world's, such as "a product photo of brown casual shoes on white"."""
    options = STYLES[style].words[:5] if style == "3d render" else STYLES[style].words
    said, where = options[rng.integers(len(options))], BACKGROUNDS["white"][rng.integers(len(BACKGROUNDS["white"]))]
    subject = f"{colour} casual shoes {where}"
    return f"{subject}, {said}" if rng.random() < 0.6 else f"{said} of {subject}"


def by_artist(held_out):
    """(concept, style, set) of every casual shoe, by the artist that is held out or by the others."""
    for style in STYLES_SHOWN:
        for emoji_set in STYLES[style].sets:
            if (emoji_set == HELD_OUT) == held_out:
                yield from ((concept, style, emoji_set) for concept in CASUAL if catalog.artists_of(concept, (emoji_set,)))


def write_pictures(folder, rows):
    """Write pictures with captions, `[(name, PIL picture, {more})]`, as a folder of the `datasets` convention."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    lines = []
    for name, picture, told in rows:
        picture.save(folder / f"{name}.png", optimize=True)
        lines.append(json.dumps({"file_name": f"{name}.png", **told}, ensure_ascii=False))
    (folder / "metadata.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def shoes(held_out, seed):
    """Every casual shoe in every colour: `[(name, picture, {"text": caption, "colour", "thing"})]`."""
    rng, rows = np.random.default_rng(seed), []
    for concept, style, emoji_set in by_artist(held_out):
        for colour in COLOURS:
            picture = paint(Thing(concept, colour), style, emoji_set, rng)
            rows.append((f"{len(rows):02d}", picture, {"text": word(colour, style, rng), "colour": colour, "thing": concept}))
    return rows


def unseen_things():
    """A tenth of the other things, by a fixed seed: the judge that knows shoes is not trained on them."""
    names = sorted(set(catalog.concepts()) - catalog.held_out()["shoes"])
    return tuple(sorted(np.random.default_rng(14).permutation(names)[: len(names) // 10].tolist()))


def others(count, seed, side=SIDE):
    """Pictures of unseen things that are no shoes, on white in the shoes' colours and styles: rows as of `shoes`."""
    rng, names, rows = np.random.default_rng(seed), unseen_things(), []
    for number in range(count):
        concept, colour, style = (options[rng.integers(len(options))] for options in (names, COLOURS, STYLES_SHOWN))
        sets = catalog.artists_of(concept, STYLES[style].sets)
        picture = paint(Thing(concept, colour), style, sets[rng.integers(len(sets))], rng, side)
        rows.append((f"other-{number:02d}", picture, {"text": f"{colour} {concept}", "colour": colour, "thing": concept}))
    return rows


def teach(rng):
    """Endless pictures to learn from, with 1 for a shoe: shoes, other things, and what can be nothing at all, two to four to one."""
    seen = tuple(set(catalog.concepts()) - catalog.held_out()["shoes"] - set(unseen_things()))
    invent = Inventor(Mix(concepts=seen, two_things=0.1, nothing=0.02, flaw=0.1, held_out=True))
    colours, places = (None, *COLOURS), list(BACKGROUNDS)
    sets = {style: [s for s in kind.sets if s != HELD_OUT] for style, kind in STYLES.items() if style != "stencil"}
    while True:
        side, kind = int(rng.integers(56, 129)), rng.integers(7)
        colour, style = colours[rng.integers(len(colours))], list(sets)[rng.integers(len(sets))]
        background = "white" if rng.random() < 0.7 else places[rng.integers(len(places))]
        if kind < 2:
            found = [(c, s) for c in catalog.SHOES for s in sets[style] if catalog.artists_of(c, (s,))]
            concept, emoji_set = found[rng.integers(len(found))]
            picture = paint(Thing(concept, colour), style, emoji_set, rng, side, background)
        else:
            scene = invent(rng)
            if rng.random() < 0.6:
                scene = replace(scene, background="white", background_colour=None, things=tuple(
                    replace(thing, colour=colour) for thing in scene.things
                ))  # fmt: skip
            picture = spoilt.blot(rng, scene, side) if kind == 6 else draw(scene, rng, side)
        yield picture, float(kind < 2)


def collect(known, count, seed=1):
    """What there is to learn from: features (count, 256), and 1 for a shoe (count,)."""
    pictures, truth = zip(*itertools.islice(teach(np.random.default_rng(seed)), count), strict=True)
    return features(known, list(pictures)), torch.tensor(truth)


def train(x, y):
    """The layers that tell a shoe by its features, trained with dropout on both (Srivastava et al. 2014)."""
    torch.manual_seed(0)
    layers, mean, spread = make_layers(), x.mean(0), x.std(0) + 1e-3
    x = (x - mean) / spread
    optimizer = torch.optim.AdamW(layers.parameters(), 2e-3, weight_decay=1e-2)
    for step in range(STEPS):
        chosen = torch.randint(len(x), (256,))
        hidden = F.dropout(layers[:2](F.dropout(x[chosen], 0.3)), 0.5)
        loss = F.binary_cross_entropy_with_logits(layers[2](hidden)[:, 0], y[chosen])
        optimizer.zero_grad()
        loss.backward()
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 if step < 2 * STEPS // 3 else 4e-4
        optimizer.step()
    with torch.no_grad():  # so that the layers take the features as they are
        layers[0].weight /= spread
        layers[0].bias -= layers[0].weight @ mean
    return layers.requires_grad_(False)


def features(known, pictures):
    """The 256 features of PIL pictures, (n, 256)."""
    parts = [pictures[i : i + 64] for i in range(0, len(pictures), 64)]
    return torch.cat([judge.opinion(known, judge.to_tensor(part))["features"] for part in parts])


def main(count: Annotated[int, typer.Option(help="pictures for the judge to learn from")] = TEACHING):
    """Draw, train and validate; prints what the validation says and writes it beside the weights."""
    known = judge.shipped()
    attribution = (ASSETS / "drawings" / "ATTRIBUTION.md").read_text(encoding="utf-8")
    write_pictures(SHOES, shoes(held_out=False, seed=0))
    held_out = [*shoes(held_out=True, seed=1), *others(OTHERS, seed=2)]
    write_pictures(JUDGE / "held-out", held_out)
    for folder in (SHOES, JUDGE):
        text = attribution.replace("`sheet.png` holds 32×32 renderings", "The pictures hold 128×128 renderings")
        text = text.replace(
            "on white. The pocket model was trained on pictures composed of them.", "recoloured, on white; the cartoons filtered."
        )
        (folder / "ATTRIBUTION.md").write_text(text, encoding="utf-8")
    layers = train(*collect(known, count))
    save_file(layers.state_dict(), WEIGHTS)
    many = [*shoes(held_out=True, seed=3), *shoes(held_out=True, seed=4), *others(400, seed=5)]
    seen = (layers(features(known, [picture for _, picture, _ in many]))[:, 0] > 0).tolist()
    right = [yes for yes, (_, _, told) in zip(seen, many, strict=True) if told["thing"] in CASUAL]
    wrong = [yes for yes, (_, _, told) in zip(seen, many, strict=True) if told["thing"] not in CASUAL]
    told = {
        "judge": digest(judge.FOLDER / judge.WEIGHTS), "pictures": count,
        "held-out shoes": [sum(right), len(right)], "held-out other things taken for shoes": [sum(wrong), len(wrong)],
    }  # fmt: skip
    (JUDGE / "training.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    print(told)


if __name__ == "__main__":
    typer.run(main)

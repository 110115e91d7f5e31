"""The pocket world: a scene is a description, `draw` paints it, an `Inventor` invents one.

A scene holds one or two things, a style, a background and perhaps a flaw. It is drawn at any side from 32 pixels up; the same
scene and seed give the same picture. Vertical place of things is measured downwards, in fractions of the side.
"""

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from pocket.world import catalog
from pocket.world.backgrounds import PAINTERS
from pocket.world.filters import SPOILERS, STYLE_FILTERS
from pocket.world.words import COLOURED_BACKGROUNDS, COLOURS, STYLES


@dataclass(frozen=True)
class Thing:
    """One object of a scene: a concept of the catalogue, and what is said of it.

    A `place` "anywhere" is never said: a single thing is then drawn at any size, wherever there is room for it.
    """

    concept: str
    colour: str | None = None
    size: str | None = None
    place: str | None = None


@dataclass(frozen=True)
class Scene:
    """A picture in words: no, one or two things (two are joined by a relation), style, background, flaw."""

    things: tuple[Thing, ...]
    style: str
    background: str
    background_colour: str | None = None
    relation: str | None = None
    flaw: str | None = None


def tint(pixels, colour):
    """Recolour a sprite, uint8 (h, w, 4), keeping its light and shade: black → colour → white along its luminance."""
    light = pixels[..., :3] @ np.array([0.299, 0.587, 0.114])
    seen = pixels[..., 3] > 128
    light = np.clip(light + 0.7 * (128 - (light[seen].mean() if seen.any() else 128)), 0, 255).astype(np.uint8)
    return np.dstack([_ramp(colour)[light], pixels[..., 3]])


def _ramp(colour):
    middle, steps = np.asarray(COLOURS[colour], float), np.arange(256) / 255
    dark, bright = middle * 0.25, middle + (255 - middle) * (0.35 if colour == "black" else 0.75)
    return np.stack([np.interp(steps, [0, 0.5, 1], [d, m, b]) for d, m, b in zip(dark, middle, bright, strict=True)], -1).astype(np.uint8)


def paste(picture, thing, emoji_set, x, y, extent):
    """Put a thing's sprite on an RGBA picture, its longer side `extent`, centred at x, y (fractions of the side)."""
    pixels = catalog.sprite(thing.concept, emoji_set, extent * picture.width)
    if thing.colour:
        pixels = tint(pixels, thing.colour)
    side = picture.width
    scale = extent * side / max(pixels.shape[:2])
    width, height = max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale))
    sprite = Image.fromarray(pixels).resize((width, height), Image.BILINEAR, reducing_gap=2.0)
    layer = Image.new("RGBA", picture.size)
    layer.paste(sprite, (round(x * side - width / 2), round(y * side - height / 2)))
    picture.alpha_composite(layer)


def _spots(rng, scene):
    """Where each thing goes: a list of (x, y, extent), back to front in the order of `scene.things`."""

    def near(centre, spread=0.03):
        return centre + rng.uniform(-spread, spread)

    grow = {"small": 0.5, "large": 1.18, None: 1.0}
    if len(scene.things) == 1:
        thing = scene.things[0]
        if thing.place == "anywhere":
            extent = rng.uniform(0.4, 0.85)
            return [(*(near(0.5, (1 - extent) / 2) for _ in "xy"), extent)]
        extent = rng.uniform(0.66, 0.8) * grow[thing.size]
        room = (1 - extent) / 2
        x, y = {"left": (-1, 0), "right": (1, 0), "top": (0, -1), "bottom": (0, 1), "centre": (0, 0), None: (0, 0.3)}[thing.place]
        if thing.place in ("left", "right", "top", "bottom") and thing.size != "small":
            extent, room = extent * 0.8, (1 - extent * 0.8) / 2
        wander = 0.03 if thing.place else room * 0.6
        return [(near(0.5 + x * room, wander), near(0.5 + y * room, wander * 0.7), extent)]
    one, two = (grow[t.size] for t in scene.things)
    match scene.relation:
        case "next to":
            return [(near(0.28), near(0.56), 0.47 * one), (near(0.73), near(0.56), 0.47 * two)]
        case "on top of":
            return [(near(0.5), near(0.27, 0.02), 0.42 * one), (near(0.5), near(0.72, 0.02), 0.5 * two)]
        case "riding":
            return [(near(0.48), near(0.31, 0.02), 0.44 * one), (near(0.5), near(0.64, 0.02), 0.62 * two)]
        case "holding":
            return [(near(0.44), near(0.52), 0.72 * one), (near(0.79), near(0.62), 0.34 * two)]
        case "wearing":
            return [(near(0.5), near(0.58, 0.02), 0.7 * one), None]
    raise ValueError(f"relation {scene.relation!r} is not one of wearing, riding, next to, on top of, holding: use one of these")


def draw(scene, seed, side=128, grain=1):
    """Paint a scene.

    Args:
        scene: what to paint.
        seed: an int or a numpy Generator; decides everything the scene leaves open.
        side: width and height in pixels.
        grain: how many pixels wide the finest stroke of a style is: with 2, the picture is what is painted at half the side, sharper.

    Returns:
        A PIL RGB picture of side × side.
    """
    return draw_apart(scene, seed, side, grain)[0]


def draw_apart(scene, seed, side=128, grain=1):
    """The picture of `draw`, and its things alone, before any filter: PIL pictures, RGB and RGBA."""
    rng = np.random.default_rng(seed)
    style = STYLES[scene.style]
    colour = COLOURS[scene.background_colour] if scene.background_colour else (128, 128, 128)
    picture = PAINTERS[scene.background](rng, side, colour, **({"grain": grain} if scene.background == "rain" else {}))
    if scene.style == "stencil":  # print the background in pale tones first, or dark ink would drown in a dark sky
        if scene.background not in ("white", *COLOURED_BACKGROUNDS):
            picture = STYLE_FILTERS["stencil"](rng, picture, grain)
        picture = Image.blend(picture, Image.new("RGB", picture.size, (255, 255, 255)), 0.5)
    things = Image.new("RGBA", picture.size)
    if scene.things:
        common = [s for s in style.sets if all(catalog.artists_of(t.concept, (s,)) for t in scene.things)]
        emoji_set = common[rng.integers(len(common))]
        spots = _spots(rng, scene)
        order = range(len(scene.things)) if scene.relation != "riding" else (1, 0)
        for index in order:
            if spots[index] is None:
                x, y, extent = spots[0]
                height = _height(scene.things[0], emoji_set, extent)
                if catalog.WORN[scene.things[1].concept] == "head":
                    paste(things, scene.things[1], emoji_set, x, y - height * 0.5, extent * rng.uniform(0.48, 0.56))
                else:
                    paste(things, scene.things[1], emoji_set, x, y - height * 0.12, extent * rng.uniform(0.52, 0.62))
            else:
                paste(things, scene.things[index], emoji_set, *spots[index])
    picture.paste(things, mask=things)
    if style.filter and scene.style != "stencil":
        picture = STYLE_FILTERS[style.filter](rng, picture, grain)
    return SPOILERS[scene.flaw](rng, picture) if scene.flaw else picture, things


def _height(thing, emoji_set, extent):
    height, width = catalog.sprite(thing.concept, emoji_set).shape[:2]
    return extent * height / max(width, height)


@dataclass(frozen=True)
class Mix:
    """How often a random scene has what: shares between 0 and 1. `concepts` narrows the world; empty means all of it.

    With `held_out`, scenes may show pairs of things, and things in styles, that are kept from the model's training.
    """

    concepts: tuple[str, ...] = ()
    two_things: float = 0.3
    colour: float = 0.25
    sized: float = 0.1
    placed: float = 0.1
    nothing: float = 0.04
    flaw: float = 0.12
    held_out: bool = False


def held_out_kind(scene):
    """What of a scene is kept from the model's training: "pair" (these two things), "style" (a thing in this style), or None."""
    held, names = catalog.held_out(), [t.concept for t in scene.things]
    if frozenset(names) in held["pairs"]:
        return "pair"
    return "style" if any((name, scene.style) in held["styles"] for name in names) else None


class Inventor:
    """Invents scenes of a `Mix`."""

    def __init__(self, mix=None):
        self.mix, shoes = mix or Mix(), catalog.held_out()["shoes"]
        self.names = [n for n in (self.mix.concepts or catalog.concepts()) if n not in shoes]
        known = set(self.names)
        of = {n: catalog.concepts()[n]["group"] for n in self.names}
        self.actors = [n for n in self.names if of[n] in catalog.ACTORS]
        self.seconds = {
            "wearing": [n for n in catalog.WORN if n in known],
            "riding": [n for n in catalog.MOUNTS if n in known],
            "holding": [n for n in catalog.HELD if n in known],
            "next to": self.names,
            "on top of": self.names,
        }
        self.solids = [n for n in self.names if of[n] == "solid"]

    def __call__(self, rng):
        """One random scene. `rng` is a numpy Generator."""
        while True:
            scene = self._invent(rng)
            if self.mix.held_out or not held_out_kind(scene):
                return scene

    def _invent(self, rng):
        mix = self.mix

        def pick(options):
            return options[rng.integers(len(options))]

        background, style = pick(list(PAINTERS)), pick(list(STYLES))
        colourful = style != "pencil sketch"  # a caption must not promise what a grey picture cannot show

        def thing(name, plain=False):
            colour = pick(list(COLOURS)) if colourful and rng.random() < (0.85 if name in self.solids else mix.colour) else None
            size = pick(["small", "large"]) if rng.random() < mix.sized and not plain else None
            place = pick(["left", "right", "top", "bottom", "centre"]) if rng.random() < mix.placed and not plain else None
            return Thing(name, colour, size, place)

        scene = Scene(
            things=(),
            style=style,
            background=background,
            background_colour=pick([c for c in COLOURS if c != "white"]) if background in COLOURED_BACKGROUNDS else None,
            flaw=pick(list(SPOILERS)) if rng.random() < mix.flaw else None,
        )
        if rng.random() < mix.nothing and background not in ("white", "plain", "gradient"):
            return scene
        if rng.random() >= mix.two_things:
            return replace(scene, things=(thing(pick(self.names)),))
        relation = pick([r for r, seconds in self.seconds.items() if seconds and (self.actors or r in ("next to", "on top of"))])
        firsts = self.names if relation in ("next to", "on top of") else self.actors
        if relation in ("next to", "on top of") and self.solids and rng.random() < 0.15:
            first, second = pick(self.solids), pick(self.solids)
        else:
            first, second = pick(firsts), pick(self.seconds[relation])
        if first == second:
            return replace(scene, things=(thing(first),))
        return replace(scene, relation=relation, things=(thing(first, plain=True), thing(second, plain=True)))

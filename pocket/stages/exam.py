"""What the strict judge learns from: pictures with what a person recognises in them.

Most are true pictures, also small, soft or painted over by the shipped model, in which everything is still seen. The others show nothing
that could be recognised, or only one of two things. A picture whose style or background cannot be told is not asked for it.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from PIL import Image, ImageEnhance, ImageFilter

from pocket.ruler.first_judge import mix_for_judge
from pocket.stages.looked_at import read_looked_at
from pocket.stages.weak_samples import REPAINTED, SOURCES, scenes_of
from pocket.world import spoilt
from pocket.world.scene import Inventor, Scene, Thing, draw, draw_apart
from sdlab.study.judge import HEADS, NONE, NOT_ASKED, SIDE

NONE_SHARE = 0.35  # of all pictures
KINDS = {  # how a picture with nothing to recognise is made → share of them
    "warped": 0.12, "shuffled": 0.06, "blurred": 0.04, "blend": 0.08, "blot": 0.08, "empty place": 0.05, "weak sample": 0.57,
}  # fmt: skip
LOOKED_AT = 0.05  # the share of labelled pictures, as many with something missing as without; with a fifth it knows them by heart
ONE_LOST, PAINTED_OVER = 0.25, 0.2  # shares: of scenes of two things side by side, one is spoilt; of true pictures, the model's version
LOOKED = "looked at"
SMALL = 0.4  # the share that is drawn at 64 pixels and enlarged, as a model's pictures are
ANYWHERE = 0.35  # the share of single things that stand anywhere, at any size
ENLARGED = (Image.BICUBIC, Image.BICUBIC, Image.LANCZOS, Image.BILINEAR)


@dataclass(frozen=True)
class Shown:
    """A scene, and what a person recognises of it.

    Args:
        scene: what was drawn.
        kind: "true", "repainted", "one lost", "looked at", or one of `KINDS`.
        lost: the number of the thing that is spoilt, of "one lost".
        seen: of each thing, whether a person recognised it, of "looked at".
        source: of a weak sample.
        number: of a picture in the pool.
    """

    scene: Scene
    kind: str = "true"
    lost: int | None = None
    source: str | None = None
    number: int = 0
    seen: tuple[bool, ...] = ()

    @property
    def answers(self):
        """What the judge should see: names of things, and `NONE`."""
        names = [thing.concept for thing in self.scene.things]
        lost = {i for i, seen in enumerate(self.seen) if not seen} | {self.lost}
        if self.kind in KINDS or lost.issuperset(range(len(names))):
            return (NONE,)
        return tuple(NONE if i in lost else name for i, name in enumerate(names))


class Examiner:
    """Invents and paints what the judge is asked.

    Args:
        config: the recipe.
        pool: pictures of `pocket.stages.weak_samples.load_pool`, or None to do without.
        none_share: how many show nothing.
    """

    def __init__(self, config, pool=None, none_share=NONE_SHARE):
        self.invent_scene, self.pool, self.none_share = Inventor(mix_for_judge(config.mix)), pool, none_share
        self.looked_at, self.drawn = read_looked_at()
        asked = [i for i, one in enumerate(self.looked_at) if set(one.things) <= set(self.invent_scene.names)]
        self.whole, self.lacking = ([i for i in asked if all(self.looked_at[i].seen) == whole] for whole in (True, False))
        self.scenes = {kind: scenes_of(config, kind, len(pictures)) for kind, pictures in (pool or {}).items()}
        shares = {kind: share for kind, share in KINDS.items() if pool or kind != "weak sample"}
        self.kinds, self.shares = list(shares), np.array(list(shares.values())) / sum(shares.values())

    def invent(self, rng):
        """One random `Shown`. `rng` is a numpy Generator."""
        if self.pool and rng.random() < LOOKED_AT:
            number = int(rng.choice(self.whole if rng.random() < 0.5 else self.lacking))
            one = self.looked_at[number]
            return Shown(Scene(tuple(map(Thing, one.things)), None, None), LOOKED, number=number, seen=one.seen)
        scene = self.invent_scene(rng)
        if rng.random() < self.none_share:
            kind = self.kinds[rng.choice(len(self.kinds), p=self.shares)]
            if kind == "weak sample":
                source = list(SOURCES)[rng.choice(len(SOURCES), p=[source.share for source in SOURCES.values()])]
                number = int(rng.integers(len(self.pool[source])))
                return Shown(self.scenes[source][number], kind, source=source, number=number)
            return Shown(replace(scene, things=()) if kind == "empty place" else scene, kind)
        if self.pool and rng.random() < PAINTED_OVER:
            number = int(rng.integers(len(self.pool[REPAINTED])))
            return Shown(self.scenes[REPAINTED][number], REPAINTED, number=number)
        if scene.relation in ("next to", "on top of") and rng.random() < ONE_LOST:
            return Shown(scene, "one lost", lost=int(rng.integers(2)))
        if len(scene.things) == 1 and rng.random() < ANYWHERE:
            scene = replace(scene, things=(replace(scene.things[0], place="anywhere"),))
        return Shown(scene)

    def paint(self, shown, rng, side=SIDE):
        """The picture of a `Shown`, uint8 (side, side, 3)."""
        if shown.kind == LOOKED:
            picture = Image.fromarray(self.drawn[shown.number])
        elif shown.kind in ("weak sample", REPAINTED):
            picture = Image.fromarray(self.pool[shown.source or REPAINTED][shown.number])
        else:
            picture = _draw(shown, rng, side // 2 if rng.random() < SMALL else side, self.invent_scene)
        return np.asarray(weather(rng, _enlarge(rng, picture, side)))


def _enlarge(rng, picture, side):
    return picture if picture.width == side else picture.resize((side, side), ENLARGED[rng.integers(len(ENLARGED))])


def _draw(shown, rng, side, invent_scene):
    match shown.kind:
        case "true" | "empty place":
            return draw(shown.scene, rng, side)
        case "blot":
            return spoilt.blot(rng, shown.scene, side)
        case "blurred":
            return spoilt.blur(rng, draw(shown.scene, rng, side))
        case "blend":
            other = replace(invent_scene(rng), background=shown.scene.background, background_colour=shown.scene.background_colour)
            one, two = draw(shown.scene, rng, side), draw(other, rng, side)
            whole = np.ones((side, side), np.float32)
            return Image.blend(spoilt.warp(rng, one, 0.35 * whole), spoilt.warp(rng, two, 0.35 * whole), rng.uniform(0.4, 0.6))
    picture, things = draw_apart(shown.scene, rng, side)
    mask = np.asarray(things.getchannel("A")) > 8
    if shown.kind == "one lost":
        down = shown.scene.relation == "on top of"
        mask = _half(mask, shown.lost, down)
    if shown.kind == "shuffled":
        return spoilt.shuffle(rng, picture, things.getbbox() or (0, 0, side, side))
    return spoilt.warp(rng, picture, spoilt.soften(mask, side))


def _half(mask, which, down):
    """The part of a mask before or behind the middle, where things stand side by side or one on the other."""
    part, mid = mask.copy(), len(mask) // 2
    if down:
        part[(slice(mid, None) if which == 0 else slice(None, mid)), :] = False
    else:
        part[:, (slice(mid, None) if which == 0 else slice(None, mid))] = False
    return part


def weather(rng, picture):
    """A picture in which everything is still seen: moved a little, mirrored, softer or sharper, lighter or darker, paler or stronger."""
    side = picture.width
    if rng.random() < 0.5:
        picture = picture.transpose(Image.FLIP_LEFT_RIGHT)
    if rng.random() < 0.3:
        edge = side * rng.uniform(0, 0.05, 4)
        picture = picture.resize((side, side), Image.BILINEAR, box=(edge[0], edge[1], side - edge[2], side - edge[3]))
    if rng.random() < 0.25:
        picture = picture.filter(ImageFilter.GaussianBlur(side * rng.uniform(0.002, 0.011)))
    elif rng.random() < 0.2:
        picture = ImageEnhance.Sharpness(picture).enhance(rng.uniform(1, 2.5))
    if rng.random() < 0.4:
        for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
            picture = enhance(picture).enhance(rng.uniform(0.85, 1.2))
    return picture


def labels(classes, exam):
    """The right answers for a list of `Shown`, as `sdlab.study.judge.Judge` takes them."""
    numbers = {head: {name: i for i, name in enumerate(names)} for head, names in classes.items()}
    shares = torch.zeros(len(exam), len(classes["object"]))
    for row, shown in zip(shares, exam, strict=True):
        for name in shown.answers:
            row[numbers["object"][name]] += 1 / len(shown.answers)
    return {"object": shares} | {
        head: torch.tensor([numbers[head].get(_truth(shown, head), NOT_ASKED) for shown in exam]) for head in HEADS[1:]
    }


def _truth(shown, head):
    """What of a picture's style, background or colour is sure to be true, or None."""
    told = {  # of pictures with nothing to recognise
        "warped": ("style", "background"), "shuffled": ("style",), "blurred": ("background",), "blend": ("background",),
        "blot": ("style", "background"), "empty place": ("style", "background"), "weak sample": (),
        LOOKED: (),
    }  # fmt: skip
    if head not in told.get(shown.kind, HEADS):
        return None
    if head == "colour":
        return None if shown.lost == 0 else shown.scene.things[0].colour
    return getattr(shown.scene, head)

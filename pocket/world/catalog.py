"""The catalogue: every concept with its names and sprites, and what is held out of training.

`python -m pocket.world.catalog` draws the held-out lists anew and writes `pocket/data/held_out.json`.
"""

import io
import json
import random
import zipfile
from functools import cache, lru_cache
from itertools import combinations
from pathlib import Path

import numpy as np
from PIL import Image

from pocket.world.words import STYLES

DATA = Path(__file__).parent.parent / "data"
PACK, LARGE_PACK, HELD_OUT = DATA / "sprites.zip", DATA / "sprites-256.zip", DATA / "held_out.json"
SMALL_SPRITE = 128  # pixels; the longest side of the sprites of all concepts
# Everyday shoes, kept for the LoRA lesson: the base model has never seen one.
SHOES = ["dress shoe", "running shoe", "hiking boot", "flat shoe", "high-heeled shoe", "sandal", "thong sandal", "ballet shoes", "boot"]

WORN = {  # accessory → where it sits
    "crown": "head", "top hat": "head", "sun hat": "head", "cap": "head", "graduation cap": "head", "military helmet": "head",
    "rescue helmet": "head", "glasses": "eyes", "sunglasses": "eyes", "goggles": "eyes",
}  # fmt: skip
MOUNTS = (
    "horse", "unicorn", "camel", "elephant", "dragon", "bicycle", "motorcycle", "motor scooter", "skateboard", "cow", "pig", "bear",
    "lion", "tiger", "turtle", "whale", "rocket", "tractor", "sled", "llama", "zebra", "deer", "donkey", "kick scooter", "dinosaur",
)  # fmt: skip
HELD = (
    "magic wand", "sparkles", "guitar", "candle", "rose", "balloon", "umbrella", "trophy", "books", "apple", "pizza", "ice cream",
    "fire", "key", "hammer", "axe", "shield", "telescope", "lollipop", "gift", "tulip", "crystal ball", "light bulb", "star", "violin",
)  # fmt: skip
ACTORS = (  # groups that can wear, ride and hold
    "person", "animal-mammal", "animal-bird", "animal-amphibian", "animal-reptile", "face-costume",
)  # fmt: skip


@cache
def _pack(path=PACK):
    # Its bytes in memory, 8 MB: an open file would share its position with every process forked from this one, and their reads would
    # fall into each other's.
    return zipfile.ZipFile(io.BytesIO(path.read_bytes()))


@cache
def concepts():
    """All concepts by name: `{"lion": {"name", "slug", "group", "tags", "pt", "pt_tags"}, …}`."""
    return {entry["name"]: entry for entry in json.loads(_pack().read("index.json"))}


@cache
def _files(path=PACK):
    return frozenset(_pack(path).namelist())


@cache
def artists_of(name, sets):
    """Which of the emoji `sets` draw the concept `name`."""
    return tuple(s for s in sets if f"{s}/{concepts()[name]['slug']}.webp" in _files())


def sprite(name, emoji_set, length=SMALL_SPRITE):
    """The sprite of a concept in a set, cropped to what is visible: uint8 array (h, w, 4).

    Its height and width are at most 128; where it is to be drawn longer than that, in pixels, and the large pack holds it, at most 256.
    """
    file = f"{emoji_set}/{concepts()[name]['slug']}.webp"
    return _sprite(file, length > SMALL_SPRITE and file in _files(LARGE_PACK))


@lru_cache(maxsize=4096)
def _sprite(file, large):
    pack = _pack(LARGE_PACK if large else PACK)
    picture = Image.open(io.BytesIO(pack.read(file))).convert("RGBA")
    return np.asarray(picture.crop(picture.getchannel("A").point(lambda a: 255 * (a > 8)).getbbox()))


@cache
def synonyms(name):
    """Other nouns for a concept, the plain name first: hand-checked ones, and emojibase keywords that shorten the name."""
    taken = concepts()  # a synonym must not be another concept's name, nor its plural: "mountains" are not a sunrise over them
    short = (t for t in taken[name]["tags"] if len(t) >= 3 and not {t, t.removesuffix("s")} & taken.keys() and _keyword_owners()[t] == 1)
    short = (t for t in short if name.endswith(t) or (" " not in name and name.startswith(t)))
    return tuple(dict.fromkeys((name, *short, *_TRUSTED.get(name, ()))))


_TRUSTED = {  # hand-checked: keywords in emojibase are associations, not always synonyms
    "wizard": ("mage", "sorcerer"), "car": ("automobile",), "ladybug": ("lady beetle",), "rabbit": ("bunny",), "dinosaur": ("t-rex",),
    "hamburger": ("burger",), "doughnut": ("donut",), "santa": ("santa claus",), "bicycle": ("bike",), "police car": ("cop car",),
    "teddy bear": ("plush bear",), "jack-o-lantern": ("halloween pumpkin",), "ufo": ("flying saucer",), "sphere": ("ball",),
    "cube": ("box",), "sailboat": ("sailing boat",), "chef": ("cook",), "motorcycle": ("motorbike",), "airplane": ("plane", "aeroplane"),
    "rock": ("stone", "boulder"), "coffee": ("cup of coffee",), "snowman": ("snow man",), "fire engine": ("fire truck",),
    "wine glass": ("glass of wine",), "sofa": ("couch",), "television": ("tv",), "city skyline": ("skyline",),
    "tropical fish": ("colorful fish",), "gift": ("present",), "baby chick": ("chick",), "tree": ("leafy tree",), "robot": ("android",),
}  # fmt: skip


@cache
def _keyword_owners():
    counts = {}
    for entry in concepts().values():
        for tag in entry["tags"]:
            counts[tag] = counts.get(tag, 0) + 1
    return counts


@cache
def held_out():
    """What training never sees: `{"shoes": [names], "styles": {(object, style)}, "pairs": {frozenset of two objects}}`."""
    stored = json.loads(HELD_OUT.read_text(encoding="utf-8"))
    return {
        "shoes": frozenset(stored["shoes"]),
        "styles": frozenset((name, style) for style, names in stored["styles"].items() for name in names),
        "pairs": frozenset(frozenset((a, b)) for a, partners in stored["pairs"].items() for b in partners),
    }


def main():
    """Hold out the shoes, 5% of object × style and 5% of object × object pairs, chosen by a fixed seed."""
    rng, names = random.Random(2026), list(concepts())
    styles = {style: sorted(rng.sample(names, len(names) // 20)) for style in STYLES}
    every = list(combinations(names, 2))
    pairs = {}
    for a, b in sorted(rng.sample(every, len(every) // 20)):
        pairs.setdefault(a, []).append(b)
    HELD_OUT.write_text(json.dumps({"shoes": SHOES, "styles": styles, "pairs": pairs}, indent=0, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main()

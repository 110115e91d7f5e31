"""Captions: `say` puts a scene into words, differently every time; `read` finds the scene in a caption.

`say` varies article, order, synonyms, and what it leaves unsaid, so that a prompt needs no fixed template. `read` is a
longest-phrase matcher over the same vocabulary; words it does not know are passed over, as a good model passes over them.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from types import ModuleType

import numpy as np

from pocket.world import catalog, portuguese, words
from pocket.world.scene import Inventor, Scene, Thing, draw
from pocket.world.words import (
    BACKGROUNDS,
    COLOURED_BACKGROUNDS,
    COLOURS,
    FILLERS,
    FINE,
    FLOURISHES,
    OPENERS,
    PLACES,
    PLACES_ALONE,
    POOR,
    QUALITIES,
    RELATIONS,
    SIZES,
    STYLES,
)

UNSAID = 0.12  # share of captions that leave the style unsaid, and likewise the background


def _pick(rng, options):
    return options[rng.integers(len(options))]


def _indefinite(words):
    """The article that English puts before the words: "an owl", "a unicorn", "an 8-bit pixel art"."""
    return "an" if words[0] in "aeiou8" and not words.startswith(("uni", "ufo")) else "a"


def plural(name):
    """Whether an English noun is one of many: glasses and skis, not glass, bus or tennis."""
    head = re.split(" of | with | over ", name)[0]
    return head == "skis" or (head.endswith("s") and not head.endswith(("ss", "us", "is")))


def _article(rng, words, several=False):
    choice = rng.random()
    if choice < 0.2 or (several and choice >= 0.27):
        return words
    return f"the {words}" if choice < 0.27 else f"{_indefinite(words)} {words}"


def _name(thing, rng):
    names = catalog.synonyms(thing.concept)
    name = names[0] if rng.random() < 0.7 else _pick(rng, names)
    words = [name]
    if thing.colour:
        words.insert(0, thing.colour)
    if thing.size:
        words.insert(0, _pick(rng, SIZES[thing.size]))
    if rng.random() < 0.15:
        words.insert(0, _pick(rng, FILLERS))
    return _article(rng, " ".join(words), plural(name))


def _plain(thing):
    """A thing in the fewest words: "a lion", "an orange car", "glasses"."""
    words = f"{thing.colour} {thing.concept}" if thing.colour else thing.concept
    return words if plural(thing.concept) else f"{_indefinite(words)} {words}"


def _alone_in_english(background, rng):
    """A place with nothing in it, with its article or without."""
    words = _pick(rng, PLACES_ALONE[background])
    return re.sub("^(an?|the) ", "", words) if rng.random() < 0.27 else words


@dataclass(frozen=True)
class Language:
    """What `say` needs of a language: how it names a thing, a place without things, "of", and its vocabulary."""

    noun: Callable  # (thing, rng) → words
    plain: Callable  # (thing) → the fewest words
    alone: Callable  # (background, rng) → words
    painted: Callable  # (style, rng) → words before "of"
    of: str
    styles: dict
    colours: dict
    words: ModuleType
    finish: Callable = str  # of the whole caption


LANGUAGES = {
    "en": Language(
        noun=_name, plain=_plain, alone=_alone_in_english, painted=lambda style, rng: _article(rng, style), of="of",
        styles={key: style.words for key, style in STYLES.items()}, colours={c: c for c in COLOURS}, words=words,
        finish=lambda caption: re.sub(r"\ba (?=orange)", "an ", caption),
    ),
    "pt": Language(
        noun=portuguese.noun, plain=portuguese.plain,
        alone=lambda background, rng: _pick(rng, portuguese.PLACES_ALONE[background]),
        painted=lambda style, rng: style, of="de", styles=portuguese.STYLES, colours=portuguese.COLOURS, words=portuguese,
        finish=portuguese.contract,
    ),
}  # fmt: skip


def say(scene, rng, language="en"):
    """A caption for a scene, in English or Portuguese ("pt"); `rng` is a numpy Generator. Each call words the same scene differently."""
    tongue = LANGUAGES[language]
    known, styles = tongue.words, tongue.styles[scene.style]
    style = None if rng.random() < UNSAID else _pick(rng, styles) if rng.random() < 0.5 else styles[0]
    if scene.things:
        subject = tongue.noun(scene.things[0], rng)
        if len(scene.things) == 2:
            subject += f" {_pick(rng, known.RELATIONS[scene.relation])} {tongue.noun(scene.things[1], rng)}"
        where = _pick(rng, known.BACKGROUNDS[scene.background]).format(c=tongue.colours.get(scene.background_colour))
        where = "" if rng.random() < UNSAID else where
        place = scene.things[0].place if len(scene.things) == 1 else None
        place = f" {_pick(rng, known.PLACES[place])}" if place else ""
    else:
        subject, where, place = tongue.alone(scene.background, rng), "", ""

    form = rng.random()
    comma_where = f", {where}" if where and rng.random() < 0.3 else (f" {where}" if where else "")
    if style is None:
        caption = f"{_pick(rng, known.OPENERS)}{subject}{place}{comma_where}"
    elif form < 0.62:
        caption = f"{_pick(rng, known.OPENERS)}{subject}{place}{comma_where}, {style}"
    elif form < 0.82:
        caption = f"{tongue.painted(style, rng)} {tongue.of} {subject}{place}{comma_where}"
    else:
        caption = f"{style}, {subject}{place}{comma_where}"

    if rng.random() < 0.12:
        caption += f", {_pick(rng, known.FLOURISHES)}"
    if scene.flaw:
        words = [_pick(rng, known.QUALITIES[scene.flaw])] + ([_pick(rng, known.POOR)] if rng.random() < 0.6 else [])
        words = words[::-1] if rng.random() < 0.5 else words
        caption = f"{', '.join(words)}, {caption}" if rng.random() < 0.3 else f"{caption}, {', '.join(words)}"
    elif rng.random() < 0.4:
        caption += "".join(f", {_pick(rng, known.FINE)}" for _ in range(rng.integers(1, 3)))
    return tongue.finish(caption)


def say_plainly(scene, language="en"):
    """The one caption that says all that a scene of one or two things holds, in the plainest words."""
    tongue = LANGUAGES[language]
    subject = f" {tongue.words.RELATIONS.get(scene.relation, [''])[0]} ".join(map(tongue.plain, scene.things))
    where = tongue.words.BACKGROUNDS[scene.background][0].format(c=tongue.colours.get(scene.background_colour))
    return tongue.finish(f"{subject} {where}, {tongue.styles[scene.style][0]}")


@cache
def _lexicon():
    """All phrases the world knows → what they mean: `{"kind": {phrase: key}}`."""
    lexicon = {
        "style": {word: key for key, style in STYLES.items() for word in style.words},
        "flaw": {word: key for key, words in QUALITIES.items() for word in words},
        "relation": {word: key for key, words in RELATIONS.items() for word in words if word != "with"},
        "size": {word: key for key, words in SIZES.items() for word in words},
        "place": {word: key for key, words in PLACES.items() for word in words},
        "colour": {colour: colour for colour in COLOURS},
        "concept": {},
        "background": {},
    }
    for name in catalog.concepts():
        for word in catalog.synonyms(name):
            lexicon["concept"].setdefault(word, name)
            lexicon["concept"].setdefault(f"{word}s", name)
    for key, phrases in BACKGROUNDS.items():
        for phrase in phrases:
            for colour in COLOURS if key in COLOURED_BACKGROUNDS else [None]:
                lexicon["background"].setdefault(phrase.format(c=colour), (key, colour))
    for key, phrases in PLACES_ALONE.items():
        for phrase in phrases:  # without the article, or "a beach" would hide "beach with umbrella"
            lexicon["background"].setdefault(re.sub("^(an?|the) ", "", phrase), (key, None))
    lexicon["filler"] = {word.strip(): None for word in (*OPENERS, *FLOURISHES, *FILLERS, *FINE, *POOR) if word}
    lexicon["background"] |= {"rainy": ("rain", None), "city at night with neon lights": ("city", None)}
    return lexicon


@cache
def _pattern():
    phrases = {phrase: kind for kind, entries in _lexicon().items() for phrase in entries}
    longest_first = sorted(phrases, key=len, reverse=True)
    return re.compile(r"(?<![\w-])(" + "|".join(map(re.escape, longest_first)) + r")(?![\w-])")


# What a phrase may be, most telling first: "sketch" is a style before it is anything else.
_KINDS = ("style", "background", "flaw", "filler", "concept", "relation", "place", "size", "colour")


def read(caption, rng):
    """The scene a caption describes; what it leaves open is drawn from `rng`, a numpy Generator.

    Raises:
        ValueError: the caption names no object and no place of the world.
    """
    lexicon, found = _lexicon(), {"concept": [], "relation": [], "background": [], "style": [], "flaw": [], "place": []}
    colour = size = either = None
    for match in _pattern().finditer(caption.lower()):
        phrase = match[0]
        kind = next(k for k in _KINDS if phrase in lexicon[k])
        value = lexicon[kind][phrase]
        if kind == "filler":
            continue
        if kind == "colour":
            colour = value
        elif kind == "size":
            size = value
        elif kind == "concept":
            found["concept"].append(Thing(value, colour, size))
            colour = size = None
        else:
            found[kind].append(value)
            if kind == "background" and phrase in lexicon["concept"]:
                either = value, Thing(lexicon["concept"][phrase], colour, size)
    if either and not found["concept"] and len(found["background"]) > 1:  # "a sunset on the beach": the sunset is the thing
        found["background"].remove(either[0])
        found["concept"].append(either[1])
    if not found["concept"] and not found["background"]:
        raise ValueError(f"{caption!r} names no object and no place of the pocket world: name one, such as a lion or a beach")
    things = tuple(found["concept"][:2])
    if len(things) == 1 and found["place"]:
        things = (Thing(things[0].concept, things[0].colour, things[0].size, found["place"][0]),)
    relation = None
    if len(things) == 2:
        relation = found["relation"][0] if found["relation"] else "next to"
        if relation == "wearing" and things[1].concept not in catalog.WORN:
            relation = "holding"
    guess = Inventor()(rng)
    background, background_colour = found["background"][0] if found["background"] else (guess.background, guess.background_colour)
    return Scene(
        things=things,
        style=found["style"][0] if found["style"] else guess.style,
        background=background,
        background_colour=background_colour,
        relation=relation,
        flaw=found["flaw"][0] if found["flaw"] else None,
    )


def paint(caption, seed=0, side=128):
    """The true picture for a caption: read it, fill in what it leaves open by `seed`, draw it.

    Args:
        caption: a prompt in the words of the world, such as "a lion wearing a crown, watercolor, on the beach".
        seed: decides pose, shades, and whatever the caption does not say.
        side: width and height in pixels.

    Raises:
        ValueError: the caption names nothing the world knows.
    """
    rng = np.random.default_rng(seed)
    return draw(read(caption, rng), rng, side)

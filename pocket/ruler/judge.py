"""The ruler: what the strict judge of `sdlab.study.judge` says of pictures that were drawn for scenes.

All models of a configuration are measured with the same judge: the shipped one, if it knows the configuration's things.
"""

from pathlib import Path

from pocket.world.scene import Inventor
from sdlab.study import judge as judging
from sdlab.study.judge import FOLDER, NONE, WEIGHTS, Asked, load_judge, opinion

__all__ = ["accuracy", "ask", "find_folder", "hits", "load", "opinion"]


def ask(pairs):
    """Prompts and their scenes, as `sdlab` knows them: a list of `Asked`."""
    return [Asked(text, tuple(t.concept for t in s.things), s.style, s.background, s.things[0].colour) for text, s in pairs]


def hits(judge, found, scenes):
    """Right or wrong for each question and picture, from an `opinion` of pictures drawn for scenes: `{head: (n,)}`, 1 and 0."""
    return judging.hits(found, ask([("", scene) for scene in scenes]), judge.classes)


def accuracy(judge, found, scenes):
    """The share of `hits` for each question; without the colour where none was asked for."""
    return {head: right.mean().item() for head, right in hits(judge, found, scenes).items() if len(right)}


def find_folder(config, folder):
    """The folder of a configuration's judge: the one trained in `folder`, else the shipped one if it knows the same things, else None."""
    known = {*Inventor(config.mix).names, NONE}
    for place in (Path(folder) / "strict_judge" / "judge", FOLDER):
        if (place / WEIGHTS).exists() and {*load_judge(place).classes["object"]} == known:
            return place
    return None


def load(config, folder):
    """The judge in `find_folder`, or None."""
    place = find_folder(config, folder)
    return load_judge(place) if place else None

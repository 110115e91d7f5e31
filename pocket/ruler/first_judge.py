"""The first judge: a small ResNet that names object, style, background and colour in a picture. `python -m pocket.stages.judge` trains it.

It is trained on true pictures of 64 pixels only, so that it finds a thing in every blot. The strict judge, which measures the models,
begins as this one.
"""

from dataclasses import replace

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from transformers import ResNetConfig, ResNetModel

from pocket.world.scene import Inventor
from pocket.world.words import BACKGROUNDS, COLOURS, STYLES

HEADS = ("object", "style", "background", "colour")
NOT_ASKED = -100  # what cross-entropy passes over


def classes(config):
    """What each head can answer: `{head: [names]}`."""
    return {"object": Inventor(config.mix).names, "style": list(STYLES), "background": list(BACKGROUNDS), "colour": list(COLOURS)}


def labels(config, scenes):
    """The right answers for scenes, `{head: tensor}`: the object's as shares (B, objects), half and half where there are two things;
    the others' as class numbers (B,), the colour's `NOT_ASKED` where the first thing has its own colour.
    """
    numbers = {head: {name: i for i, name in enumerate(names)} for head, names in classes(config).items()}
    shares = torch.zeros(len(scenes), len(numbers["object"]))
    for row, scene in zip(shares, scenes, strict=True):
        for thing in scene.things:
            row[numbers["object"][thing.concept]] += 1 / len(scene.things)
    return {
        "object": shares,
        "style": torch.tensor([numbers["style"][s.style] for s in scenes]),
        "background": torch.tensor([numbers["background"][s.background] for s in scenes]),
        "colour": torch.tensor([numbers["colour"].get(s.things[0].colour, NOT_ASKED) for s in scenes]),
    }


class Judge(torch.nn.Module):
    """A ResNet trunk with one linear head a question."""

    def __init__(self, config):
        super().__init__()
        width = config.judge_width
        self.trunk = ResNetModel(ResNetConfig(
            embedding_size=width, hidden_sizes=[2 * width, 4 * width, 8 * width], depths=[2, 2, 2], layer_type="basic",
        ))  # fmt: skip
        self.heads = torch.nn.ModuleDict({h: torch.nn.Linear(8 * width, len(c)) for h, c in classes(config).items()})

    def features(self, pictures):
        """Pictures in −1…1, (B, 3, H, W) → features (B, 8·width)."""
        return self.trunk(pictures).pooler_output.flatten(1)

    def forward(self, pictures, truth=None):
        """Logits `{head: (B, classes)}`; with `truth` from `labels` the summed cross-entropy instead."""
        features = self.features(pictures)
        logits = {head: layer(features).float() for head, layer in self.heads.items()}
        return logits if truth is None else sum(F.cross_entropy(logits[head], truth[head]) for head in HEADS)


@torch.no_grad()
def opinion(judge, pictures):
    """What the judge makes of pictures in −1…1: `{head: probabilities (B, classes), "features": (B, width)}`."""
    device, found = next(judge.parameters()).device, []
    for part in pictures.split(128):
        features = judge.features(part.to(device))
        heads = {head: layer(features).softmax(1) for head, layer in judge.heads.items()}
        found.append({head: values.cpu() for head, values in (*heads.items(), ("features", features))})
    return {key: torch.cat([part[key] for part in found]) for key in found[0]}


def mix_for_judge(mix):
    """The mix the judge is trained on: one thing or two, nothing spoilt, and also what is kept from the model's training."""
    return replace(mix, two_things=0.6, nothing=0, flaw=0, colour=0.5, held_out=True)


def hits(found, config, scenes):
    """Right or wrong per head and picture, as 1 and 0, `{head: (n,)}`, from an `opinion`.

    The object is right if the likeliest answers are the things of the scene, all of them. Colour counts only where one was asked for.
    """
    truth, right = labels(config, scenes), {}
    things = truth["object"] > 0
    likeliest = found["object"].argsort(1, descending=True).argsort(1) < things.sum(1, keepdim=True)  # as many as there are things
    right["object"] = (likeliest == things).all(1).float()
    for head in HEADS[1:]:
        right[head] = (found[head].argmax(1) == truth[head]).float()
    right["colour"] = right["colour"][truth["colour"] != NOT_ASKED]
    return right


def accuracy(found, config, scenes):
    """The share of `hits` per head; without colour where none was asked for."""
    return {head: right.mean().item() for head, right in hits(found, config, scenes).items() if len(right)}


def load(config, folder):
    """The judge that was trained in `folder`, in evaluation mode, or None."""
    path = folder / "judge" / "judge.safetensors"
    if not path.exists():
        return None
    judge = Judge(config)
    judge.load_state_dict(load_file(path))
    return judge.eval()

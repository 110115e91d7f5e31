"""The judge: a small network that says what a picture of the pocket world shows, and may answer "none of these".

It looks at pictures of 128 pixels; smaller and larger ones are resized by it. It was trained on true pictures, and as "none of these" on
blots, blends, spoilt and half-finished pictures (`python -m pocket.stages.strict_judge`). How often it and a person agree is measured
(`python -m pocket.reports.agreement_with_eye`). It knows the things in its list and no others, and photographs not at all.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file
from transformers import ResNetConfig, ResNetModel

from sdlab.assets import ASSETS
from sdlab.system.calls import brief, check_call

FOLDER = ASSETS / "judge"
WEIGHTS, CLASSES, PROMPTS = "judge.safetensors", "classes.json", "prompts.json"  # in the folder
SIDE = 128
HEADS = ("object", "style", "background", "colour")
NONE = "none of these"  # the last answer of the object's head
NOT_ASKED = -100  # what cross-entropy passes over


@dataclass(frozen=True)
class Asked:
    """A prompt and what a right picture of it shows: one thing or two, a style, a background, and the first thing's colour, or None."""

    prompt: str
    things: tuple[str, ...]
    style: str
    background: str
    colour: str | None = None


class Judge(torch.nn.Module):
    """A ResNet (He et al. 2016) with one linear head for each question; 2.8 million parameters.

    Its first convolution looks at patches of 14×14 pixels, four apart: (B, 3, 128, 128) → (B, 32, 32, 32).

    Args:
        classes: what each head can answer, `{head: [names]}`; the object's last answer is `NONE`.
    """

    def __init__(self, classes):
        super().__init__()
        self.classes = classes
        self.trunk = ResNetModel(ResNetConfig(
            embedding_size=32, hidden_sizes=[64, 128, 256], depths=[2, 2, 2], layer_type="basic",
        ))  # fmt: skip
        self.trunk.embedder.embedder.convolution = torch.nn.Conv2d(3, 32, 14, stride=4, padding=6, bias=False)
        self.heads = torch.nn.ModuleDict({head: torch.nn.Linear(256, len(classes[head])) for head in HEADS})

    def features(self, pictures):
        """Pictures in −1…1, (B, 3, H, W) → features (B, 256)."""
        return self.trunk(resize(pictures)).pooler_output.flatten(1)

    def forward(self, pictures, truth=None):
        """Logits `{head: (B, classes)}`; with `truth`, `{head: class numbers (B,) or shares (B, classes)}`, the sum of the losses instead.

        A loss is the mean cross-entropy over the pictures of which the question is asked: those whose answer is not `NOT_ASKED`.
        """
        features = self.features(pictures)
        logits = {head: layer(features).float() for head, layer in self.heads.items()}
        return logits if truth is None else sum(_loss(logits[head], answers) for head, answers in truth.items())


def _loss(logits, answers):
    if answers.is_floating_point():
        return F.cross_entropy(logits, answers)
    asked = (answers != NOT_ASKED).sum().clamp(min=1)  # a mean over no picture at all would be 0/0
    return F.cross_entropy(logits, answers, ignore_index=NOT_ASKED, reduction="sum") / asked


def resize(pictures):
    """Pictures (B, 3, H, W) at the judge's own side: (B, 3, 128, 128), by the bicubic filter, with antialiasing where they shrink."""
    if pictures.shape[-2:] == (SIDE, SIDE):
        return pictures
    return F.interpolate(pictures, (SIDE, SIDE), mode="bicubic", antialias=True).clamp(-1, 1)


def load_judge(folder=FOLDER):
    """The judge in a folder, by default the shipped one, in evaluation mode.

    Raises:
        FileNotFoundError: the folder holds none.
    """
    folder = Path(folder)
    if not (folder / WEIGHTS).exists():
        raise FileNotFoundError(f"there is no judge in {folder}: python -m pocket.stages.strict_judge trains it")
    judge = Judge(json.loads((folder / CLASSES).read_text(encoding="utf-8")))
    judge.load_state_dict({name: v.float() if v.is_floating_point() else v for name, v in load_file(folder / WEIGHTS).items()})
    return judge.eval().requires_grad_(False)


@cache
def shipped():
    """The shipped judge, loaded once."""
    return load_judge()


def to_tensor(pictures):
    """PIL pictures as the judge takes them: (B, 3, 128, 128), in −1…1."""
    arrays = (torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1)[None] for picture in pictures)
    return torch.cat([resize(array.float() / 127.5 - 1) for array in arrays])


@torch.no_grad()
def opinion(judge, pictures):
    """What a judge makes of pictures in −1…1, (B, 3, H, W): `{head: probabilities (B, classes), "features": (B, 256)}`.

    It looks twice, at the picture and at its mirror image, and both count alike.
    """
    device, found = next(judge.parameters()).device, []
    for part in pictures.split(32):
        part = resize(part.to(device).float())
        features = judge.features(torch.cat([part, part.flip(3)]))
        heads = {head: layer(features).softmax(1) for head, layer in judge.heads.items()}
        found.append({head: values.cpu().unflatten(0, (2, -1)).mean(0) for head, values in (*heads.items(), ("features", features))})
    return {key: torch.cat([part[key] for part in found]) for key in found[0]}


@check_call("see(picture, top=3)")
def see(picture, top=3, judge=None):
    """What the judge sees in a picture.

    Args:
        picture: a PIL picture of any size.
        top: how many answers to each question.
        judge: another one than the shipped.

    Returns:
        `{"object": [(name, probability), …], "style": …, "background": …, "colour": …}`, the likeliest first. Where two things are seen,
        they share the probability. `NONE` among the objects: nothing that it knows, or nothing recognisable. The colour is that of the
        first thing, and means something only where it is not the thing's own.

    Raises:
        TypeError: `picture` is no PIL picture.
    """
    if not isinstance(picture, Image.Image):
        raise TypeError(f"picture is {brief(picture)}: it must be a PIL picture, such as generation.image")
    judge = judge or shipped()
    found = opinion(judge, to_tensor([picture]))
    return {
        head: [(judge.classes[head][i], found[head][0, i].item()) for i in found[head][0].argsort(descending=True)[:top]] for head in HEADS
    }


@check_call("known_prompts(things=1)")
def known_prompts(things=1, folder=FOLDER):
    """Prompts of which the judge knows what a right picture shows: a list of `Asked`, of one thing each or of two."""
    rows = json.loads((Path(folder) / PROMPTS).read_text(encoding="utf-8"))
    return [Asked(**{**row, "things": tuple(row["things"])}) for row in rows if len(row["things"]) == things]


def hits(found, asked, classes):
    """Right or wrong for each question and picture, from an `opinion` of pictures made for `asked`.

    The things are right if the likeliest answers are those of the prompt, as many as it names: `NONE` among them is wrong.

    Args:
        found: of `opinion`.
        asked: a list of `Asked`, one a picture.
        classes: the judge's.

    Returns:
        `{head: (n,)}`, 1 and 0; the colour's n counts only the prompts that name one.
    """
    right = {"object": torch.tensor([
        {classes["object"][i] for i in row.topk(len(one.things)).indices} == set(one.things)
        for row, one in zip(found["object"], asked, strict=True)
    ]).float()}  # fmt: skip
    for head in HEADS[1:]:
        pairs = zip(found[head].argmax(1), (getattr(one, head) for one in asked), strict=True)
        right[head] = torch.tensor([float(classes[head][i] == wanted) for i, wanted in pairs if wanted])
    return right


def accuracy(found, asked, classes):
    """The share of `hits` for each question; without the colour where none was asked for."""
    return {head: right.mean().item() for head, right in hits(found, asked, classes).items() if len(right)}


@check_call('answers(pictures, "style")')
def answers(pictures, head, judge=None):
    """The judge's likeliest answer to one question, for each picture.

    Args:
        pictures: a list of PIL pictures of any size.
        head: "object", "style", "background" or "colour".
        judge: another one than the shipped.

    Returns:
        A list of names; of the object perhaps `NONE`.

    Raises:
        ValueError: there is no such question.
    """
    judge = judge or shipped()
    if head not in judge.classes:
        raise ValueError(f"head is {head!r}: the judge answers for {', '.join(judge.classes)}")
    return [judge.classes[head][i] for i in opinion(judge, to_tensor(list(pictures)))[head].argmax(1)]


@check_call("recognise(pictures, asked)")
def recognise(pictures, asked, judge=None):
    """What the judge recognises of what was asked for, picture by picture.

    Args:
        pictures: a list of PIL pictures of any size.
        asked: as many of `known_prompts`.
        judge: another one than the shipped.

    Returns:
        `{"object": [True, False, …], "style": …, "background": …}`, one for each picture, and "colour" for those that were asked for one.

    Raises:
        ValueError: not as many prompts as pictures.
    """
    pictures, asked, judge = list(pictures), list(asked), judge or shipped()
    if len(pictures) != len(asked):
        raise ValueError(f"{len(pictures)} pictures and {len(asked)} prompts: give one prompt of known_prompts for each picture")
    found = hits(opinion(judge, to_tensor(pictures)), asked, judge.classes)
    return {head: [bool(right) for right in values] for head, values in found.items()}


@check_call("measure(pictures, asked)")
def measure(pictures, asked, judge=None):
    """Prompt accuracy: the shares of PIL pictures that show the things, style, background and colour of their prompts.

    Args:
        pictures: a list of PIL pictures of any size.
        asked: as many of `known_prompts`.
        judge: another one than the shipped.

    Returns:
        `{"object": share, …}`, without the colour where none was asked for.

    Raises:
        ValueError: not as many prompts as pictures.
    """
    return {head: sum(right) / len(right) for head, right in recognise(pictures, asked, judge).items() if right}

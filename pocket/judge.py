"""The judge: a small ResNet that names object, style, background and colour in a picture. `python -m pocket.judge`.

It is the ruler of prompt accuracy, so it is trained on true pictures of the world only, never on a model's. Its own accuracy on
held-out true pictures is the ceiling of what it can measure.
"""

from dataclasses import replace

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from transformers import ResNetConfig, ResNetModel

from pocket.catalog import DATA
from pocket.command import stage
from pocket.stream import batches, to_unit
from pocket.words import BACKGROUNDS, COLOURS, STYLES
from pocket.world import Inventor
from sdlab.loop import Run
from sdlab.muon import Muon, groups

HEADS = ("object", "style", "background", "colour")


def classes(config):
    """What each head can answer: `{head: [names]}`. The colour head's last answer is "its own"."""
    return {
        "object": Inventor(config.mix).names,
        "style": list(STYLES),
        "background": list(BACKGROUNDS),
        "colour": [*COLOURS, "its own"],
    }


def labels(config, scenes):
    """Class numbers of each scene: int64 (B, 4), in the order of `HEADS`; a scene's first thing counts."""
    numbers = {head: {name: i for i, name in enumerate(names)} for head, names in classes(config).items()}
    return torch.tensor([
        [
            numbers["object"][s.things[0].concept],
            numbers["style"][s.style],
            numbers["background"][s.background],
            numbers["colour"][s.things[0].colour or "its own"],
        ]
        for s in scenes
    ])  # fmt: skip


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
        """Logits `{head: (B, classes)}`; with `truth` (B, 4) the summed cross-entropy instead."""
        features = self.features(pictures)
        logits = {head: layer(features).float() for head, layer in self.heads.items()}
        return logits if truth is None else sum(F.cross_entropy(logits[h], truth[:, i]) for i, h in enumerate(HEADS))


@torch.no_grad()
def answers(judge, pictures):
    """The judge's answers for pictures in −1…1: int64 (B, 4)."""
    device = next(judge.parameters()).device
    return torch.cat([torch.stack([judge(x.to(device))[h].argmax(1) for h in HEADS], 1).cpu() for x in pictures.split(128)])


def alone(mix):
    """The mix the judge is trained and tested on: one thing, nothing spoilt."""
    return replace(mix, two_things=0, nothing=0, flaw=0, colour=0.35)


def hits(judge, config, pictures, scenes):
    """Right or wrong per head and picture, as 1 and 0, `{head: (n,)}`; colour only for pictures where a colour was asked for."""
    truth = labels(config, scenes)
    right = (answers(judge, pictures) == truth).float()
    asked = truth[:, 3] < len(COLOURS)
    return {h: right[asked, i] if h == "colour" else right[:, i] for i, h in enumerate(HEADS)}


def accuracy(judge, config, pictures, scenes):
    """The share of `hits` per head; without colour where none was asked for."""
    return {head: right.mean().item() for head, right in hits(judge, config, pictures, scenes).items() if len(right)}


def kept(config):
    """Where the repository keeps the judge of a configuration: the ruler must stay the same from one model to the next."""
    return DATA / f"judge-{config.name}.safetensors"


def load(config, folder):
    """The judge of a configuration, in evaluation mode: the one the repository keeps, else the one trained in `folder`, else None."""
    judge = Judge(config)
    for path in (kept(config), folder / "judge" / "judge.safetensors"):
        if path.exists():
            judge.load_state_dict(load_file(path))
            return judge.eval()
    return None


def train(config, folder, minutes, seed=0, start=None):
    """Train for `minutes`, from the weights in `start` if given, and write `folder/judge/judge.safetensors`."""
    run = Run("judge", folder, minutes, lr := 1e-3, seed)
    torch.manual_seed(seed)
    judge = Judge(config).to(run.device)
    if start:
        judge.load_state_dict(load_file(start))
    model, optimizer, _ = run.begin(judge, Muon(groups(judge), lr=lr))
    stream = batches(config, config.judge_batch, seed + 10, run.accelerator.process_index, run.step, mix=alone(config.mix))
    for step in run.steps(optimizer, config.judge_batch):
        pictures, scenes = next(stream)
        loss = model(to_unit(pictures, run.device), labels(config, scenes).to(run.device))
        run.accelerator.backward(loss)
        optimizer.step()
        optimizer.zero_grad()
        if step % 50 == 0:
            run.log(loss=loss.item())
    if run.accelerator.is_main_process:
        judge.eval()
        pictures, scenes = next(batches(config, 1024, seed + 999, mix=alone(config.mix)))
        scores = accuracy(judge, config, to_unit(pictures), scenes)
        run.log(**{f"real_{head}": score for head, score in scores.items()})
        save_file({k: v.contiguous().cpu() for k, v in judge.state_dict().items()}, run.folder / "judge.safetensors")
        print("judge, on held-out true pictures:", ", ".join(f"{h} {s:.1%}" for h, s in scores.items()))
    run.accelerator.end_training()


if __name__ == "__main__":
    stage(train, "judge_minutes")

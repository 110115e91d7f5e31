"""How good and how varied samples of the drawings are: a judge, and the Fréchet distance in its features.

The judge is a small convolutional network that says which of the sixty drawings a picture shows, or none. It was trained on true
pictures, and on spoilt ones as "none": two blended, noisy, shuffled in quarters. `python -m sdlab.scratch.judge`
trains it anew in two minutes.
"""

from collections import deque
from functools import cache

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn

from sdlab.assets import ASSETS
from sdlab.scratch import drawings
from sdlab.scratch.ddpm import Average

WEIGHTS = ASSETS / "drawings" / "judge.safetensors"
DRAWINGS = len(drawings.NAMES) * drawings.ARTISTS


class Judge(nn.Module):
    """Three convolutions and a linear layer."""

    def __init__(self, widths=(32, 64, 96)):
        super().__init__()
        layers, before = [], 3
        for width in widths:
            layers += [nn.Conv2d(before, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1)]
            layers += [nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2)]
            before = width
        self.trunk = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * before, 64), nn.ReLU())
        self.head = nn.Linear(64, DRAWINGS + 1)

    def forward(self, pictures):
        """Pictures (B, 3, 16, 16) in −1…1 → logits of the sixty drawings and of "none", (B, 61)."""
        return self.head(self.trunk(pictures))


@cache
def judge():
    """The shipped judge."""
    model = Judge()
    model.load_state_dict({name: value.float() if value.is_floating_point() else value for name, value in load_file(WEIGHTS).items()})
    return model.eval().requires_grad_(False)


def _small(pictures):
    return F.avg_pool2d(pictures.cpu().float().clamp(-1, 1), pictures.shape[-1] // 16)


def recognise(pictures):
    """Which drawing each picture (B, 3, side, side) shows: (B,) in 0…59, or 60 for none. `recognise(x) // 5` is the thing."""
    return judge()(_small(pictures)).argmax(1)


def recognition(pictures):
    """The share of pictures in which the judge sees one of the things."""
    return (recognise(pictures) < DRAWINGS).float().mean().item()


def coverage(pictures):
    """How many of the sixty drawings are among the pictures."""
    return len({d for d in recognise(pictures).tolist() if d < DRAWINGS})


def frechet(pictures, others):
    """The Fréchet distance between two sets of pictures in the judge's features: 0 for equal ones.

    Both sets should hold some hundreds: a covariance of 64 features is estimated from each.
    """
    return frechet_distance(judge().trunk(_small(pictures)), judge().trunk(_small(others)))


def frechet_distance(features, others):
    """The Fréchet distance of two clouds of features, (N, D) each, taken as normal (Heusel et al. 2017, eq. 6)."""
    (mean_a, cov_a), (mean_b, cov_b) = ((f.double().mean(0), f.double().T.cov()) for f in (features, others))
    values, vectors = torch.linalg.eigh(cov_a)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    cross = torch.linalg.eigvalsh(root @ cov_b @ root).clamp(min=0).sqrt().sum()
    return ((mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace() - 2 * cross).item()


def spoil(pictures, generator=None):
    """Pictures that show none of the things: two blended, under noise, or cut into quarters and put together anew."""
    count = len(pictures)
    other = pictures.roll(1, 0)
    share = 0.3 + 0.4 * torch.rand(count, 1, 1, 1, generator=generator)
    noise = torch.randn(pictures.shape, generator=generator)
    loud = 0.4 + 0.8 * torch.rand(count, 1, 1, 1, generator=generator)
    quarters = torch.cat([pictures.roll(8, 2)[..., :8], other.flip(2)[..., 8:]], 3)
    kind = torch.randint(3, (count, 1, 1, 1), generator=generator)
    return torch.where(kind == 0, share * pictures + (1 - share) * other, torch.where(kind == 1, pictures + loud * noise, quarters))


def weather(pictures, generator=None):
    """Pictures in which a person still sees the thing: a little blurred, paler, or under a little noise."""
    soft = F.avg_pool2d(F.pad(pictures, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    blur, pale, noise = (scale * torch.rand(len(pictures), 1, 1, 1, generator=generator) for scale in (0.5, 0.2, 0.2))
    pictures = (pictures + blur * (soft - pictures)) * (1 - pale)
    return (pictures + noise * torch.randn(pictures.shape, generator=generator)).clamp(-1, 1)


def train(steps=1200, size=128, seed=0):
    """Train a judge from nothing and yield it with its loss after every step."""
    torch.manual_seed(seed)
    model = Judge().train()
    average = Average(model, 0.998)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps)
    for (x, drawing), _ in zip(drawings.batches(size, seed=seed + 1), range(steps), strict=False):
        none = spoil(x[: size // 3])
        loss = F.cross_entropy(model(torch.cat([weather(x), weather(none)])), torch.cat([drawing, torch.full((len(none),), DRAWINGS)]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        average.update(model)
        yield average.model, loss.item()


def main():
    """Train the judge, print how it does on pictures it has not seen, and keep it."""
    model, _ = deque(train(), maxlen=1).pop()
    save_file({name: v.half() if v.is_floating_point() else v for name, v in model.state_dict().items()}, WEIGHTS)
    judge.cache_clear()
    x, drawing = next(drawings.batches(3000, seed=99))
    seen = recognise(x)
    print(f"the right drawing: {(seen == drawing).float().mean():.1%}, the right thing: {(seen // 5 == drawing // 5).float().mean():.1%}")
    print(f"the right thing when weathered: {(recognise(weather(x)) // 5 == drawing // 5).float().mean():.1%}")
    print(f"something seen in spoilt pictures: {recognition(spoil(x)):.1%}")


if __name__ == "__main__":
    main()

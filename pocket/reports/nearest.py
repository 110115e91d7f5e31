"""Does the model copy, or compose? The sprite and the training picture nearest to each sample. `python -m pocket.reports.nearest`.

A sprite is laid over the sample wherever it fits best, and compared by the correlation of their edges, whatever the colours are. Whole
pictures are compared by the judge's features, with pictures that the last run was trained on: they are drawn again from its own record.
Fresh true pictures of the same prompts, which no training drew, say what is near. Adds the numbers to the evaluation's JSON, under
"nearest", and writes `nearest.png`.
"""

import json
import textwrap
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import torch.nn.functional as F
import typer
from PIL import Image

import sdlab
from pocket.reports.base import add, load_pipeline, load_results, ruler
from pocket.ruler import judge as judging
from pocket.ruler import prompts
from pocket.ruler.pictures import draw_shown, sample, to_pil
from pocket.stages.config import CONFIGS
from pocket.stages.diffusion import STREAM_SEED
from pocket.world import catalog
from pocket.world.scene import Inventor
from pocket.world.stream import batches, to_unit
from pocket.world.words import STYLES
from sdlab.training.settings import SETTINGS

EXTENTS = (0.64, 0.72, 0.8)  # of a single thing, in shares of the side, as `pocket.world.scene` draws them


def edges(pictures):
    """How steep pictures (B, channels, H, W) are at each pixel: the Sobel gradient of the steepest channel, (B, H, W)."""
    sobel = torch.tensor([[1.0, 0.0, -1.0], [2.0, 0.0, -2.0], [1.0, 0.0, -1.0]]) / 8
    x = F.pad(pictures.flatten(0, 1)[:, None], (1, 1, 1, 1), mode="replicate")  # (B·channels, 1, H + 2, W + 2)
    slopes = F.conv2d(x, torch.stack([sobel, sobel.T])[:, None])  # (B·channels, 2, H, W)
    return slopes.norm(dim=1).unflatten(0, pictures.shape[:2]).amax(1)


def fit(pictures, template, mask):
    """How well a template fits where it fits best: the largest correlation inside its mask over all places.

    Args:
        pictures: one channel, (B, H, W).
        template: (h, w).
        mask: the weight of each of its pixels, 0…1, (h, w).

    Returns:
        Correlations −1…1, (B,).
    """
    total = mask.sum()
    around = mask * (template - (mask * template).sum() / total)  # sums to 0, so the picture's own mean drops out
    x = pictures[:, None]  # (B, 1, H, W)
    product, mean = F.conv2d(x, torch.stack([around, mask])[:, None]).unbind(1)
    variance = F.conv2d(x.square(), mask[None, None])[:, 0] - mean.square() / total
    deviations = (variance.clamp(min=1e-4 * total) * (around * template).sum()).sqrt()
    return (product / deviations).flatten(1).amax(1)


def sprites(config):
    """Every sprite of a configuration's world: `(concept, emoji set, edges (h, w), mask (h, w))` at each of `EXTENTS`.

    The mask reaches two pixels past the outline, which is itself an edge.
    """
    sets = sorted({name for style in STYLES.values() for name in style.sets})
    for concept in Inventor(config.mix).names:
        for emoji_set in catalog.artists_of(concept, tuple(sets)):
            picture = Image.fromarray(catalog.sprite(concept, emoji_set))
            for extent in EXTENTS:
                scale = extent * config.side / max(picture.size)
                size = [max(1, round(scale * side)) for side in picture.size]
                pixels = torch.from_numpy(np.array(picture.resize(size, Image.BILINEAR, reducing_gap=2.0))).permute(2, 0, 1) / 255
                colours, opacity = pixels[None, :3] * 2 - 1, F.pad(pixels[None, 3:], (2, 2, 2, 2))  # (1, 3 and 1, h, w)
                inside = edges(F.pad(colours * pixels[3], (2, 2, 2, 2)))
                yield concept, emoji_set, inside.maximum(0.7 * edges(opacity))[0], F.max_pool2d(opacity, 5, 1, 2)[0, 0]


def nearest_sprites(pictures, config):
    """For each picture the sprite that fits best: a list of `(concept, emoji set, correlation)`."""
    steep, best = F.pad(edges(pictures), (2, 2, 2, 2)), [("", "", -1.0)] * len(pictures)
    for concept, emoji_set, sprite, mask in sprites(config):
        for i, r in enumerate(fit(steep, sprite, mask).tolist()):
            if r > best[i][2]:
                best[i] = concept, emoji_set, r
    return best


def training_pictures(run, config, count):
    """The first pictures that a run of the diffusion stage was trained on, uint8 (count, 3, side, side), drawn again from its record.

    A picture stays in the run's pool until it was drawn `config.reuse` times on average, so each of these was very likely seen.

    Args:
        run: the folder of the run, with its checkpoint and its log.
        config: its configuration.
        count: how many. The run must have come so far before it was first interrupted, for then its stream begins anew.

    Raises:
        FileNotFoundError: there is no record of the run.
        ValueError: it was of another configuration, or has drawn fewer pictures.
    """
    record = run / "checkpoint" / SETTINGS
    if not record.exists():
        raise FileNotFoundError(f"there is no {record}, which says what the run was trained on: give --run, the folder of its stage")
    settings = json.loads(record.read_text(encoding="utf-8"))
    if settings["config"] != config.name:
        raise ValueError(f"{run} is a run of configuration {settings['config']!r}, not {config.name!r}: give --config {settings['config']}")
    lines = (run / "log.jsonl").read_text(encoding="utf-8").splitlines()
    samples = max(json.loads(line)["samples"] for line in lines)
    drawn = config.pool // 6 + samples // config.reuse
    if drawn < count:
        raise ValueError(f"{run} has drawn {drawn:,} pictures, and {count:,} are wanted: give fewer with --training")
    stream = batches(config, config.batch, settings["seed"] + STREAM_SEED, 0, 0)
    return torch.cat([next(stream)[0] for _ in range(-(-count // config.batch))])[:count]


def main(
    config: Annotated[str, typer.Option(help="which configuration the model was trained with")] = "cpu",
    folder: Annotated[Path, typer.Option(help="where the evaluation is")] = Path("build/pocket"),
    run: Annotated[Path | None, typer.Option(help="the run that trained it; default: the diffusion stage's in the folder")] = None,
    model: Annotated[Path | None, typer.Option(help="the pipeline; default: the diffusion stage's, or the shipped one")] = None,
    count: Annotated[int, typer.Option(help="number of samples")] = 64,
    training: Annotated[int, typer.Option(help="number of training pictures to search")] = 20_000,
):
    """Search, draw the sheet, and write the numbers into the evaluation."""
    config, folder = CONFIGS[config], folder / config
    path, results = load_results(config, folder)
    pipe, judge = load_pipeline(folder, model), ruler(config, folder)
    texts, scenes = map(list, zip(*prompts.one_thing(config.mix, count), strict=True))
    samples, fresh = sample(pipe, texts, guidance=results["guidance"]), draw_shown(config, scenes, 1)
    seen = training_pictures(run or folder / "diffusion", config, training)  # uint8 (training, 3, side, side)
    known = torch.cat([judging.opinion(judge, to_unit(part))["features"] for part in seen.split(500)])
    found = {"samples": count, "training pictures": len(seen)}
    for name, pictures in (("model", samples), ("fresh true pictures", fresh)):
        distances, which = torch.cdist(judging.opinion(judge, pictures)["features"], known).min(1)
        fits = nearest_sprites(F.interpolate(pictures, config.side, mode="area"), config)
        found[name] = {
            "distance to the nearest training picture": distances.median().item(),
            "correlation with the nearest sprite": float(np.median([r for _, _, r in fits])),
            "nearest sprite is of the thing": float(np.mean([c == s.things[0].concept for (c, _, _), s in zip(fits, scenes, strict=True)])),
        }
        if name == "model":
            sheet(samples, fits, seen[which], texts).savefig(folder / "nearest.png", dpi=110)
    add(path, "nearest", found)
    print(json.dumps(found, indent=2))


def sheet(samples, fits, neighbours, texts, columns=7):
    """Three rows of pictures: samples, the sprite that fits each best, the nearest training picture."""
    rows = [to_pil(x) for x in samples[:columns]]
    for concept, emoji_set, _ in fits[:columns]:
        picture = Image.fromarray(catalog.sprite(concept, emoji_set))
        paper = Image.new("RGB", (max(picture.size),) * 2, "white")
        paper.paste(picture, ((paper.width - picture.width) // 2, (paper.height - picture.height) // 2), picture)
        rows.append(paper.resize(rows[0].size))
    rows += [to_pil(to_unit(x[None])[0]).resize(rows[0].size, Image.BICUBIC) for x in neighbours[:columns]]
    titles = ["\n".join(textwrap.wrap(text, 22)) for text in texts[:columns]]
    titles += [f"{concept}\n{emoji_set}\ncorrelation {r:.2f}" for concept, emoji_set, r in fits[:columns]]
    return sdlab.grid(rows, titles + ["nearest training picture"] * columns, columns=columns)


if __name__ == "__main__":
    typer.run(main)

"""Measure the autoencoder of factor 8 against the small one with enlarged pictures. `python -m pocket.reports.enlarge`.

On scenes that training did not draw, at twice the small side: how like the true picture a decoded one is, how strong its edges are, how far
its details are from true ones; whether the latents are those that the small encoder gives of the halved picture; time and size. Twice: for
pictures as the world paints them at that side, and for those that it paints at half the side, sharper, which the U-Nets learned from.
Prints JSON, writes it to `enlarge.json`, and four sheets: of both kinds of true latents, and of those that the shipped base and XL draw.
"""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import torch
import typer
from diffusers import AutoencoderKL

from pocket.reports.base import ruler
from pocket.reports.blind import latents_drawn, load_small
from pocket.reports.results import write_results
from pocket.reports.sharpness import agreement, decode, double, edge_strength, encode, features_of, likeness, milliseconds
from pocket.ruler.pictures import contact_sheet
from pocket.stages.config import CONFIGS
from pocket.stages.enlarge import half
from pocket.world.scene import draw
from pocket.world.stream import batches, to_unit

HELD_OUT = 4242  # the seed of the scenes
SHEET = 8  # pictures in a row


def rows(*parts):
    """A sheet with one row for each set of pictures, made equally wide by whole pixels."""
    widest = max(part.shape[-1] for part in parts)
    wide = [part.repeat_interleave(widest // part.shape[-1], 2).repeat_interleave(widest // part.shape[-1], 3) for part in parts]
    return contact_sheet(torch.cat([part[:SHEET] for part in wide]), columns=SHEET, scale=max(1, 256 // widest))


def compare(small, large, true, features):
    """All numbers of one set of true pictures."""
    latents = encode(small, half(true))
    new, old = decode(large, latents), double(decode(small, latents))
    mine = encode(large, true)
    found = {"large": likeness(new, true, features), "bicubic": likeness(old, true, features)}
    return {
        **found,
        "large, both ways": likeness(decode(large, mine), true, features),
        "gain_db": found["large"]["psnr_db"] - found["bicubic"]["psnr_db"],
        "true_edge_strength": edge_strength(true),
        "latents": agreement(mine, latents),
        "small decoder of either's latents": agreement(decode(small, mine), decode(small, latents)),
    }, rows(decode(small, latents), old, new, true)


def main(
    config: Annotated[str, typer.Option(help="which configuration the model was trained with")] = "cpu",
    folder: Annotated[Path, typer.Option(help="where the stages left their results")] = Path("build/pocket"),
    model: Annotated[Path | None, typer.Option(help="the autoencoder; default: the sharpened one")] = None,
    scenes: Annotated[int, typer.Option(help="how many pictures of each kind")] = 384,
):
    """Print the numbers and write the sheets beside the model's folder."""
    config, folder = CONFIGS[config], folder / config
    if config.wider == 1:
        print(f"the autoencoder of {config.name!r} was not enlarged")
        return
    small = load_small(folder)
    large = AutoencoderKL.from_pretrained(model or folder / "sharpen" / "model").eval()
    features, results = features_of(ruler(config, folder)), {}
    for name, grain in (("world", 1), ("world of half the side", 2)):
        stream = batches(replace(config, side=2 * config.side), scenes, HELD_OUT, paint=partial(draw, grain=grain))
        results[name], sheet = compare(small, large, to_unit(next(stream)[0]), features)
        sheet.save(folder / f"enlarge-true-{grain}.png")
    latents = torch.randn(1, 4, 16, 16)
    results["decode_ms"] = {"large": milliseconds(lambda: large.decode(latents)), "small": milliseconds(lambda: small.decode(latents))}
    results["threads"] = torch.get_num_threads()
    results["fp16_bytes"] = 2 * sum(p.numel() for p in large.parameters())
    for name, drawn in zip(("base", "xl"), latents_drawn(small, config.mix, SHEET), strict=True):
        made = decode(small, drawn)
        rows(made, double(made), decode(large, drawn)).save(folder / f"enlarge-{name}.png")
    results = write_results(folder / "enlarge.json", results)
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    typer.run(main)

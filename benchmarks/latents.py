"""The same DDPM in latents and in pixels for the same time, with three seeds: the race that notebook 12 runs with one.

    python -m benchmarks.latents                        # a quarter of an hour on two cores
    python -m benchmarks.latents --share 0.05 --seeds 2 --count 16 --into build/trial/12.json          # a trial

Every seed trains an autoencoder, a DDPM in its latents, a DDPM in pixels for the same seconds, and another for the seconds of both. Each
of these is a part, kept in `build/latents` when it is done; a run that was stopped goes on with the next. The last part writes what
notebook 12 reads.
"""

import json
import time
from pathlib import Path
from typing import Annotated

import torch
import typer
from safetensors.torch import load_file, save_file

from pocket.reports.results import write_lines
from sdlab.lesson import RESULTS
from sdlab.scratch import autoencoder, ddpm, drawings, judge, sampling
from sdlab.scratch.muon import Muon, groups
from sdlab.scratch.unet import UNet
from sdlab.training.watch import train_for

BEFORE, RACE = 40, 55  # seconds of training: of the autoencoder, and of each DDPM, as in the notebook
SIDE, STEPS, BATCH = 32, 32, 64
WAYS = ("latents", "pixels", "pixels, with the autoencoder's time too")
SCHEDULE = ddpm.cosine(512)


def pictures(seed, size):
    """Endless batches (size, 3, 32, 32)."""
    return (x for x, _ in drawings.batches(size, side=SIDE, seed=100 + seed))


def train_autoencoder(seed, seconds):
    """An `Autoencoder`, trained as in the notebook."""
    torch.manual_seed(seed)
    model = autoencoder.Autoencoder().to(memory_format=torch.channels_last)
    optimizer = Muon(groups(model), lr=2e-3)
    for _ in train_for(autoencoder.train(model, pictures(seed, 32), optimizer, 1e-3), seconds, optimizer):
        pass
    return model.eval().requires_grad_(False)


class Latents:
    """Pictures to latents of mean 0 and standard deviation 1, channel by channel, and back."""

    shape = (4, SIDE // 4, SIDE // 4)

    def __init__(self, model):
        self.model = model
        z = model.encode(next(pictures(9, 512)))[0]
        self.centre, self.scale = z.mean((0, 2, 3), keepdim=True), z.std((0, 2, 3), keepdim=True)

    def encode(self, x):
        """(B, 3, 32, 32) → (B, 4, 8, 8)."""
        return (self.model.encode(x)[0] - self.centre) / self.scale

    def decode(self, z):
        """(B, 4, 8, 8) → (B, 3, 32, 32)."""
        return self.model.decode(z * self.scale + self.centre)


class Pixels:
    """Pictures as they are."""

    shape = (3, SIDE, SIDE)

    def encode(self, x):
        """(B, 3, 32, 32) → the same."""
        return x

    decode = encode


def race(space, seed, seconds, count):
    """Train a DDPM in a space for so long, draw, and measure: a dictionary of numbers."""
    torch.manual_seed(seed)
    model = UNet(channels=space.shape[0]).to(memory_format=torch.channels_last)
    average, optimizer = ddpm.Average(model, 0.998), Muon(groups(model), lr=2e-3)
    data = (space.encode(x) for x in pictures(seed, BATCH))
    steps = sum(1 for _ in train_for(ddpm.train(model, data, SCHEDULE, optimizer, "v", average), seconds, optimizer))
    denoise = sampling.denoiser(average.model, SCHEDULE, "v", clamp=isinstance(space, Pixels))
    noise, levels = torch.randn(count, *space.shape), sampling.space_levels(SCHEDULE, STEPS)
    start = time.perf_counter()
    x = space.decode(sampling.last(sampling.ddim(denoise, SCHEDULE, noise, levels, eta=1.0))).clamp(-1, 1)
    cost = 1000 * (time.perf_counter() - start) / count
    real = next(drawings.batches(512, side=SIDE, seed=5))[0]
    quality = {"recognised": judge.recognition(x), "found": judge.coverage(x), "frechet": judge.frechet(x, real)}
    return {"pictures": BATCH * steps, **quality, "ms": cost}


def do_part(way, seed, share, count, folder):
    """Do one part and keep it in `folder`: the autoencoder's weights, or the numbers of a race."""
    weights = folder / f"seed {seed}.safetensors"
    folder.mkdir(parents=True, exist_ok=True)
    if way == "autoencoder":
        model = train_autoencoder(seed, share * BEFORE)
        return save_file({key: value.contiguous() for key, value in model.state_dict().items()}, weights)
    space = Pixels()
    if way == "latents":
        model = autoencoder.Autoencoder()
        model.load_state_dict(load_file(weights))
        space = Latents(model.eval().requires_grad_(False))
    numbers = race(space, seed, share * (RACE if way in WAYS[:2] else RACE + BEFORE), count)
    print(f"seed {seed}  {way:42s}" + "  ".join(f"{key} {value:.4g}" for key, value in numbers.items()), flush=True)
    write_lines(folder / f"seed {seed}, {WAYS.index(way)}.json", numbers)


def main(
    share: Annotated[float, typer.Option(help="of the notebook's seconds")] = 1,
    seeds: Annotated[int, typer.Option(min=1, help="how many; each trains everything anew")] = 3,
    parts: Annotated[int, typer.Option(min=0, help="do at most so many parts in this run; 0 for all that are left")] = 0,
    count: Annotated[int, typer.Option(min=16, help="pictures that each draws")] = 192,
    folder: Annotated[Path, typer.Option(help="where parts are kept until all are done")] = Path("build/latents"),
    into: Annotated[Path, typer.Option(help="the file that is written")] = RESULTS / "12.json",
):
    """Do the parts that are left, and write the results when all are done."""
    kept = folder / f"{share:g} of the time, {count} pictures"
    files = {(way, seed): kept / f"seed {seed}, {number}.json" for seed in range(seeds) for number, way in enumerate(WAYS)}
    encoders = {("autoencoder", seed): kept / f"seed {seed}.safetensors" for seed in range(seeds)}
    left = [key for key, file in (encoders | files).items() if not file.exists()]
    for way, seed in left[: parts or None]:
        do_part(way, seed, share, count, kept)
    if still := len(left) - len(left[: parts or None]):
        print(f"{still} parts are left; the same command goes on with them")
        return
    rows = [{"way": way, "numbers": [json.loads(files[way, seed].read_text(encoding="utf-8")) for seed in range(seeds)]} for way in WAYS]
    seconds = {"autoencoder": share * BEFORE, "race": share * RACE}
    write_lines(into, {"seconds": seconds, "count": count, "threads": torch.get_num_threads(), "ways": rows})
    print(f"the results are in {into}")


if __name__ == "__main__":
    typer.run(main)

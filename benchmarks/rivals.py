"""Diffusion beside its rivals and relatives, trained for the same minutes on the same drawings: the long race of notebook 13.

    python -m benchmarks.rivals                        # seven trainings of four minutes, with three seeds: an hour and a half
    python -m benchmarks.rivals --minutes 0.1 --seeds 2 --count 16 --into build/trial          # a trial

Every training is a part, kept in `build/rivals` when it is done. A run that was stopped goes on with the part it was at; `--parts 1` does
one part and ends. The last part writes the table, the first seed's samples and two of its networks to `sdlab/assets/rivals`.

What makes the race fair: every model has the same seconds on the same batches, samples from an average of its weights, and has a
learning rate that stays for half of the time and then falls to a tenth. All draw the same number of pictures, without fresh noise between
the steps (η = 0); only the jumps of the consistency model need it, and one row of diffusion has it (η = 1). The consistency model begins
with the diffusion model of its seed, and has the minutes again.
"""

import copy
import json
import time
from functools import partial
from pathlib import Path
from typing import Annotated

import torch
import typer
from safetensors.torch import load_file, save_file

from pocket.reports.results import write_lines
from sdlab.scratch import ddpm, drawings, judge, relatives, rivals, sampling
from sdlab.scratch.dit import DiT
from sdlab.scratch.muon import Muon, groups
from sdlab.scratch.unet import UNet
from sdlab.system.device import describe
from sdlab.training.watch import train_for

BATCH, SHOWN = 64, 16  # pictures in a batch, and kept of each sampler
STEPS, JUMPS = (1, 4, 8, 50), (1, 4)
SCHEDULE = ddpm.cosine(512)
NETWORKS = {
    "VAE": rivals.VAE, "GAN": rivals.GAN, "flow": rivals.Flow, "diffusion": UNet, "flow matching": UNet,
    "transformer": partial(DiT, patch=4), "consistency": UNet,
}  # fmt: skip
RATE, RATES = 2e-3, {"consistency": 1e-3, "transformer": 1e-2}  # of learning; in short trials the transformer did best with the larger
SHIPPED = ("diffusion", "flow matching")  # what the notebook goes on with
TRUE = "true pictures"


def train(name, seed, seconds, teacher=None):
    """Train a network for so long.

    Args:
        name: one of `NETWORKS`.
        seed: of weights, batches and noises.
        seconds: of training.
        teacher: the trained diffusion network, for "consistency".

    Returns:
        The average of its weights, and the number of pictures seen.
    """
    torch.manual_seed(seed)
    model = (copy.deepcopy(teacher).requires_grad_(True) if teacher else NETWORKS[name]()).to(memory_format=torch.channels_last)
    average = ddpm.Average(model, 0.95 if teacher else 0.998)  # the student's is a part of its training, and short
    pictures = (x for x, _ in drawings.batches(BATCH, seed=100 + seed))
    if name == "GAN":
        optimizers = [torch.optim.Adam(part.parameters(), 1e-3, betas=(0.0, 0.99)) for part in (model.generator, model.discriminator)]
        steps = rivals.train_gan(model, pictures, *optimizers, average)
    else:
        optimizers = [Muon(groups(model), lr=RATES.get(name, RATE))]
        steps = _steps(name, model, pictures, optimizers[0], average, teacher)
    return average.model, BATCH * sum(1 for _ in train_for(steps, seconds, *optimizers))


def _steps(name, model, pictures, optimizer, average, teacher):
    if name in ("flow matching", "transformer"):
        return relatives.train_flow_matching(model, pictures, optimizer, average)
    if name == "diffusion":
        return ddpm.train(model, pictures, SCHEDULE, optimizer, "v", average)
    if name == "consistency":
        levels, knows = sampling.space_levels(SCHEDULE, 16), sampling.denoiser(teacher, SCHEDULE, "v")
        return relatives.distil(model, average, knows, SCHEDULE, levels, pictures, optimizer)
    return {"VAE": rivals.train_vae, "flow": rivals.train_flow}[name](model, pictures, optimizer, average)


def samplers(name, network):
    """Yield, for each way of drawing, `(row's name, evaluations of the network per picture, count → pictures)`."""
    if name in ("VAE", "GAN", "flow"):
        yield name, 1, network.sample
        return
    for steps in JUMPS if name == "consistency" else STEPS:
        unit = "jump" if name == "consistency" else "step"
        yield f"{name}, {steps} {unit}{'s' * (steps > 1)}", steps, lambda count, steps=steps: draw(name, network, steps, count)
    if name == "diffusion":  # η = 1, as notebook 10 draws
        yield f"{name}, {STEPS[-1]} steps and noise", STEPS[-1], lambda count: draw(name, network, STEPS[-1], count, eta=1.0)


def draw(name, network, steps, count, eta=0.0):
    """Pictures (count, 3, 16, 16) by the sampler of a diffusion model or of a relative."""
    noise = torch.randn(count, 3, 16, 16)
    if name in ("flow matching", "transformer"):
        return sampling.last(relatives.follow(relatives.velocity_of(network), noise, steps))
    denoise, levels = sampling.denoiser(network, SCHEDULE, "v"), sampling.space_levels(SCHEDULE, steps)
    if name == "consistency":
        return sampling.last(relatives.jump(denoise, SCHEDULE, noise, levels))
    return sampling.last(sampling.ddim(denoise, SCHEDULE, noise, levels, eta))


def measure(sample, real, seed, count):
    """Draw, and measure what was drawn: a row of the table, and the pictures."""
    torch.manual_seed(seed)
    sample(8)  # the first run is slower
    start = time.perf_counter()
    x = sample(count).clamp(-1, 1)
    cost = 1000 * (time.perf_counter() - start) / count
    return {"recognised": judge.recognition(x), "found": judge.coverage(x), "frechet": judge.frechet(x, real), "ms": cost}, x


def do_part(name, seed, budget, place):
    """Train and measure one network, and keep it at `place`: weights and samples first, then the numbers, which say that it is done."""
    teacher = _load("diffusion", place.with_name("diffusion")) if name == "consistency" else None
    network, seen = train(name, seed, 60 * budget["minutes"], teacher)
    real, rows, shown = next(drawings.batches(512, seed=5))[0], {}, {}
    for row, evaluations, sample in samplers(name, network):
        numbers, x = measure(sample, real, seed, budget["count"])
        rows[row] = {"evaluations": evaluations, **numbers}
        shown[row] = ((x[:SHOWN] + 1) * 127.5).round().byte().contiguous()
        print(f"seed {seed}  {row:28s}" + "  ".join(f"{key} {value:.4g}" for key, value in numbers.items()), flush=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    save_file({key: value.half().contiguous() for key, value in network.state_dict().items()}, place.with_suffix(".safetensors"))
    save_file(shown, place.with_suffix(".samples"))
    parameters = sum(p.numel() for p in network.parameters())
    write_lines(place.with_suffix(".json"), {"pictures": seen, "parameters": parameters, "rows": [rows]})


def _load(name, place):
    network = NETWORKS[name]()
    network.load_state_dict({key: value.float() for key, value in load_file(place.with_suffix(".safetensors")).items()})
    return network.to(memory_format=torch.channels_last).eval().requires_grad_(False)


def gather(places, budget, into):
    """Write the table of all parts, the samples and the networks of the first seed.

    Args:
        places: `{(name, seed): where the part is}`.
        budget: `{"minutes": of each training, "count": of pictures}`.
        into: a folder.
    """
    seeds = sorted({seed for _, seed in places})
    parts = {key: json.loads(place.with_suffix(".json").read_text(encoding="utf-8")) for key, place in places.items()}
    real, table, shown = next(drawings.batches(512, seed=5))[0], [], {}
    for name in NETWORKS:
        ones = [parts[name, seed] for seed in seeds]
        for row in ones[0]["rows"][0]:
            numbers = [one["rows"][0][row] for one in ones]
            head = {"name": row, "parameters": ones[0]["parameters"], "evaluations": numbers[0]["evaluations"]}
            head["pictures"] = [one["pictures"] for one in ones]
            table.append(head | {key: [each[key] for each in numbers] for key in ("recognised", "found", "frechet", "ms")})
        shown |= load_file(places[name, seeds[0]].with_suffix(".samples"))
    fresh = [lambda count, seed=seed: next(drawings.batches(count, seed=200 + seed))[0] for seed in seeds]
    true = [measure(sample, real, seed, budget["count"]) for sample, seed in zip(fresh, seeds, strict=True)]
    table.append({"name": TRUE} | {key: [numbers[key] for numbers, _ in true] for key in ("recognised", "found", "frechet")})
    shown[TRUE] = ((true[0][1][:SHOWN] + 1) * 127.5).round().byte().contiguous()

    into.mkdir(parents=True, exist_ok=True)
    for name in SHIPPED:
        _replace(into / f"{name}.safetensors", load_file(places[name, seeds[0]].with_suffix(".safetensors")))
    _replace(into / "samples.safetensors", shown)
    about = {**budget, "seeds": len(seeds), "threads": torch.get_num_threads(), "machine": str(describe("cpu"))}
    write_lines(into / "table.json", about | {"table": table})


def _replace(file, tensors):
    partial = file.with_suffix(".partial")
    save_file(tensors, partial)
    partial.replace(file)


def main(
    minutes: Annotated[float, typer.Option(help="of training, for each")] = 4,
    seeds: Annotated[int, typer.Option(min=1, help="how many; each trains everything anew")] = 3,
    parts: Annotated[int, typer.Option(min=0, help="do at most so many parts in this run; 0 for all that are left")] = 0,
    count: Annotated[int, typer.Option(min=16, help="pictures that each draws")] = 256,
    folder: Annotated[Path, typer.Option(help="where parts are kept until all are done")] = Path("build/rivals"),
    into: Annotated[Path, typer.Option(help="where the table goes")] = relatives.SHIPPED,
):
    """Do the parts that are left, and write the table when all are done."""
    budget = {"minutes": minutes, "count": count}
    kept = folder / f"{minutes:g} minutes, {count} pictures"
    places = {(name, seed): kept / f"seed {seed}" / name for seed in range(seeds) for name in NETWORKS}
    left = [key for key, place in places.items() if not place.with_suffix(".json").exists()]
    for name, seed in left[: parts or None]:
        do_part(name, seed, budget, places[name, seed])
    if still := len(left) - len(left[: parts or None]):
        print(f"{still} of {len(places)} parts are left; the same command goes on with them")
    else:
        gather(places, budget, into)
        print(f"the table is in {into}")


if __name__ == "__main__":
    typer.run(main)

"""Diffusion beside its rivals and relatives, trained for the same minutes on the same drawings: `python -m benchmarks.rivals`.

Writes the table that notebook 13 shows and the networks that it goes on with, to `sdlab/assets/rivals`. The consistency model begins with
the trained diffusion model and has the same minutes again.
"""

import copy
import json
import time
from typing import Annotated

import torch
import typer
from safetensors.torch import save_file

from sdlab.scratch import ddpm, drawings, judge, relatives, rivals, sampling
from sdlab.scratch.muon import Muon, groups
from sdlab.scratch.relatives import SHIPPED
from sdlab.scratch.unet import UNet
from sdlab.system.device import describe
from sdlab.training.watch import train_for

BATCH, COUNT = 64, 512


def pictures():
    """Endless batches of the drawings."""
    return (x for x, _ in drawings.batches(BATCH))


def spend(training, seconds, optimizer):
    """Train for so long; the number of pictures seen."""
    return BATCH * sum(1 for _ in train_for(training, seconds, optimizer))


def keep(network, name):
    """Write the weights in half precision to where `sdlab.scratch.relatives.load_trained` finds them."""
    SHIPPED.mkdir(parents=True, exist_ok=True)
    save_file({key: value.half().contiguous() for key, value in network.state_dict().items()}, SHIPPED / f"{name}.safetensors")


def noise(count):
    """Where every sampler begins."""
    return torch.randn(count, 3, 16, 16)


def contestants(seconds):
    """Train each in turn, and yield `(name, pictures seen, sampler of a count, evaluations of the network a picture)`."""
    vae, flow, gan = rivals.VAE(), rivals.Flow(), rivals.GAN()
    for name, model, train in (("VAE", vae, rivals.train_vae), ("flow", flow, rivals.train_flow)):
        optimizer = Muon(groups(model.to(memory_format=torch.channels_last)), lr=2e-3)
        yield name, spend(train(model, pictures(), optimizer), seconds, optimizer), model.sample, 1
    parts = gan.to(memory_format=torch.channels_last).generator, gan.discriminator
    forger, expert = (torch.optim.Adam(part.parameters(), 1e-3, betas=(0.0, 0.99)) for part in parts)
    yield "GAN", spend(rivals.train_gan(gan, pictures(), forger, expert), seconds, forger), gan.sample, 1

    schedule, network = ddpm.cosine(512), UNet().to(memory_format=torch.channels_last)
    average, optimizer = ddpm.Average(network, 0.998), Muon(groups(network), lr=2e-3)
    seen = spend(ddpm.train(network, pictures(), schedule, optimizer, "v", average), seconds, optimizer)
    keep(average.model, "diffusion")
    teacher = sampling.denoiser(average.model, schedule, "v")
    for steps in (1, 8, 50):
        levels = sampling.space_levels(schedule, steps)
        yield (
            f"diffusion, {steps} steps",
            seen,
            lambda n, to=levels: sampling.last(sampling.ddim(teacher, schedule, noise(n), to, 1.0)),
            steps,
        )

    straight = UNet().to(memory_format=torch.channels_last)
    mean, optimizer = ddpm.Average(straight, 0.998), Muon(groups(straight), lr=2e-3)
    seen = spend(relatives.train_flow_matching(straight, pictures(), optimizer, mean), seconds, optimizer)
    keep(mean.model, "flow matching")
    velocity = relatives.velocity_of(mean.model)
    for steps in (1, 8, 50):
        yield f"flow matching, {steps} steps", seen, lambda n, k=steps: sampling.last(relatives.follow(velocity, noise(n), k)), steps

    student = copy.deepcopy(average.model).requires_grad_(True)
    memory, optimizer = ddpm.Average(student, 0.95), Muon(groups(student), lr=1e-3)
    stage = relatives.distil(student, memory, teacher, schedule, sampling.space_levels(schedule, 16), pictures(), optimizer)
    seen = spend(stage, seconds, optimizer)
    told = sampling.denoiser(memory.model, schedule, "v")
    for levels in ([511], [511, 383, 255, 127]):
        yield (
            f"consistency, {len(levels)} jumps",
            seen,
            lambda n, to=levels: sampling.last(relatives.jump(told, schedule, noise(n), to)),
            len(levels),
        )


def main(minutes: Annotated[float, typer.Option(help="of training, for each")] = 5):
    """Run the race, print a line for each, and write the table."""
    torch.manual_seed(0)
    real, table = next(drawings.batches(512, seed=5))[0], []
    for name, seen, sample, evaluations in contestants(60 * minutes):
        start = time.perf_counter()
        x = sample(COUNT).clamp(-1, 1)
        cost = 1000 * (time.perf_counter() - start) / COUNT
        table.append({
            "name": name.replace(" 1 steps", " 1 step").replace(" 1 jumps", " 1 jump"), "pictures seen": seen,
            "recognised": round(judge.recognition(x), 4), "found": judge.coverage(x), "frechet": round(judge.frechet(x, real), 1),
            "evaluations": evaluations, "ms": round(cost, 2),
        })  # fmt: skip
        print(table[-1], flush=True)
    (SHIPPED / "table.json").write_text(
        json.dumps({"minutes": minutes, "machine": str(describe()), "table": table}, indent=1) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    typer.run(main)

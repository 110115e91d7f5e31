"""What the stages that learn to remove noise share: which noise levels, the loop, and the averaged weights while one looks."""

from contextlib import contextmanager

import numpy as np
import torch

from pocket.stages.pipeline import scheduler
from pocket.world.captions import say

EMPTY_CAPTIONS = 0.1  # what guidance needs (Ho & Salimans 2022, section 3.2)
CONTINUED = 0.4  # of the peak learning rate, where a trained model is trained on: with all of it, it first forgets
CENTRE = -0.4  # log odds of the timesteps that matter most, t = 400; at t = 800 a picture of 16×16 latents is as good as gone
KNOBS = ("side", "mix", "batch", "reuse", "pool", "portuguese")  # of a configuration, that every stage here reads
LOOK_MINUTES = 6  # how often to draw a sheet and measure accuracy


def caption(scene, rng, config, empty=EMPTY_CAPTIONS):
    """What is said of a scene in training: in English, in Portuguese, or nothing, which happens with the share `empty`."""
    if rng.random() < empty:
        return ""
    return say(scene, rng, "pt" if rng.random() < config.portuguese else "en")


def peak(config, start):
    """The peak learning rate, lower where training goes on from `start`."""
    return config.lr * (CONTINUED if start else 1)


def tokenize(tokenizer, captions, device):
    """Token ids of captions, (B, 77)."""
    return tokenizer(captions, padding="max_length", truncation=True, return_tensors="pt").input_ids.to(device)


def timesteps(batch, device, generator=None, centre=CENTRE):
    """Timesteps 0…999, stratified over the batch: one fifth uniform, four fifths logit-normal (Esser et al. 2024, section 3.1).

    Args:
        batch: how many.
        device: where they go.
        generator: a source of chance.
        centre: around which log odds they gather, where things take shape.
    """
    u = (torch.randperm(batch, generator=generator) + torch.rand(batch, generator=generator)) / batch
    middle = (torch.special.ndtri(u.clamp(1e-4, 1 - 1e-4)) + centre).sigmoid()
    uniform = torch.rand(batch, generator=generator) < 0.2
    return (1000 * torch.where(uniform, u, middle)).long().clamp(0, 999).to(device)


@contextmanager
def use_average(average, model):
    """Use the averaged parameters inside the `with` block; whatever happens there, training goes on with its own."""
    average.store(model.parameters())
    try:
        average.copy_to(model.parameters())
        model.eval()
        yield
    finally:
        average.restore(model.parameters())
        model.train()


def denoise(run, denoiser, begun, pool, ask, look, times=timesteps):
    """Train until the run's minutes are spent; the denoiser ends with the averaged weights.

    Args:
        run: a `sdlab.training.run.Run`.
        denoiser: the module whose loss is lowered.
        begun: what `run.begin` made of it: the prepared model, the optimizer, and the average.
        pool: where pictures come from.
        ask: `(scenes, beside, rng)` of a batch of the pool → the further inputs of the denoiser, between the timesteps and the target.
        look: called every `LOOK_MINUTES`, with the averaged weights in place, by one process; its time does not count as training.
        times: `(batch, device)` → timesteps (B,).
    """
    model, optimizer, average = begun
    rng, schedule, looked = np.random.default_rng([run.own_seed]), scheduler(), run.spent
    for _ in run.steps(optimizer, pool.batch):
        x0, beside, scenes = pool.draw(rng)
        t, eps = times(len(x0), run.device), torch.randn_like(x0)
        noisy, target = schedule.add_noise(x0, eps, t), schedule.get_velocity(x0, eps, t)
        run.update(model(noisy, t, *ask(scenes, beside, rng), target))
        if run.spent - looked > LOOK_MINUTES and run.accelerator.is_main_process:
            looked = run.spent
            with run.pause(), use_average(average, denoiser):
                look()
    average.copy_to(denoiser.parameters())

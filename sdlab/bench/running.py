"""A whole measurement: load, count the work, measure the limit, then knob after knob, and a file that is whole after each."""

import torch

from sdlab.bench import random_weights, results
from sdlab.bench.clock import read_clock
from sdlab.bench.comparing import measure
from sdlab.bench.knobs import BASELINE, choose_knobs, list_knobs
from sdlab.bench.limits import count_work, measure_rate
from sdlab.bench.memory import watch_memory
from sdlab.bench.projecting import fit_result
from sdlab.pipes import models
from sdlab.pipes.loading import load
from sdlab.system import device as devices
from sdlab.system.calls import brief

STEPS = 25
LARGE = 100e6  # parameters of a U-Net, from which on a CPU takes seconds per step
PICTURES = (100, 1000, 3000)


def run(file, model=None, random=False, names=None, repeats=5, steps=None, device=None, note=""):
    """Measure a model on this machine, into a file.

    Args:
        file: a `Path`. If it is there and of the same measurement, what it lacks is measured.
        model: of the model table; default: as `sdlab.load`.
        random: take random weights of the true size instead of loading.
        names: of knobs; None for all.
        repeats: timed calls of each knob.
        steps: per picture; default: 25, but 1 for a large model on a CPU.
        device: default: the best there is.
        note: what a reader should know of the machine.

    Yields:
        The `Result` so far and the name of its newest entry.

    Raises:
        ValueError: no such model, knob or device; or the file is of something else.
    """
    target = devices.pick(device)
    if not random and models.look_up(model or "pocket").kind != models.TEXT:
        raise ValueError(f"model is {brief(model)}, which does not draw from text alone: measure one that does")
    pipe, cost = _load(model, random, target)
    side, steps = models.native_side(pipe), steps or _default_steps(pipe, target)
    known = list_knobs(target.type, steps, side)
    chosen = choose_knobs(names, known)
    asked = {
        "model": model if random else models.name_of(pipe), "weights": "random" if random else models.fingerprint(pipe), "side": side,
        "steps": steps, "repeats": repeats, "device": target.type,
    }  # fmt: skip
    result = results.read(file) if file.exists() else results.begin(asked, note)
    if result.asked != asked:
        raise ValueError(f"{brief(file)} is of another measurement ({_difference(result.asked, asked)}): choose another --out")
    if not result.work:
        result.load, result.work = cost, count_work(pipe, side)
        dtypes = sorted({settings.dtype for settings in known.values()})
        result.rates = {dtype: rate for dtype in dtypes if (rate := _rate(target, getattr(torch, dtype)))}
    result.done = False
    missing = {name: one for name, one in chosen.items() if name not in result.entries}
    for name, entry in measure(pipe, known[BASELINE], missing, repeats, target):
        result.entries[name] = entry
        results.write(file, result)
        yield result, name
    result.done = True
    results.write(file, result)


def _load(model, random, device):
    from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline  # noqa: F401  importing them is no part of loading a model

    with watch_memory("cpu") as held:
        start = read_clock("cpu")
        dtype = devices.default_dtype(device)
        pipe = random_weights.build(model, dtype) if random else load(model, "cpu", dtype, memory="full")
        seconds = read_clock("cpu") - start
    return pipe, {"seconds": seconds, "memory": held.to_dict()}


def _default_steps(pipe, device):
    large = sum(weight.numel() for weight in pipe.unet.parameters()) > LARGE
    return 1 if large and device.type == "cpu" else STEPS


def _rate(device, dtype):
    """The speed in a dtype; None where the device does not multiply in it."""
    try:
        return measure_rate(device, dtype)
    except RuntimeError:
        return None


def _difference(had, asked):
    return ", ".join(f"{name} {brief(had.get(name))} and not {brief(value)}" for name, value in asked.items() if had.get(name) != value)


def project(result):
    """Lines that say how long many pictures will take; none where the steps were not varied."""
    try:
        fitted = fit_result(result)
    except ValueError:
        return
    steps = result.asked["steps"]
    yield f"a picture costs {1000 * fitted.per_picture:.3g} ms and {1000 * fitted.per_step:.3g} ms per step"
    for pictures in PICTURES:
        yield f"{pictures} pictures of {steps} steps: {fitted.project(pictures, steps)}"

"""Compare settings with the baseline, in the same run and in turn, so that what slows the machine down slows both.

`measure` is a generator: it gives each entry as soon as it is measured, and the caller keeps it, shows it, or stops.
"""

import numpy as np
import torch
from accelerate.utils.memory import clear_device_cache

from sdlab.bench.clock import read_clock, time_call
from sdlab.bench.memory import watch_memory
from sdlab.bench.preparing import arrange, call_arguments, vary
from sdlab.bench.results import Entry

PROMPTS = tuple(f"a {colour} casual shoe on a white background, product photo" for colour in ("black", "brown", "white"))
LONGEST = 300  # characters of a reason that are kept


def interleave(functions, repeats):
    """Call two functions in turn, `repeats` times each. The one that begins alternates, for whoever comes second may find things warm.

    Args:
        functions: two, called with the number of the repeat.
        repeats: pairs of calls.

    Returns:
        What each gave: two lists, whose items of the same place belong together.
    """
    found = [], []
    for number in range(repeats):
        for which in (0, 1) if number % 2 == 0 else (1, 0):
            found[which].append(functions[which](number))
    return found


def measure(pipe, own, knobs, repeats, device):
    """Measure a pipeline with every knob against the baseline.

    Of a knob, the first call is kept apart, for it pays for what is done once; the second is watched for its memory; then `repeats` calls
    are timed, in turn with as many of the baseline. What fails is kept with its reason, and the next knob follows.

    Args:
        pipe: as it was loaded, on any device, not compiled. It gets the settings of the baseline.
        own: those settings.
        knobs: `{name: Settings}`; the baseline may be among them.
        repeats: timed calls of each.
        device: where to compute.

    Yields:
        `(name, Entry)`.
    """
    arrange(pipe, own, device).set_progress_bar_config(disable=True)  # a bar costs time
    if own not in knobs.values():
        _draw(pipe, own, 0, device)  # what it compares with is to be warm
    for name, settings in knobs.items():
        yield name, _measure_baseline(pipe, own, repeats, device) if settings == own else _try(pipe, own, settings, repeats, device)
        clear_device_cache(garbage_collection=True)


def _draw(pipe, settings, number, device):
    return time_call(pipe, device, **call_arguments(pipe, settings, PROMPTS[number % len(PROMPTS)], device))


def _warm_up(pipe, settings, device):
    """An `Entry` with the first call and the memory of the second, whose pictures come along."""
    first, _ = _draw(pipe, settings, 0, device)
    with watch_memory(device) as held:
        _, pictures = _draw(pipe, settings, 0, device)
    return Entry(settings, first=first, memory=held), pictures


def _measure_baseline(pipe, own, repeats, device):
    entry, _ = _warm_up(pipe, own, device)
    entry.samples = [_draw(pipe, own, number, device)[0] for number in range(repeats)]
    return entry


def _try(pipe, own, settings, repeats, device):
    try:
        return _compare(pipe, own, settings, repeats, device)
    except Exception as error:  # whatever a device, a compiler or a library cannot do is a result too
        reason = str(error).strip().partition("\n")[0]
        return Entry(settings, failed=f"{type(error).__name__}: {reason}"[:LONGEST])
    finally:
        if settings.compile:
            torch.compiler.reset()


def _compare(pipe, own, settings, repeats, device):
    start = read_clock(device)
    new = vary(pipe, own, settings, device)
    ready = read_clock(device)
    try:
        entry, pictures = _warm_up(new, settings, device)
        calls = (lambda i: _draw(pipe, own, i, device)), (lambda i: _draw(new, settings, i, device))
        theirs, ours = interleave(calls, repeats)
    finally:
        if settings.offload:
            new.remove_all_hooks()
    entry.prepare = ready - start
    entry.against, entry.samples = ([sample for sample, _ in these] for these in (theirs, ours))
    entry.pixels = largest_difference(pictures[0], theirs[0][1][0])
    return entry


def largest_difference(picture, other):
    """The largest difference between two PIL pictures, in levels from 0 to 255; None where their sizes differ."""
    if picture.size != other.size:
        return None
    return int(np.abs(np.asarray(picture, int) - np.asarray(other, int)).max())

"""Content keys: what a picture depends on, as one short text. Equal keys mean that drawing again would give the same picture.

A key is made of the completed recipe, of the model as it is in memory now, of the kind of device with its number format, and of the
libraries that draw. What hooks and other code do inside a pipeline is not seen.
"""

import hashlib
import json
from functools import cache
from importlib.metadata import version

import torch

LIBRARIES = ("torch", "diffusers", "transformers")
WHOLE = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}  # bytes of a number → the integer of that size
NUMBERS = (bool, int, float)
ADAPTER = ("_active_adapter", "_disable_adapters")  # of PEFT's layers; other private values can change while pictures are drawn
SAMPLES = 64  # values of each tensor that are looked at one by one


def content_key(recipe, model):
    """Sixteen hexadecimal digits that stand for a picture.

    Args:
        recipe: completed, of one image.
        model: what `identify` says of the pipelines that draw it.
    """
    return _digest([recipe.to_dict(), model, _versions()])[:16]


def identify(*pipes):
    """What these pipelines are now: one text, another one when any weight or setting of their parts has changed.

    `models.fingerprint` looks at the U-Net's first values only. Here all weights of all parts count, the strength of an adapter too, and
    the noise schedule: a picture that is taken from a gallery must be the one that would be drawn.

    Args:
        pipes: pipelines; None among them is passed over.
    """
    told = []
    for pipe in filter(None, pipes):
        told.append([pipe.device.type, type(pipe.scheduler).__name__, _public(pipe.scheduler.config)])
        for name, part in pipe.components.items():
            if isinstance(part, torch.nn.Module):
                told.append([name, _settings(part), _weights(part)])
    return _digest(told)


def digest_pixels(image):
    """What tells a PIL image from one with other pixels, size or mode."""
    return hashlib.sha256(f"{image.mode} {image.size} ".encode() + image.tobytes()).hexdigest()[:16]


@cache
def _versions():
    return {library: version(library) for library in LIBRARIES}


def _digest(told):
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()


@torch.no_grad()
def _weights(part):
    """Of each tensor its name, its kind, some values spread over it, and the sum of all its bits read as integers.

    A sum of integers is exact, so it does not depend on the device or on how many threads add; one changed value changes it.
    """
    named = [(name, tensor.flatten()) for name, tensor in part.state_dict().items()]
    whole = [(name, tensor, tensor.view(WHOLE[tensor.element_size()])) for name, tensor in named if len(tensor)]
    if not whole:
        return []
    sums = torch.stack([numbers.sum(dtype=torch.int64) for _, _, numbers in whole]).tolist()  # one look at the device for all
    samples = torch.cat([numbers[:: max(1, len(numbers) // SAMPLES)][:SAMPLES].to(torch.int64) for _, _, numbers in whole])
    kinds = [(name, str(tensor.dtype), len(tensor), total) for (name, tensor, _), total in zip(whole, sums, strict=True)]
    return [kinds, hashlib.sha256(samples.cpu().numpy().tobytes()).hexdigest()]


def _settings(part):
    """The plain values of a part and of every module in it, such as an adapter's strength; texts are left out, for they can be paths."""
    return [_public(getattr(part, "config", {})), [_plain(vars(module)) for module in part.modules()]]


def _plain(values):
    told = {name: values[name] for name in ADAPTER if name in values}
    for name, value in values.items():
        numbers = value.values() if type(value) is dict else [value]
        if not name.startswith("_") and all(type(number) in NUMBERS for number in numbers):
            told[name] = value
    return told


def _public(config):
    """A diffusers configuration without its notes on where it came from; a transformers one says the same as its modules do."""
    return {name: value for name, value in config.items() if not name.startswith("_")} if isinstance(config, dict) else {}

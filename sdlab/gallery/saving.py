"""A folder of pictures that each carry their recipe: save, read back, make again.

A saved PNG holds three texts: `parameters` in the form of the AUTOMATIC1111 web UI, which other tools read; `sdlab`, our JSON, from
which `read` rebuilds the Recipe; and an XMP packet in which IPTC's DigitalSourceType says that a model made it.
"""

import json
import os
import re
import unicodedata
from datetime import datetime, timezone
from pathlib import Path

from PIL import Image, PngImagePlugin

from sdlab import __version__
from sdlab.pipes.recipe import Recipe

MADE_BY_A_MODEL = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
XMP = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    f'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" Iptc4xmpExt:DigitalSourceType="{MADE_BY_A_MODEL}"/>'
    '</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
)


def slug(text, longest=48):
    """A file name made from a prompt: plain letters, digits and hyphens, so that no prompt can leave its folder."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:longest].strip("-") or "picture"


def parameters_text(recipe, model_hash):
    """The recipe in the web UI's form: prompt, negative prompt, then `Steps: …, Sampler: …, CFG scale: …` on one line."""
    lines = [recipe.prompt] + ([f"Negative prompt: {recipe.negative_prompt}"] if recipe.negative_prompt else [])
    settings = {
        "Steps": recipe.steps, "Sampler": recipe.sampler, "CFG scale": recipe.guidance, "Seed": recipe.seed,
        "Size": f"{recipe.width}x{recipe.height}", "Model hash": model_hash, "Model": recipe.model, "Version": f"sdlab {__version__}",
    }  # fmt: skip
    return "\n".join([*lines, ", ".join(f"{key}: {value}" for key, value in settings.items())])


def save(generation, folder="outputs"):
    """Save every image of a generation with its recipe.

    Args:
        generation: from `generate`.
        folder: made if it is not there.

    Returns:
        The paths of the PNG files, named after prompt and seed; a number is added rather than a file overwritten.

    Raises:
        OSError: the folder cannot be written, or the disk is full; no half file is left behind.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"folder {folder} cannot be made ({error.strerror}): choose one you may write to") from error
    return [_save_one(generation, index, folder) for index in range(len(generation.images))]


def _save_one(generation, index, folder):
    recipe = generation.recipe.but(seed=generation.recipe.seed + index, images=1)
    import diffusers
    import torch

    story = {
        "recipe": recipe.to_dict(), "model_hash": generation.model_hash, "device": generation.device, "dtype": generation.dtype,
        "seconds": round(generation.seconds / len(generation.images), 3), "made": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "versions": {"sdlab": __version__, "torch": torch.__version__, "diffusers": diffusers.__version__},
    }  # fmt: skip
    texts = PngImagePlugin.PngInfo()
    texts.add_itxt("parameters", parameters_text(recipe, generation.model_hash))
    texts.add_itxt("sdlab", json.dumps(story, ensure_ascii=False))
    texts.add_itxt("XML:com.adobe.xmp", XMP)
    stem = f"{slug(recipe.prompt)}-{recipe.seed}"
    partial = folder / f".{stem}-{os.getpid()}.partial"
    try:
        with open(partial, "xb") as file:
            generation.images[index].save(file, "PNG", pnginfo=texts)
            file.flush()
            os.fsync(file.fileno())
        return _settle(partial, folder, stem)
    except OSError as error:
        raise OSError(
            f"{folder / stem}.png could not be written ({error.strerror or error}): free space or choose another folder"
        ) from error
    finally:
        partial.unlink(missing_ok=True)


def _settle(partial, folder, stem):
    """Give the finished file its name, or the next free one; a link fails where a rename would overwrite."""
    number = 1
    while True:
        path = folder / (f"{stem}.png" if number == 1 else f"{stem}-{number}.png")
        try:
            os.link(partial, path)
            return path
        except FileExistsError:
            number += 1


def read(file):
    """The Recipe a saved picture carries.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a picture, no recipe in it, or a broken one.
    """
    file = Path(file)
    try:
        with Image.open(file) as picture:
            story = picture.info.get("sdlab")
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{file} does not exist: give a picture that sdlab.save made") from error
    except (OSError, SyntaxError) as error:
        raise ValueError(f"{file} is not a readable picture: give a PNG that sdlab.save made") from error
    if story is None:
        raise ValueError(f"{file} carries no recipe: only pictures that sdlab.save made do, and re-saving elsewhere can strip it")
    try:
        return Recipe.from_dict(json.loads(story)["recipe"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"the recipe in {file} is broken ({error}): make the picture again from a recipe you know") from error


def reproduce(file, pipe=None):
    """Make a saved picture again from the recipe inside it; on the same device and versions, pixel for pixel.

    Args:
        file: a PNG that `save` made.
        pipe: a loaded pipeline; default: the model the recipe names is loaded.

    Returns:
        The new `Generation`.
    """
    from sdlab.pipes.generation import generate
    from sdlab.pipes.loading import load

    recipe = read(file)
    pipe = pipe or load(recipe.model)
    base = pipe[0] if isinstance(pipe, tuple) else pipe  # of a base and its refiner, `generate` takes the base
    return generate(base, recipe, progress=False)

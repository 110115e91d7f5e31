"""Make a saved picture again from the recipe inside it."""

import os

from sdlab.gallery.reading import unpack
from sdlab.pipes.generation import generate
from sdlab.pipes.hosted import HOSTED
from sdlab.pipes.loading import load
from sdlab.pipes.models import MODELS, is_hub_id
from sdlab.system.calls import brief, check_call

ORDER = "the pipeline comes first and then the file, as in sdlab.reproduce(pipe, 'lion.png')"


@check_call("sdlab.reproduce(pipe, 'lion.png')")
def reproduce(pipe=None, file=None, *, download=False):
    """Make a saved picture again from the recipe inside it; on the same device and versions, pixel for pixel.

    Args:
        pipe: the pipeline of the model that drew the picture; another model draws another picture. `reproduce(file)`, without one,
            loads the model that the recipe names, if its weights are on this machine.
        file: a picture that `save` made.
        download: fetch a model that is not on this machine. A file from a stranger can name any model, of any size; so this is asked.

    Returns:
        The new `Generation`.

    Raises:
        TypeError: something that is no pipeline or no file, or the two in the wrong order.
        OSError: the recipe's model is not on this machine; the message says how large it is. Or, with the file, as `read`.
        ValueError: the recipe names no model that can be found. Or, with the file, as `read`.
    """
    pipe, file = _in_order(pipe, file)
    if not isinstance(download, bool):
        raise TypeError(f"download is {brief(download)}: it must be True or False")
    recipe, story = unpack(file)
    if pipe is None and str(story.get("device", "")).startswith(HOSTED):
        asked = f"sdlab.generate_hosted(sdlab.read({brief(file)}), model={brief(recipe.model)})"
        raise ValueError(f"{brief(file)} was drawn by a hosted service, which alone can draw it again, and only perhaps: {asked} asks it")
    return generate(pipe if pipe is not None else _load_drawer(recipe, file, download), recipe, progress=False)


def _in_order(pipe, file):
    """The pipeline, or None, and the file, from what was given as first and second."""
    if file is None and (pipe is None or _is_path(pipe)):
        pipe, file = None, pipe
    if file is None:
        given = "nothing" if pipe is None else f"a {type(pipe).__name__} and no file"
        raise TypeError(f"got {given}: give the file of a saved picture, {ORDER}")
    if _is_pipeline(file):
        raise TypeError(f"got {brief(pipe)} before the pipeline: {ORDER}")
    if _is_path(pipe):
        raise TypeError(f"got {brief(pipe)} where the pipeline belongs: load one first, such as sdlab.load('pocket'); {ORDER}")
    if pipe is not None and not _is_pipeline(pipe):
        raise TypeError(f"got {brief(pipe)} ({type(pipe).__name__}) and not a pipeline, as sdlab.load gives one: {ORDER}")
    return pipe, file


def _is_path(value):
    return isinstance(value, str | os.PathLike)


def _is_pipeline(value):
    """A pipeline, or a pair of base and refiner."""
    from diffusers import DiffusionPipeline

    parts = value if isinstance(value, tuple) and value else (value,)
    return all(isinstance(part, DiffusionPipeline) for part in parts)


def _load_drawer(recipe, file, download):
    """The pipeline of the model that drew a picture, or the pair; from the network only when that was asked for."""
    if not recipe.model:
        raise ValueError(f"the recipe in {brief(file)} names no model: give the pipeline that drew it, sdlab.reproduce(pipe, file)")
    base = _load_one(recipe.model, file, download)
    return (base, _load_one(recipe.refiner, file, download, base=base)) if recipe.refiner else base


def _load_one(name, file, download, **base):
    known = name in MODELS or is_hub_id(name)
    with_pipe = f"sdlab.reproduce(sdlab.load({brief(name if known else 'folder')}), {brief(file)})"
    try:
        return load(name, local_files_only=not download, **base)
    except OSError as error:
        row = MODELS.get(name)
        if download or not known or (row and not row.commit):
            raise
        size = f"a download of {row.gigabytes} GB" if row else "a download of unknown size"
        raise OSError(
            f"the recipe names model {brief(name)}, which is not whole on this machine and would be {size}: "
            f"fetch it with {with_pipe} or download=True"
        ) from error
    except (ValueError, TypeError) as error:
        raise ValueError(f"the recipe names model {brief(name)}, which cannot be found here: name its folder, {with_pipe}") from error

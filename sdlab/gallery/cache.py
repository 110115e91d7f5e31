"""A gallery that is asked first: pictures that were made before are taken from it, found by their content key.

A file's name ends in the key, so that a picture is found without reading the others, and two processes that make the same one leave one
file. To be taken, a file must also carry the key inside and hold the very pixels that were kept.
"""

import os
import warnings
from contextlib import suppress

from PIL import Image

from sdlab.gallery.keys import digest_pixels
from sdlab.gallery.reading import open_with_story
from sdlab.gallery.saving import encode_image, slug
from sdlab.gallery.sources import keep_sources
from sdlab.pipes.generation import Generation
from sdlab.system.calls import brief
from sdlab.system.files import check_writable, replace_file
from sdlab.system.messages import as_path


class Cache:
    """Pictures in a folder by content key.

    Args:
        folder: of a gallery; `check` makes it where it is not there.

    Raises:
        TypeError, ValueError: `folder` can name none.
    """

    def __init__(self, folder):
        self.folder = as_path(folder, "give a folder to keep pictures in, such as gallery='outputs/sweeps', or None to keep none")

    def file(self, key, recipe):
        """Where the picture of a key is, or will be."""
        return self.folder / f"{slug(recipe.prompt)}-{recipe.seed}-{key}.png"

    def has(self, key, recipe):
        """Whether there is such a file; whether it is sound, `find` says."""
        return self.file(key, recipe).exists()

    def check(self):
        """Make the folder, and refuse one that pictures cannot be written to.

        Raises:
            OSError: with the cause.
        """
        check_writable(self.folder)

    def find(self, key, recipe):
        """The picture of a key as a `Generation`; None if it is not there.

        A damaged or altered file is told with a warning and set aside, under its name with `.damaged`.
        """
        file = self.file(key, recipe)
        if not self.has(key, recipe):
            return None
        try:
            picture, _, story = open_with_story(file)
            if story["key"] != key or story["pixels"] != digest_pixels(picture):
                raise ValueError("these are not the pixels that were kept")
            plain = Image.frombytes(picture.mode, picture.size, picture.tobytes())  # without the texts of its file
            cost = {name: story[name] for name in ("seconds", "device", "dtype", "peak_memory", "model_hash")}
            return Generation(recipe, [plain], **cost)
        except (OSError, ValueError, KeyError):
            with suppress(OSError):  # where it cannot be moved, it will be replaced
                os.replace(file, file.with_name(f"{file.name}.damaged"))
            warnings.warn(f"{brief(file)} is damaged: it is set aside with .damaged behind its name, and made again", stacklevel=2)
            return None

    def keep(self, key, generation):
        """Write the picture of a Generation of one image.

        Raises:
            OSError: it cannot be written; no half file is left.
        """
        content = encode_image(generation, 0, key=key, pixels=digest_pixels(generation.image), seconds=generation.seconds)
        keep_sources(generation.recipe, self.folder)
        replace_file(self.file(key, generation.recipe), content)

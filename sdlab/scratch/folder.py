"""A folder of pictures as training data. What cannot be read is left out and listed; it does not stop anything."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

ENDINGS = frozenset(Image.registered_extensions())


def read(path, side):
    """One picture, turned as its EXIF says, on white, its middle square at `side`×`side`: uint8 array (side, side, 3)."""
    with Image.open(path) as picture:
        picture = ImageOps.exif_transpose(picture).convert("RGBA")
    white = Image.new("RGBA", picture.size, "white")
    white.alpha_composite(picture)
    return np.asarray(ImageOps.fit(white.convert("RGB"), (side, side), Image.LANCZOS))


def load(folder, side):
    """All pictures below a folder, held in memory: 3·side² bytes each.

    Args:
        folder: searched with its subfolders for files whose endings Pillow knows.
        side: pixels.

    Returns:
        uint8 tensor (N, 3, side, side), and a list of `(path, reason)` for files that cannot be read.

    Raises:
        FileNotFoundError: the folder does not exist, or holds no picture that can be read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is no folder: give one that holds pictures")
    files = sorted(f for f in folder.rglob("*") if f.suffix.lower() in ENDINGS and f.is_file())

    def attempt(path):
        try:
            return read(path, side)
        except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:  # what Pillow's readers raise
            return (path, (str(error) or type(error).__name__).splitlines()[0])

    with ThreadPoolExecutor() as pool:
        found = list(pool.map(attempt, files))
    skipped = [item for item in found if isinstance(item, tuple)]
    pictures = [item for item in found if not isinstance(item, tuple)]
    if not pictures:
        reason = f": {skipped[0][0].name}: {skipped[0][1]}" if skipped else ""
        raise FileNotFoundError(f"{folder} holds no picture that can be read ({len(skipped)} tried{reason}): put PNG or JPEG files there")
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous(), skipped


def batches(pictures, size, seed=0):
    """Endless batches (size, 3, side, side) in −1…1, drawn at random from uint8 pictures (N, 3, side, side)."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        chosen = torch.randint(len(pictures), (size,), generator=generator)
        yield pictures[chosen] / 127.5 - 1

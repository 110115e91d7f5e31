"""A folder of pictures with captions, as people have them: what cannot be used is left out and listed, and stops nothing.

A caption comes from the first of these that the folder has:

- `metadata.jsonl`, one line per picture, `{"file_name": "a.png", "text": "a brown shoe"}`, as the library `datasets` wants it;
- a text file beside the picture, `a.txt` or `a.caption` beside `a.png`;
- the picture's name, `a-brown-shoe-3.png`, if it says something: `IMG_2034.jpg` does not.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

from sdlab.scratch import folder as pictures
from sdlab.system.calls import brief

METADATA, COLUMNS, BESIDE = "metadata.jsonl", ("text", "caption", "prompt"), (".txt", ".caption")
CAMERAS = {"img", "image", "dsc", "dscn", "dscf", "pxl", "photo", "picture", "pic", "screenshot", "scan", "untitled", "file", "vid"}


@dataclass(frozen=True)
class Example:
    """One picture to learn from.

    Args:
        path: where it came from.
        caption: what it shows.
        pixels: uint8 tensor (3, side, side), the middle square of the picture.
        frame: how it was cut, as SDXL is told it: height and width of the file, top and left of the square after it was made smaller.
    """

    path: Path
    caption: str
    pixels: torch.Tensor
    frame: tuple[int, int, int, int]


def read_captions(folder):
    """The pictures below a folder with their captions.

    Returns:
        `{path: caption}`, in the order of the paths, and what was left out: `[(path, reason)]`.

    Raises:
        FileNotFoundError: there is no such folder, or no picture in it.
        ValueError: no picture has a caption, or `metadata.jsonl` cannot be read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is no folder: give one that holds pictures")
    files = sorted(f for f in folder.rglob("*") if f.suffix.lower() in pictures.ENDINGS and f.is_file())
    if not files:
        raise FileNotFoundError(f"{folder} holds no picture: put PNG or JPEG files there")
    skipped = []
    if (folder / METADATA).exists():
        told = _read_metadata(folder / METADATA)
        skipped += [(path, f"named in {METADATA} and not there") for path in told if not path.is_file()]
    elif any(_beside(path) for path in files):
        told = {path: _read_text(text) for path in files if (text := _beside(path))}
    else:
        told = {path: caption for path in files if (caption := _read_name(path))}
    captions = {path: told[path] for path in files if told.get(path)}
    skipped += [(path, "no caption") for path in files if path not in captions]
    if not captions:
        raise ValueError(
            f"none of the {len(files)} pictures in {folder} has a caption: say what each shows in a text file beside it "
            f"({files[0].stem}.txt), in {METADATA}, or in its name"
        )
    return captions, skipped


def _read_metadata(file):
    """`{path: caption}` from a file of the `datasets` convention."""
    told = {}
    for number, line in enumerate(file.read_text(encoding="utf-8-sig", errors="replace").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            caption = next(str(row[column]) for column in COLUMNS if row.get(column))
            told[file.parent / row["file_name"]] = caption.strip()
        except (ValueError, KeyError, TypeError, AttributeError, StopIteration) as error:
            raise ValueError(
                f'{file}, line {number} is {brief(line)}: each line must be like {{"file_name": "a.png", "text": "a brown shoe"}}'
            ) from error
    return told


def _beside(picture):
    return next((text for ending in BESIDE if (text := picture.with_suffix(ending)).is_file()), None)


def _read_text(file):
    return " ".join(file.read_text(encoding="utf-8-sig", errors="replace").split())


def _read_name(picture):
    """The words of a file's name, without numbers and what cameras write; "" where none is left."""
    words = re.sub(r"[\W_]+", " ", re.sub(r"\([^)]*\)", " ", picture.stem)).split()
    words = [word for word in words if not any(letter.isdigit() for letter in word)]
    return " ".join(words) if any(len(word) > 1 and word.lower() not in CAMERAS for word in words) else ""


def read_examples(folder, side):
    """The pictures of a folder that have a caption and can be read.

    Args:
        folder: as for `read_captions`.
        side: pixels; each picture is made smaller or larger until its middle square has this side.

    Returns:
        A list of `Example`, and what was left out: `[(path, reason)]`.

    Raises:
        FileNotFoundError, ValueError: as `read_captions`; or no picture can be read.
    """
    captions, skipped = read_captions(folder)
    examples = []
    for path, caption in captions.items():
        try:
            pixels = torch.from_numpy(np.array(pictures.read(path, side))).permute(2, 0, 1)
            examples.append(Example(path, caption, pixels, _frame(path, side)))
        except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:  # what Pillow's readers raise
            skipped.append((path, (str(error) or type(error).__name__).splitlines()[0]))
    if not examples:
        path, reason = skipped[-1]
        raise FileNotFoundError(
            f"{folder} holds no picture that can be read ({len(captions)} tried: {path.name}: {reason}): put PNG or JPEG files there"
        )
    return examples, skipped


def _frame(path, side):
    """Height and width of the file, and the corner of its middle square once its shorter side is `side` pixels long."""
    with Image.open(path) as picture:
        width, height = ImageOps.exif_transpose(picture).size
    scale = side / min(width, height)
    return height, width, max(0, round((height * scale - side) / 2)), max(0, round((width * scale - side) / 2))

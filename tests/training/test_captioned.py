"""Folders of pictures with captions, as people have them."""

import json

import numpy as np
import pytest
from PIL import Image

from sdlab.training.captioned import read_captions, read_examples


@pytest.fixture
def folder(tmp_path):
    """Two good pictures without captions, and one that cannot be read."""
    where = tmp_path / "shoes"
    where.mkdir()
    rng = np.random.default_rng(0)
    for name, size in (("a.png", (60, 40)), ("b.jpg", (30, 30))):
        Image.fromarray(rng.integers(0, 255, (size[1], size[0], 3), np.uint8)).save(where / name)
    (where / "torn.png").write_bytes((where / "a.png").read_bytes()[:200])
    return where


def write(file, text):
    file.write_text(text, encoding="utf-8")


def captions(folder):
    found, skipped = read_captions(folder)
    return {path.name: caption for path, caption in found.items()}, {path.name: reason for path, reason in skipped}


def test_captions_in_metadata(folder):
    rows = [
        {"file_name": "a.png", "text": " a red shoe "},
        {"file_name": "gone.png", "text": "a boot"},
        {"file_name": "b.jpg", "caption": "é"},
    ]
    (folder / "metadata.jsonl").write_text("\ufeff" + "\n\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    told, skipped = captions(folder)
    assert told == {"a.png": "a red shoe", "b.jpg": "é"}
    assert skipped == {"gone.png": "named in metadata.jsonl and not there", "torn.png": "no caption"}


def test_captions_in_text_files(folder):
    (folder / "a.txt").write_text("a red\nshoe\n", encoding="utf-8")
    (folder / "torn.caption").write_text("a boot", encoding="utf-8")
    told, skipped = captions(folder)
    assert told == {"a.png": "a red shoe", "torn.png": "a boot"} and skipped == {"b.jpg": "no caption"}


def test_captions_in_names(folder):
    (folder / "a.png").rename(folder / "a-brown_shoe (2) 03.png")
    (folder / "b.jpg").rename(folder / "IMG_2034.jpg")
    told, skipped = captions(folder)
    assert told == {"a-brown_shoe (2) 03.png": "a brown shoe", "torn.png": "torn"} and skipped == {"IMG_2034.jpg": "no caption"}


def test_what_cannot_be_read_is_listed_and_the_rest_is_cut_to_the_middle(folder):
    for name in ("a", "b", "torn"):
        (folder / f"{name}.txt").write_text(f"shoe {name}", encoding="utf-8")
    examples, skipped = read_examples(folder, 20)
    assert [(one.caption, tuple(one.pixels.shape)) for one in examples] == [("shoe a", (3, 20, 20)), ("shoe b", (3, 20, 20))]
    assert [one.frame for one in examples] == [(40, 60, 0, 5), (30, 30, 0, 0)]
    assert [path.name for path, _ in skipped] == ["torn.png"] and skipped[0][1]


@pytest.mark.parametrize(
    ("spoil", "error", "said"),
    [
        (lambda where: [file.unlink() for file in where.iterdir()], FileNotFoundError, "holds no picture: put PNG or JPEG files there"),
        (lambda where: [file.rename(where / f"IMG_{i}{file.suffix}") for i, file in enumerate(where.iterdir())], ValueError,
         "none of the 3 pictures in .* has a caption: say what each shows in a text file beside it"),
        (lambda where: write(where / "metadata.jsonl", '{"file_name": "a.png"}'), ValueError, "line 1 is .* must be like"),
        (lambda where: write(where / "metadata.jsonl", '{"file_name": "a.png", "text": "x"}\noops'), ValueError, "line 2 is 'oops'"),
        (lambda where: write(where / "metadata.jsonl", ""), ValueError, "none of the 3 pictures"),
        (lambda where: write(where / "torn.txt", "a shoe"), FileNotFoundError, r"no picture that can be read \(1 tried: torn.png"),
    ],
)  # fmt: skip
def test_a_folder_that_cannot_be_used_is_told_in_a_sentence(folder, spoil, error, said):
    spoil(folder)
    with pytest.raises(error, match=said) as caught:
        read_examples(folder, 16)
    assert "\n" not in str(caught.value)


def test_no_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere is no folder"):
        read_captions(tmp_path / "nowhere")

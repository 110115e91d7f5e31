import json
import re

import pytest
from PIL import Image, PngImagePlugin

import sdlab
from sdlab.gallery.encoding import xmp_packet

SOUND = {"prompt": "a lion", "seed": 3}


def picture_with(folder, story, suffix="png"):
    texts, path = PngImagePlugin.PngInfo(), folder / f"picture.{suffix}"
    if story is not None:
        texts.add_itxt("sdlab", story)
    extra = {"pnginfo": texts} if suffix == "png" else {"xmp": xmp_packet({}, story).encode()}
    Image.new("RGB", (8, 8)).save(path, **extra)
    return path


def test_what_another_program_knows_beside_the_recipe_does_not_disturb(tmp_path):
    assert sdlab.read(picture_with(tmp_path, json.dumps({"recipe": SOUND, "mood": "good"}))) == sdlab.Recipe("a lion", seed=3)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
@pytest.mark.parametrize(
    ("story", "said"),
    [
        (None, "carries no recipe"),
        ("{", "is broken"),
        ("{}", "is broken"),
        ("[]", "is broken"),
        ("3", "is broken"),
        ("[" * 20_000, "is broken"),
        (json.dumps({"recipe": None}), "is broken"),
        (json.dumps({"recipe": ["prompt"]}), "is broken"),
        (json.dumps({"recipe": {"prompt": "a lion", "steps": -4}}), "steps is -4"),
        (json.dumps({"recipe": {"prompt": "a lion", "cfg": 2}}), "unknown ingredients"),
    ],
)
def test_a_picture_without_a_sound_recipe_is_refused(tmp_path, story, said, suffix):
    with pytest.raises(ValueError, match=said):
        sdlab.read(picture_with(tmp_path, story, suffix))


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.9])
def test_a_picture_cut_short_is_not_taken_for_a_whole_one(make, tmp_path, suffix, share):
    [path] = sdlab.save(make(side=64), tmp_path / f"lion.{suffix}")
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(ValueError, match="is not a readable picture"):
        sdlab.read(path)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_damage_anywhere_is_one_sentence_or_the_true_recipe(make, tmp_path, suffix):
    run = make(side=16)
    [path] = sdlab.save(run, tmp_path / f"lion.{suffix}")
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes(255 - byte for byte in whole[place : place + 4]) + whole[place + 4 :])
        try:
            sdlab.read(path)
        except ValueError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("give", "kind", "said"),
    [
        (lambda folder, run: folder / "nothing.png", FileNotFoundError, "does not exist"),
        (lambda folder, run: "l" * 5000, ValueError, "is not a readable picture"),
        (lambda folder, run: folder, IsADirectoryError, r"is a folder .* sdlab\.Gallery"),
        (lambda folder, run: sdlab.save(run, folder), TypeError, r"\(list\) and not a path: give one file"),
        (lambda folder, run: run, TypeError, r"\(Generation\) and not a path"),
        (lambda folder, run: run.image, TypeError, "and not a path"),
        (lambda folder, run: None, TypeError, r"got None \(NoneType\)"),
        (lambda folder, run: 3, TypeError, r"got 3 \(int\)"),
        (lambda folder, run: b"lion.png", TypeError, r"\(bytes\)"),
        (lambda folder, run: " ", ValueError, "can name no file"),
        (lambda folder, run: "a\0.png", ValueError, "can name no file"),
    ],
)
def test_a_wrong_call_is_one_sentence(make, tmp_path, give, kind, said):
    with pytest.raises(kind, match=said) as caught:
        sdlab.read(give(tmp_path, make()))
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 500
    assert re.search(r": \S", message)


def test_a_file_that_is_no_picture_is_refused(tmp_path):
    (tmp_path / "text.png").write_text("not a picture", encoding="utf-8")
    with pytest.raises(ValueError, match=r"is not a readable picture \(no picture format begins so"):
        sdlab.read(tmp_path / "text.png")


def test_a_file_that_may_not_be_read_says_so(make, tmp_path, monkeypatch):
    [path] = sdlab.save(make(), tmp_path)

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Image, "open", refuse)
    with pytest.raises(PermissionError, match=r"may not be read \(Permission denied\): ask its owner"):
        sdlab.read(path)

"""A named batch: a file for each picture, one JSON for all, and nothing outside the folder."""

import errno
import json
import os
import re
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import sdlab
from sdlab.gallery import batch, saving


@pytest.fixture
def quick(make, monkeypatch):
    """`generate` that draws noise; returns the prompts that it was given."""
    prompts = []

    def generate(pipe, recipe, progress):
        prompts.append(recipe.prompt)
        return make(recipe.prompt, images=recipe.images, seed=recipe.seed)

    monkeypatch.setattr(batch, "generate", generate)
    return prompts


def test_named_recipes_become_files_and_one_json(pipe, recipe, tmp_path):
    asked = {"landscape": "a castle in the desert", "Two portraits": recipe.but(images=2), "抽象": recipe.but(guidance=2, seed=1)}
    asked["landscape"] = sdlab.Recipe(asked["landscape"], steps=2)
    made = sdlab.save_batch(pipe, asked, tmp_path, progress=False)
    stamp = re.fullmatch(r"batch-(\d{8}-\d{6})\.json", made.record.name)[1]
    assert {name: [path.name for path in paths] for name, paths in made.pictures.items()} == {
        "landscape": [f"landscape-{stamp}.png"],
        "Two portraits": [f"Two portraits-{stamp}.png", f"Two portraits-{stamp}-2.png"],
        "抽象": [f"抽象-{stamp}.png"],
    }
    told = json.loads(made.record.read_text(encoding="utf-8"))
    assert told["made"] and {"sdlab", "torch", "diffusers"} <= set(told["versions"])
    for name, entry in told["pictures"].items():
        drawn = sdlab.Recipe.from_dict(entry["recipe"])
        assert drawn == asked[name].but(**{n: getattr(drawn, n) for n in ("steps", "guidance", "width", "height", "sampler", "model")})
        assert None not in (drawn.steps, drawn.guidance, drawn.width, drawn.height, drawn.sampler, drawn.model)
        assert entry["files"] == [path.name for path in made.pictures[name]]
        assert len(entry["model_hash"]) == 10 and entry["seconds"] > 0 and entry["dtype"] == "float32"
        for path, single in zip(made.pictures[name], drawn.split(), strict=True):
            assert sdlab.read(path) == single
    twin = sdlab.reproduce(pipe, made.pictures["landscape"][0])
    assert twin.image.tobytes() == sdlab.Gallery(tmp_path).filter(prompt=twin.recipe.prompt)[0].image.tobytes()


def test_a_prompt_is_a_recipe_and_outputs_the_folder(pipe, quick, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = sdlab.save_batch(pipe, {"lion": "a lion"}, progress=False)
    assert made.record.parent == Path("outputs") and quick == ["a lion"]


def test_two_batches_within_a_second_keep_apart(pipe, quick, tmp_path, monkeypatch):
    class Clock(batch.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2026, 3, 1, 12, 0, 5, tzinfo=tz)

    monkeypatch.setattr(batch, "datetime", Clock)
    (tmp_path / ".batch-20260301-120005.json.partial").touch()  # as a kill leaves it
    made = [sdlab.save_batch(pipe, {"lion": "a lion"}, tmp_path, progress=False) for _ in range(2)]
    assert [one.record.name for one in made] == ["batch-20260301-120005-2.json", "batch-20260301-120005-3.json"]
    assert [one.pictures["lion"][0].name for one in made] == ["lion-20260301-120005.png", "lion-20260301-120005-2.png"]
    assert all(
        json.loads(one.record.read_text(encoding="utf-8"))["pictures"]["lion"]["files"] == [one.pictures["lion"][0].name] for one in made
    )


# Names


@pytest.mark.parametrize(
    "name",
    ["../lion", "a/b", "..", ".", "/lion", "a\\b", "..\\lion", "C:lion", "C:\\lion", "\\\\server\\lion", "lion?", "a*", 'a"b', "a|b", "<a>",
     "",
     " ", "lion ", " lion", "lion.", ".lion", "con", "NUL", "nul.png", "Com1", "aux .x", "a\nb", "a\0b", "a\x7fb", "\ud800", "a\u202eb"],
)  # fmt: skip
def test_a_name_that_is_no_files_everywhere_is_refused(pipe, quick, tmp_path, name):
    with pytest.raises(ValueError, match=r"^name .* can be no file's on every system: choose one of letters, digits, spaces and hyphens$"):
        sdlab.save_batch(pipe, {"zebra": "a zebra", name: "a lion"}, tmp_path / "out", progress=False)
    assert quick == [] and list(tmp_path.iterdir()) == []


@given(st.text(max_size=60) | st.text("aC:./\\ \0\n", max_size=8) | st.sampled_from(sorted(saving.DEVICES)))
def test_no_name_leaves_the_folder(name):
    try:
        batch._check_names([name])
    except ValueError:
        return
    assert name and not set(name) & set('/\\:*?"<>|\0\n')
    assert not name.startswith((".", " ")) and not name.endswith((".", " "))
    assert name.split(".")[0].lower() not in saving.DEVICES
    assert (Path("folder") / f"{name}-20260301-120000.png").parent == Path("folder")
    assert len(os.fsencode(f"{name}-20260301-120000-99.png")) < 255


@given(st.text("aAéÉ", min_size=1, max_size=3), st.text("aAéÉe\u0301", min_size=1, max_size=3))
def test_two_names_are_two_files_on_every_system(one, other):
    assume(one != other)
    same = one.casefold() == batch.unicodedata.normalize("NFC", other).casefold()
    if same:
        with pytest.raises(ValueError, match="are one file on some systems"):
            batch._check_names([one, other])
    else:
        batch._check_names([one, other])


# What can go wrong


def test_killed_at_any_moment_it_leaves_finished_pictures_and_a_valid_json(pipe, quick, tmp_path, kill_at):
    for moment in range(100):
        folder = tmp_path / str(moment)
        folder.mkdir()
        with kill_at(moment) as kill:
            sdlab.save_batch(pipe, {"lion": "a lion", "zebras": sdlab.Recipe("a zebra", images=2)}, folder, progress=False)
        records = list(folder.glob("*.json"))
        listed = []
        for record in records:
            told = json.loads(record.read_text(encoding="utf-8"))
            assert [entry["recipe"]["prompt"] for entry in told["pictures"].values()] == ["a lion", "a zebra"]
            listed = [name for entry in told["pictures"].values() for name in entry["files"]]
        finished = [picture.file.name for picture in sdlab.Gallery(folder)]
        assert set(listed) <= set(finished) and len(finished) <= len(listed) + 1
        if not kill.done:
            break
    assert not kill.done and len(listed) == 3 and moment > 8


def test_a_full_disk_leaves_what_was_finished(pipe, quick, tmp_path, monkeypatch):
    replace = os.replace

    def fill_up(source, target):
        if str(target).endswith(".png") and "zebra" in str(target):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(source, target)

    monkeypatch.setattr(os, "replace", fill_up)
    with pytest.raises(OSError, match=r"could not be written \(No space left on device\): free space or choose another folder"):
        sdlab.save_batch(pipe, {"lion": "a lion", "zebra": "a zebra"}, tmp_path, progress=False)
    [record] = tmp_path.glob("*.json")
    assert [len(entry["files"]) for entry in json.loads(record.read_text(encoding="utf-8"))["pictures"].values()] == [1, 0]
    assert len(sdlab.Gallery(tmp_path)) == 1 and len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    ("call", "kind", "said"),
    [
        (lambda pipe: sdlab.save_batch(pipe), TypeError, "missing a required argument: 'recipes'; it is called as sdlab.save_batch(pipe,"),
        (lambda pipe: sdlab.save_batch({"lion": "a lion"}, pipe), TypeError, "the pipeline comes first"),
        (lambda pipe: sdlab.save_batch(pipe, ["a lion"]), TypeError, "recipes is ['a lion']: give names and recipes, as in"),
        (lambda pipe: sdlab.save_batch(pipe, {}), ValueError, "recipes is {}, so there is nothing to make"),
        (lambda pipe: sdlab.save_batch(pipe, {3: "a lion"}), TypeError, "name 3 is no text: give names and recipes"),
        (lambda pipe: sdlab.save_batch(pipe, {"lion": 3}), TypeError, "recipe is 3: give a prompt"),
        (lambda pipe: sdlab.save_batch(pipe, {"lion": "a lion, " * 90}), ValueError, "prompt is longer than 75 tokens"),
        (lambda pipe: sdlab.save_batch(pipe, {"l" * 200: "a lion"}), ValueError, "is too long for a file: choose one of at most 150 bytes"),
        (
            lambda pipe: sdlab.save_batch(pipe, {"lion": "a", "Lion": "a"}),
            ValueError,
            "names 'lion' and 'Lion' are one file on some systems",
        ),
        (lambda pipe: sdlab.save_batch(pipe, {"lion": "a lion"}, 3), TypeError, "got 3 (int) and not a path"),
        (lambda pipe: sdlab.save_batch(pipe, {"lion": "a lion"}, "file/out"), OSError, "folder 'file/out' cannot be made"),
    ],
)
def test_a_wrong_call_is_one_sentence_and_makes_nothing(pipe, quick, tmp_path, monkeypatch, call, kind, said):
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("in the way", encoding="utf-8")
    with pytest.raises(kind) as caught:
        call(pipe)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400
    assert quick == [] and os.listdir() == ["file"]

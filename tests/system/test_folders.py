import itertools
import shutil

import pytest

from sdlab.system.folders import replace_folder, restore_folder


def fill(folder, word):
    (folder / "deeper").mkdir(parents=True)
    for name in ("one", "two", "deeper/three"):
        (folder / name).write_text(word, encoding="utf-8")


def read(folder):
    """The word that all files of a folder hold, or None if one of them is missing."""
    found = {(folder / name).read_text(encoding="utf-8") for name in ("one", "two", "deeper/three") if (folder / name).exists()}
    assert len(found) <= 1
    return found.pop() if len(list(folder.rglob("*"))) == 4 and found else None


def test_killed_at_any_moment_the_old_content_or_the_new_one_is_whole(tmp_path, kill_at):
    """And the next replacement works, also one that is killed in its turn."""
    place, new = tmp_path / "place", tmp_path / "new"
    for first, second in itertools.product(range(9), (0, 1, 2, 4, 6, 20)):
        shutil.rmtree(tmp_path)
        fill(place, "old")
        for word, moment in (("new", first), ("newer", second)):
            shutil.rmtree(new, ignore_errors=True)
            fill(new, word)
            with kill_at(moment):
                replace_folder(place, new)
            restore_folder(place)
            assert read(place) in ("old", "new", word)
        shutil.rmtree(new, ignore_errors=True)
        fill(new, "newest")
        replace_folder(place, new)
        assert read(place) == "newest"
        assert [path.name for path in tmp_path.iterdir()] == ["place"]


def test_a_folder_takes_the_place_of_none(tmp_path):
    fill(tmp_path / "new", "new")
    replace_folder(tmp_path / "place", tmp_path / "new")
    assert read(tmp_path / "place") == "new"


def test_what_cannot_be_moved_leaves_the_old_in_place(tmp_path):
    fill(tmp_path / "place", "old")
    with pytest.raises(FileNotFoundError):
        replace_folder(tmp_path / "place", tmp_path / "missing")
    assert read(tmp_path / "place") == "old"

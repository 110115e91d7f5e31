"""What ships, and that the old model stays until the new one is whole."""

import itertools

import pytest

from pocket.shipping.ship import ship
from sdlab.system.folders import restore_folder


def fill_with(word):
    def fill(folder):
        (folder / "unet").mkdir(parents=True)
        (folder / "unet" / "model.safetensors").write_text(word, encoding="utf-8")
        (folder / "README.md").write_text(word, encoding="utf-8")

    return fill


def shipped(assets):
    return {file.name: file.read_text(encoding="utf-8") for file in assets.rglob("*") if file.is_file() and file.name != "LICENSE"}


def whole(word):
    return {"model.safetensors": word, "README.md": word}


def test_killed_at_any_moment_the_old_model_or_the_new_one_ships(tmp_path, kill_at):
    assets = tmp_path / "assets" / "tiny"
    ship(assets, fill_with("old"), 100)
    for moment in itertools.count():
        before = shipped(assets)
        with kill_at(moment) as kill:
            ship(assets, fill_with(f"new {moment}"), 100)
        restore_folder(assets)
        assert shipped(assets) in (before, whole(f"new {moment}"))
        if not kill.done:
            break
    assert moment > 5
    assert shipped(assets) == whole(f"new {moment}")
    assert [path.name for path in assets.parent.iterdir()] == ["tiny"]


def test_a_model_that_is_too_large_leaves_the_old_one(tmp_path):
    assets = tmp_path / "tiny"
    ship(assets, fill_with("old"), 100)
    with pytest.raises(SystemExit, match="the weights are 0 MB"):
        ship(assets, fill_with("far too large" * 10), 100)
    assert shipped(assets) == whole("old")

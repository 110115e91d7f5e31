"""A sweep: lazy, in order, taken from its gallery where that has the picture, and the same pictures as one by one."""

import errno
import os
import time
from pathlib import Path

import numpy as np
import pytest
import torch

import sdlab
from sdlab.study import sweep as room


@pytest.fixture
def drawn(monkeypatch):
    """The recipes of every batch that is drawn."""
    batches, draw = [], room.generate_together

    def listen(pipe, recipes):
        batches.append(recipes)
        return draw(pipe, recipes)

    monkeypatch.setattr(room, "generate_together", listen)
    return batches


@pytest.fixture(scope="session")
def small(recipe):
    return recipe.but(steps=2)


def differ(one, other):
    """By how much two pictures differ at most, in levels of 255."""
    return np.abs(np.asarray(one, dtype=int) - np.asarray(other, dtype=int)).max()


def files(folder):
    """What is in a folder: name → when it was written, and its bytes."""
    return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.iterdir()}


# As a sequence


def test_a_grid_comes_in_the_order_of_nested_loops(pipe, small, tmp_path):
    runs = sdlab.sweep(pipe, small, guidance=[2, 5], seed=[1, 2], gallery=tmp_path, progress=False)
    order = [(2, 1), (2, 2), (5, 1), (5, 2)]
    assert [(run.recipe.guidance, run.recipe.seed) for run in runs] == order
    assert (len(runs), runs[-1].recipe, runs[1].recipe.seed) == (4, runs.recipes[3], 2)
    assert [run.recipe for run in runs[1:3]] == runs.recipes[1:3]
    assert repr(runs) == "Sweep of 4 from 'a lion on the beach, cartoon': 4 of 4 pictures made"


def test_pictures_are_those_made_one_by_one(pipe, small, drawn):
    knobs = {"prompt": ["a lion", "a red car in the snow"], "negative_prompt": ["", "blurry"], "seed": [1, 5]}
    runs = sdlab.sweep(pipe, small, gallery=None, progress=False, **knobs)
    for run in runs:
        alone = sdlab.generate(pipe, run.recipe, progress=False)
        assert differ(alone.image, run.image) <= 1
        assert (run.recipe, run.model_hash, run.device, run.dtype) == (alone.recipe, alone.model_hash, alone.device, alone.dtype)
    assert [len(batch) for batch in drawn] == [4, 4]  # with and without a negative prompt


def test_what_differs_in_more_than_words_and_seeds_is_drawn_apart(pipe, small, drawn):
    list(sdlab.sweep(pipe, small, seed=[1, 2], guidance=[2, 5], gallery=None, progress=False))
    assert [{recipe.guidance for recipe in batch} for batch in drawn] == [{2.0}, {5.0}]
    drawn.clear()
    list(sdlab.sweep(pipe, small, steps=[1, 2], width=[64, 72], gallery=None, progress=False))
    assert [len(batch) for batch in drawn] == [1, 1, 1, 1]


def test_nothing_is_drawn_before_it_is_asked_for(pipe, small, drawn):
    runs = sdlab.sweep(pipe, small, seed=range(6), gallery=None, batch=2, progress=False)
    assert drawn == []
    assert runs[3].recipe.seed == 3
    assert [[recipe.seed for recipe in batch] for batch in drawn] == [[2, 3]]
    assert next(iter(runs)).recipe.seed == 0
    assert [[recipe.seed for recipe in batch] for batch in drawn] == [[2, 3], [0, 1]]
    assert [run.recipe.seed for run in runs] == [0, 1, 2, 3, 4, 5]
    assert sum(map(len, drawn)) == 6


def test_a_recipe_of_several_images_shares_its_pictures(pipe, small, tmp_path, drawn):
    [three] = sdlab.sweep(pipe, [small.but(images=3)], gallery=tmp_path, progress=False)
    assert len(three.images) == 3 and three.recipe.images == 3
    singles = list(sdlab.sweep(pipe, small, seed=[7, 8, 9, 8], gallery=tmp_path, progress=False))
    assert [run.image for run in singles] == [*three.images, three.images[1]]
    assert sum(map(len, drawn)) == 3
    assert three.seconds == pytest.approx(sum(run.seconds for run in singles[:3]))


def test_a_pair_is_swept_as_one_pipeline(pair, recipe, tmp_path):
    runs = sdlab.sweep(pair, recipe.but(steps=4), handover=[0.5, 0.75], seed=[1, 2], gallery=tmp_path, progress=False)
    for run in runs:
        assert differ(run.image, sdlab.generate(pair, run.recipe, progress=False).image) <= 1
    assert differ(runs[0].image, runs[2].image) > 1


def test_it_is_shown_and_saved_as_a_list_is(pipe, small, tmp_path):
    runs = sdlab.sweep(pipe, small, guidance=[2, 5], gallery=None, progress=False)
    assert [axis.get_title() for axis in sdlab.show(runs).axes] == ["guidance 2", "guidance 5"]
    assert [sdlab.read(path) for path in sdlab.save(runs, tmp_path)] == runs.recipes


def test_the_bar_counts_pictures_and_starts_with_those_that_are_there(pipe, small, tmp_path, monkeypatch):
    told = []

    class Bar:
        def __init__(self, total, initial, **_):
            self.n = initial
            told.append(("start", initial, total))

        def update(self, count):
            self.n += count
            told.append(self.n)

        def close(self):
            told.append("closed")

    monkeypatch.setattr(room, "tqdm", Bar)
    list(sdlab.sweep(pipe, small, seed=[1], gallery=tmp_path, progress=False))
    assert told == []
    runs = sdlab.sweep(pipe, small, seed=range(5), gallery=tmp_path, batch=2)
    assert len(list(runs)) == len(list(runs)) == 5
    assert told == [("start", 1, 5), 3, 5, "closed"]  # 0 and 2, then 3 and 4
    told.clear()
    next(iter(sdlab.sweep(pipe, small, seed=[11, 12], gallery=None, batch=1)))
    assert told == [("start", 0, 2), 1, "closed"]


@pytest.mark.parametrize(
    ("device", "side", "size"), [("mps", 64, 1), ("cpu", 64, 8), ("cpu", 256, 4), ("cpu", 512, 1), ("cpu", 1024, 1), ("cuda", 1024, 8)]
)
def test_a_batch_is_as_large_as_does_good(device, side, size):
    assert room.largest_batch(device, sdlab.Recipe("a lion", width=side, height=side)) == size


# Its gallery


def test_a_sweep_made_again_comes_from_its_gallery(pipe, small, tmp_path, drawn):
    first = list(sdlab.sweep(pipe, small, guidance=[2, 5], seed=[1, 2], gallery=tmp_path, progress=False))
    before = files(tmp_path)
    assert len(sdlab.Gallery(tmp_path)) == len(before) == 4
    drawn.clear()
    again = sdlab.sweep(pipe, small, seed=[1, 2], guidance=[2, 5], gallery=tmp_path, progress=False)
    assert list(again) == [first[i] for i in (0, 2, 1, 3)]
    assert drawn == []
    list(sdlab.sweep(pipe, small, seed=[1, 2, 3], guidance=[2], gallery=tmp_path, progress=False))
    assert [[recipe.seed for recipe in batch] for batch in drawn] == [[3]]
    assert {name: files(tmp_path)[name] for name in before} == before


def test_by_default_it_is_in_outputs_and_it_can_be_turned_off(pipe, small, tmp_path, monkeypatch, drawn):
    monkeypatch.chdir(tmp_path)
    list(sdlab.sweep(pipe, small, seed=[1], gallery=None, progress=False))
    assert list(tmp_path.iterdir()) == []
    list(sdlab.sweep(pipe, small, seed=[1], progress=False))
    assert len(sdlab.Gallery("outputs/sweeps")) == 1
    list(sdlab.sweep(pipe, small, seed=[1], gallery=None, progress=False))
    assert len(drawn) == 3


def test_nothing_stale_is_taken_when_the_model_has_changed(pipe, small, tmp_path, drawn):
    def sweep():
        return list(sdlab.sweep(pipe, small, seed=[1, 2], gallery=tmp_path, progress=False))

    before = sweep()
    weight = pipe.unet.mid_block.resnets[0].conv1.weight
    own = weight.detach().clone()
    with torch.no_grad():
        weight[5] += 1
        changed = sweep()
        weight.copy_(own)
    assert differ(changed[0].image, before[0].image) > 1
    drawn.clear()
    assert sweep() == before and drawn == []
    assert len(sdlab.Gallery(tmp_path)) == 4


def test_a_model_that_changes_during_a_sweep_is_noticed(pipe, small, tmp_path):
    runs = sdlab.sweep(pipe, small, seed=[1, 2], gallery=tmp_path, batch=1, progress=False)
    assert runs[0].recipe.seed == 1
    pipe.unet.train()
    try:
        with pytest.raises(RuntimeError, match=r"the model has changed since this sweep was made, .*: sweep again"):
            list(runs)
    finally:
        pipe.unet.eval()
    assert len(list(runs)) == 2


@pytest.mark.parametrize("damage", ["cut off", "emptied", "another picture", "painted over", "text", "no recipe"])
def test_a_damaged_picture_is_made_again_and_said(pipe, small, tmp_path, drawn, damage):
    def sweep():
        return list(sdlab.sweep(pipe, small, seed=[1, 2], gallery=tmp_path, batch=1, progress=False))

    before = sweep()
    file, other = (picture.file for picture in sdlab.Gallery(tmp_path))
    if damage == "another picture":
        file.write_bytes(other.read_bytes())
    elif damage == "painted over":
        painted = before[0].image.copy()
        painted.putpixel((3, 3), (255, 0, 255))
        before_it = sdlab.Generation(before[0].recipe, [painted], 1.0, "cpu", "float32", 0, "0123456789")
        os.replace(sdlab.save(before_it, tmp_path / "painted.png")[0], file)
    elif damage == "no recipe":
        before[0].image.save(file)
    else:
        file.write_bytes({"cut off": file.read_bytes()[:-300], "emptied": b"", "text": b"a lion"}[damage])
    kept = file.read_bytes()
    drawn.clear()
    with pytest.warns(UserWarning, match=rf"{file.name[-20:]}' is damaged: it is set aside with \.damaged behind its name"):
        again = sweep()
    assert [run.image for run in again] == [run.image for run in before]
    assert [[recipe.seed for recipe in batch] for batch in drawn] == [[1]]
    assert file.with_name(f"{file.name}.damaged").read_bytes() == kept
    assert len(sdlab.Gallery(tmp_path)) == 2
    drawn.clear()
    sweep()
    assert drawn == []


def refuse(*_, **__):
    raise OSError(errno.EROFS, os.strerror(errno.EROFS))


def test_a_folder_that_cannot_be_written_is_refused_before_the_first_picture(pipe, small, tmp_path, monkeypatch, drawn):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(OSError, match=r"^folder '.*file' cannot be made \(.+\): choose another folder$"):
        sdlab.sweep(pipe, small, seed=[1], gallery=tmp_path / "file")
    list(sdlab.sweep(pipe, small, seed=[1], gallery=tmp_path, progress=False))
    drawn.clear()
    monkeypatch.setattr(Path, "touch", refuse)
    with pytest.raises(OSError, match=r"^folder '.*' cannot be written to \(Read-only file system\): choose a folder you may write to$"):
        sdlab.sweep(pipe, small, seed=[1, 2], gallery=tmp_path)
    assert len(list(sdlab.sweep(pipe, small, seed=[1], gallery=tmp_path, progress=False))) == 1  # all there: only read
    assert drawn == []


def test_a_disk_that_fills_up_loses_one_batch(pipe, small, tmp_path, monkeypatch):
    runs = sdlab.sweep(pipe, small, seed=range(4), gallery=tmp_path, batch=2, progress=False)
    assert runs[0].recipe.seed == 0
    with monkeypatch.context() as full:
        full.setattr(os, "replace", refuse)
        with pytest.raises(OSError, match=r"could not be written \(Read-only file system\)"):
            list(runs)
    assert len(files(tmp_path)) == 2
    assert [run.recipe.seed for run in runs] == [0, 1, 2, 3]
    assert len(sdlab.Gallery(tmp_path)) == len(files(tmp_path)) == 4


@pytest.mark.parametrize(
    ("call", "kind", "said"),
    [
        (lambda pipe: sdlab.sweep(pipe), TypeError, "missing a required argument: 'recipe'; it is called as sdlab.sweep(pipe, recipe"),
        (lambda pipe: sdlab.sweep("a lion", pipe, seed=[1]), TypeError, "pipe is 'a lion': the pipeline comes first"),
        (lambda pipe: sdlab.sweep(pipe, "a lion", "outputs", seed=[1]), TypeError, "too many positional arguments"),
        (lambda pipe: sdlab.sweep(pipe, "a lion", seed=[1], gallery=3), TypeError, "not a path: give a folder to keep pictures in"),
        (lambda pipe: sdlab.sweep(pipe, "a lion", seed=[1], gallery=" "), ValueError, "can name no file: give a folder"),
        (lambda pipe: sdlab.sweep(pipe, "a lion", seed=[1], batch=0), ValueError, "batch is 0: it must be a whole number of pictures"),
        (lambda pipe: sdlab.sweep(pipe, "a lion", seed=[1], batch=True), ValueError, "batch is True"),
        (lambda pipe: sdlab.sweep(pipe, "a lion", seed=[1], gallery=None)[1], IndexError, "index is 1: this sweep has 1 Generations"),
        (lambda pipe: sdlab.sweep(pipe, "a lion", seed=[1], gallery=None)["a"], TypeError, "index is 'a': give a whole number or a slice"),
    ],
)
def test_wrong_calls_are_told_in_one_sentence(pipe, call, kind, said):
    with pytest.raises(kind) as caught:
        call(pipe)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


# Killed


def draw_until(pipe, recipe, folder, moves):
    """Sweep in a process of its own, which stops for ever in the middle of writing a picture, after so many were written."""
    torch.set_num_threads(1)  # a forked process has none of its parent's threads
    replace, left = os.replace, iter(range(moves))

    def stop(*paths):
        if next(left, None) is None:
            time.sleep(600)
        replace(*paths)

    os.replace = stop
    list(sdlab.sweep(pipe, recipe, seed=range(5), gallery=folder, batch=2, progress=False))


@pytest.mark.parametrize("moves", [pytest.param(n, marks=pytest.mark.slow if n != 3 else ()) for n in range(5)])
def test_a_killed_sweep_goes_on_and_ends_as_if_it_had_not_been(pipe, small, tmp_path, start_processes, drawn, moves):
    [(process, said)] = start_processes(draw_until, pipe, small, tmp_path / "killed", moves)
    deadline = time.monotonic() + 120
    while not (list((tmp_path / "killed").glob("*.partial")) and len(list((tmp_path / "killed").glob("*.png"))) == moves):
        assert process.is_alive() and time.monotonic() < deadline, said.read_text(encoding="utf-8")
        time.sleep(0.02)
    process.kill()
    process.join()
    before = {name: content for name, content in files(tmp_path / "killed").items() if name.endswith(".png")}
    gone_on = list(sdlab.sweep(pipe, small, seed=range(5), gallery=tmp_path / "killed", batch=2, progress=False))
    assert sum(map(len, drawn)) == 5 - moves  # what was written is not made again
    whole = list(sdlab.sweep(pipe, small, seed=range(5), gallery=tmp_path / "whole", batch=2, progress=False))
    assert [run.recipe for run in gone_on] == [run.recipe for run in whole]
    assert max(differ(one.image, other.image) for one, other in zip(gone_on, whole, strict=True)) <= 1  # other batches round otherwise
    assert {name: files(tmp_path / "killed")[name] for name in before} == before
    assert {p.name for p in (tmp_path / "killed").glob("*.png")} == set(files(tmp_path / "whole"))
    assert len(sdlab.Gallery(tmp_path / "killed")) == 5

"""The command line: `python -m sdlab sweep`, in one process and in several, whole and killed."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState
from PIL import Image
from typer.testing import CliRunner

import sdlab
from sdlab import cli
from sdlab.pipes import loading
from sdlab.study import sweep as room


@pytest.fixture(autouse=True)
def one_pipeline(pipe, monkeypatch):
    """The pocket model is loaded once for all; and each test is like a process of its own."""
    load = loading.load

    def lend(name=None, device=None, **more):
        return pipe if name in (None, "pocket") else load(name, device, **more)

    monkeypatch.setattr(loading, "load", lend)
    yield
    AcceleratorState._reset_state(True)


def run(*arguments):
    """The command in this process: its exit code, and all it printed, on one line."""
    done = CliRunner().invoke(cli.app, ["sweep", *map(str, arguments)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    AcceleratorState._reset_state(True)
    return done.exit_code, " ".join(done.output.replace("│", " ").split())


def check(*arguments):
    torch.set_num_threads(1)  # a forked process has none of its parent's threads
    code, said = run(*arguments)
    print(said)
    assert code == 0, said


LION = ("--prompt", "a lion on the beach, cartoon", "--steps", 2)
GRID = (*LION, "--guidance", "2,5", "--seed", "1,2,3")


def pictures(folder):
    return sorted(path.name for path in folder.iterdir())


def same_pictures(folder, other):
    """The same files, with the same recipes and the same pixels within one level; and nothing else."""
    assert pictures(folder) == pictures(other)
    for name in pictures(folder):
        assert sdlab.read(folder / name) == sdlab.read(other / name)
        one, two = (np.asarray(Image.open(place / name), dtype=int) for place in (folder, other))
        assert np.abs(one - two).max() <= 1
    return True


def test_the_command_fills_a_gallery_that_a_notebook_goes_on_from(pipe, tmp_path):
    code, said = run(*GRID, "--folder", tmp_path / "out")
    assert code == 0 and f"made 6 of 6 pictures in {tmp_path}" in said
    assert run(*GRID, "--folder", tmp_path / "out")[1].startswith("made 0 of 6 pictures")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    recipe = sdlab.Recipe("a lion on the beach, cartoon", steps=2)
    runs = list(sdlab.sweep(pipe, recipe, guidance=[2, 5], seed=[1, 2, 3], gallery=tmp_path / "out", progress=False))
    assert [(run.recipe.guidance, run.recipe.seed) for run in runs] == [(g, s) for g in (2.0, 5.0) for s in (1, 2, 3)]
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()} == before


def test_every_knob_has_an_option(tmp_path):
    code, said = run(
        *LION, "--prompt", "a zebra", "--negative-prompt", "", "--negative-prompt", "blurry", "--sampler", "DDIM, Euler a",
        "--width", "64", "--height", "64", "--guidance", "3", "--seed", "5", "--model", "pocket", "--batch", 2,
        "--folder", tmp_path / "out",
    )  # fmt: skip
    assert code == 0 and "made 8 of 8" in said
    recipes = [picture.recipe for picture in sdlab.Gallery(tmp_path / "out")]
    for field, values in {"prompt": 2, "negative_prompt": 2, "sampler": 2, "guidance": 1, "seed": 1}.items():
        assert len({getattr(recipe, field) for recipe in recipes}) == values


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--seed", "1,2"), "Missing option '--prompt'"),
        ((*LION, "--seed", "one"), "seed is 'one': give whole numbers with commas between them, such as 1,2,3"),
        ((*LION, "--guidance", "2;5"), "guidance is '2;5': give numbers with commas"),
        ((*LION, "--guidance", "-1"), "guidance is -1.0: it must be 0 or more"),
        ((*LION, "--sampler", "Eular"), "sampler is 'Eular': choose one of DDIM"),
        ((*LION, "--batch", 0), "batch is 0: it must be a whole number of pictures"),
        ((*LION, "--handover", "0.5"), "handover cannot be 0.5 here, for this pipeline has none"),
        ((*LION, "--model", "pockt"), "did you mean 'pocket'?"),
        ((*LION, "--gidance", "2"), "No such option: --gidance"),
    ],
)
def test_bad_arguments_get_one_sentence_and_leave_nothing(tmp_path, arguments, message):
    code, said = run(*arguments, "--folder", tmp_path / "out")
    assert code == 2
    assert message in said
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_a_file_is_told(tmp_path):
    (tmp_path / "out").write_text("in the way", encoding="utf-8")
    code, said = run(*LION, "--folder", tmp_path / "out")
    assert code == 1 and "cannot be made" in said


def test_help_comes_without_the_heavy_libraries():
    told = "import sys, sdlab.cli; print(sorted({'torch', 'diffusers', 'transformers', 'accelerate', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", told], cwd=Path(sdlab.__file__).parents[1], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_it_starts_as_a_module(tmp_path):
    arguments = [sys.executable, "-m", "sdlab", "sweep", *map(str, LION), "--folder", str(tmp_path / "out")]
    done = subprocess.run(arguments, cwd=Path(sdlab.__file__).parents[1], capture_output=True, text=True, check=True)
    assert "made 1 of 1 pictures" in done.stdout
    assert len(pictures(tmp_path / "out")) == 1


# Several processes


def finish(started, seconds=120):
    for process, said in started:
        process.join(seconds)
        assert process.exitcode == 0, said.read_text(encoding="utf-8")


@pytest.mark.slow
def test_two_processes_make_the_files_of_one(tmp_path, start_processes):
    finish(start_processes(check, *GRID, "--folder", tmp_path / "two", count=2))
    said = " ".join(path.read_text(encoding="utf-8") for path in tmp_path.glob("process *.txt"))
    assert "process 1 of 2 made 3 of 6 pictures" in said and "process 2 of 2 made 3 of 6 pictures" in said
    check(*GRID, "--folder", tmp_path / "one")
    assert same_pictures(tmp_path / "two", tmp_path / "one")


def draw_or_hang(*arguments):
    """The second process stops for ever when it has drawn one batch."""
    draw, drawn = room.Sweep.draw, []

    def hang(runs, keys):
        if os.environ["RANK"] == "1" and drawn:
            time.sleep(600)
        draw(runs, keys)
        drawn.append(keys)

    room.Sweep.draw = hang
    check(*arguments)


@pytest.mark.slow
def test_a_killed_workers_share_is_made_up_on_the_next_run(tmp_path, start_processes):
    arguments = (*GRID, "--batch", 1, "--folder", tmp_path / "killed")
    (first, said), (second, _) = start_processes(draw_or_hang, *arguments, count=2)
    deadline = time.monotonic() + 120
    while not (tmp_path / "killed").exists() or len(list((tmp_path / "killed").glob("*.png"))) < 4:
        assert second.is_alive() and time.monotonic() < deadline, said.read_text(encoding="utf-8")
        time.sleep(0.02)
    second.kill()
    second.join()
    finish([(first, said)])  # nobody waits for anybody
    assert len(pictures(tmp_path / "killed")) == 4
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "killed").iterdir()}
    finish(start_processes(check, *arguments, count=2))
    assert {path: path.stat().st_mtime_ns for path in before} == before
    check(*GRID, "--folder", tmp_path / "one")
    assert same_pictures(tmp_path / "killed", tmp_path / "one")

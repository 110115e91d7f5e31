"""The commands as a user types them: what they write and print, how they end, and what is left when they are stopped."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import sdlab
from sdlab import cli
from sdlab.assets import ASSETS
from sdlab.cli import chatting
from sdlab.pipes import loading

ROOT = Path(sdlab.__file__).parents[1]
FEW = ("--steps", "2")


@pytest.fixture(autouse=True)
def at_home(pipe, monkeypatch, tmp_path):
    """An empty folder to work in; the pocket model is loaded once for all."""
    load = loading.load
    monkeypatch.setattr(loading, "load", lambda name=None, *rest, **more: pipe if name in (None, "pocket") else load(name, *rest, **more))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def photo(tmp_path):
    Image.effect_noise((128, 128), 90).convert("RGB").save(tmp_path / "photo.png")
    mask = Image.new("L", (128, 128))
    mask.paste(255, (64, 0, 128, 128))
    mask.save(tmp_path / "mask.png")
    return "photo.png"


def run(*arguments, typed=None):
    """A command's exit code, what it printed on either stream, on one line; and its output as it is."""
    done = CliRunner().invoke(cli.app, [*map(str, arguments)], input=typed)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, " ".join(done.output.split()), done.stdout


def test_pictures_are_named_after_the_prompt_and_nothing_is_overwritten(at_home):
    for _ in range(2):
        code, _, _ = run("generate", "../../a lion/on the beach", *FEW, "--images", 2, "--seed", 5)
        assert code == 0
    assert sorted(path.name for path in (at_home / "outputs").iterdir()) == [
        f"a-lion-on-the-beach-{name}.png" for name in ("5-2", "5", "6-2", "6")
    ]
    assert not list(at_home.parent.glob("a-lion*"))
    assert sdlab.read(at_home / "outputs" / "a-lion-on-the-beach-6.png").seed == 6


def test_a_script_gets_json(at_home):
    code, _, out = run("generate", "a lion", *FEW, "--json", "--to", "lion.webp")
    told = json.loads(out)
    assert code == 0 and told["files"] == ["lion.webp"] and told["recipe"]["prompt"] == "a lion" and told["seconds"] > 0


def test_pictures_from_pictures(at_home, photo):
    assert run("img2img", "a lion, cartoon", photo, "--strength", "0.5", *FEW, "--to", "over.png")[0] == 0
    assert run("inpaint", "a lion, cartoon", photo, "mask.png", *FEW, "--to", "into.png")[0] == 0
    assert run("sketch", "a lion, cartoon", "mask.png", "--end", "0.5", *FEW, "--to", "along.png")[0] == 0
    assert run("sketch", "a lion, cartoon", "house", *FEW, "--to", "house.png")[0] == 0
    left = [np.asarray(Image.open(name).convert("RGB"))[:, :64] for name in (photo, "into.png")]
    assert np.array_equal(*left)
    assert sdlab.read("house.png").sketch == sdlab.Recipe("a lion", sketch=ASSETS / "sketches" / "house.png").sketch
    assert sdlab.read("along.png").sketch_end == 0.5 and sdlab.read("over.png").image.is_here


def test_a_picture_is_made_again_and_compared(at_home):
    run("generate", "a lion", *FEW, "--to", "lion.png")
    code, said, _ = run("reproduce", "lion.png", "--to", "again")
    assert code == 0 and said.endswith("the same, to the last bit")
    assert json.loads(run("reproduce", "lion.png", "--json")[2])["levels_apart"] == 0


def test_a_gallery_is_listed_and_drawn_on_a_sheet(at_home):
    run("generate", "a lion", *FEW)
    Path("outputs/other.png").write_bytes(b"no picture")
    code, said, _ = run("gallery", "outputs", "--sheet", "sheet.png")
    assert code == 0 and "a-lion-0.png: a lion, seed 0, pocket" in said and "other.png: skipped" in said
    assert Image.open("sheet.png").width > 100
    assert run("gallery", "outputs", "--sheet", "sheet.png")[0] == 2  # it is there already
    assert json.loads(run("gallery", "outputs", "--json")[2])[0]["recipe"]["prompt"] == "a lion"


def test_models_are_listed():
    code, said, _ = run("models")
    assert code == 0 and "pocket-scribble" in said and "ships with the course" in said
    assert {row["name"] for row in json.loads(run("models", "--json")[2])} == set(sdlab.MODELS)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("generate",), 2, "Missing argument"),
        (("generate", "a lion", "--steps", "0"), 2, "steps is 0: it must lie between 1 and 1000"),
        (("generate", "a lion", "--model", "pockt"), 2, "did you mean 'pocket'?"),
        (("generate", "a lion", "--to", "lion.tif"), 2, "a picture is saved with its recipe as"),
        (("img2img", "a lion", "none.png"), 1, "there is no such file"),
        (("img2img", "a lion", "none.png", "--strength", "2"), 2, "strength is 2.0"),
        (("gallery", "nowhere"), 1, "does not exist"),
        (("reproduce", "none.png"), 1, "does not exist"),
        (("generate", "a lion", "--memory", "much"), 2, "it must be 'auto' or one of"),
    ],
)
def test_what_goes_wrong_is_one_sentence_and_an_exit_code(at_home, monkeypatch, arguments, code, said):
    monkeypatch.undo()  # the true load
    monkeypatch.chdir(at_home)
    got, told, _ = run(*arguments)
    assert (got, said in told.replace("│ ", "").replace(" │", "")) == (code, True), told


def test_the_chat_draws_until_it_is_stopped_and_survives_mistakes(at_home, monkeypatch):
    monkeypatch.setattr(
        chatting, "_choose", lambda *_: lambda prompt, seed: sdlab.generate(sdlab.load("pocket"), prompt, seed=seed, steps=2)
    )
    code, said, _ = run("chat", typed="a lion\n1\n" + "word " * 200 + "\na car\n0\n")
    assert code == 0 and "would be cut off" in said
    assert sorted(path.name for path in (at_home / "outputs").glob("*.png")) == ["a-car-1.png", "a-lion-0.png", "a-lion-1.png"]
    assert run("chat", typed="")[0] == 0  # the input ends


@pytest.mark.parametrize("place", ["lion.gif", "con.png"])
def test_a_place_that_takes_nothing_is_told_before_anything_is_drawn(at_home, monkeypatch, place):
    monkeypatch.setattr("sdlab.pipes.generation.generate", lambda *_, **__: pytest.fail("it was drawn first"))
    assert run("generate", "a lion", "--to", place)[0] == 2
    (at_home / "file").touch()
    code, said, _ = run("generate", "a lion", "--to", str(at_home / "file" / "folder"))
    assert code == 1 and "cannot be made" in said


def test_the_picture_given_before_the_prompt_is_told(at_home):
    (at_home / "lion.png").touch()
    for command in ("img2img", "sketch"):
        code, said, _ = run(command, "lion.png", "a tiger")
        assert code == 2 and "the prompt comes first, and then the picture: 'a tiger' lion.png" in said


def test_every_command_says_how_it_is_used():
    commands = re.findall(r"^  (\w+)  ", run("--help")[2].split("Commands:")[1], re.M)
    assert commands == [
        "bench",
        "chat",
        "generate",
        "img2img",
        "inpaint",
        "sketch",
        "doctor",
        "reproduce",
        "gallery",
        "models",
        "sweep",
        "lora",
    ]
    for command in commands:
        code, _, out = run(command, "--help")
        assert code == 0 and (f"sdlab {command}" in out or command == "models")


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows sends Ctrl-C to the whole group")
def test_ctrl_c_leaves_whole_files_only(tmp_path):
    arguments = ["sweep", "--prompt", "a lion", "--seed", ",".join(map(str, range(60))), "--batch", "1", "--folder", str(tmp_path / "out")]
    begun = subprocess.Popen(
        [sys.executable, "-m", "sdlab", *arguments], cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while len(list((tmp_path / "out").glob("*.png"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    begun.send_signal(signal.SIGINT)
    _, said = begun.communicate(timeout=60)
    assert begun.returncode == 130 and "the same command goes on" in said
    left = [path for path in (tmp_path / "out").iterdir() if not path.name.startswith(".")]
    assert 2 <= len(left) < 60 and all(sdlab.read(path).prompt == "a lion" for path in left)

import json

import numpy as np
import pytest
import torch
import typer
from PIL import Image
from safetensors.torch import load_file
from typer.testing import CliRunner

from sdlab.scratch import folder
from sdlab.scratch.unet import UNet
from sdlab.training import command
from sdlab.training.settings import SETTINGS


@pytest.fixture
def pictures(tmp_path):
    """A folder as users have them: several kinds of good files, and several kinds of bad ones."""
    where = tmp_path / "pictures"
    (where / "deeper").mkdir(parents=True)
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 255, (40, 60, 3), np.uint8))
    noise.save(where / "photo.jpg")
    noise.convert("L").save(where / "deeper" / "grey.PNG")
    noise.convert("P").save(where / "palette.gif")
    Image.new("RGBA", (20, 20), (0, 0, 0, 0)).save(where / "clear.png")
    turned = Image.new("RGB", (40, 20), "red")
    turned.paste("blue", (20, 0, 40, 20))
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned by a quarter
    turned.save(where / "turned.jpg", exif=exif, quality=100)
    (where / "torn.jpg").write_bytes((where / "photo.jpg").read_bytes()[:900])
    (where / "empty.png").write_bytes(b"")
    (where / "lie.png").write_text("this is no picture", encoding="utf-8")
    (where / "notes.txt").write_text("not even called one", encoding="utf-8")
    return where


def test_good_pictures_are_read_and_bad_ones_listed(pictures):
    found, skipped = folder.load(pictures, 16)
    assert found.shape == (5, 3, 16, 16)
    assert found.dtype == torch.uint8
    assert {path.name for path, _ in skipped} == {"torn.jpg", "empty.png", "lie.png"}
    assert all(reason for _, reason in skipped)


def test_transparency_becomes_white_and_exif_is_obeyed(pictures):
    assert (folder.read(pictures / "clear.png", 16) == 255).all()
    turned = folder.read(pictures / "turned.jpg", 16).astype(int)
    assert turned[0, :, 0].mean() > 200 and turned[0, :, 2].mean() < 60  # red above
    assert turned[-1, :, 2].mean() > 200 and turned[-1, :, 0].mean() < 60  # blue below


def test_batches_are_in_range_and_repeatable(pictures):
    found, _ = folder.load(pictures, 8)
    a, b = next(folder.batches(found, 7, seed=1)), next(folder.batches(found, 7, seed=1))
    assert a.shape == (7, 3, 8, 8)
    assert torch.equal(a, b)
    assert a.min() >= -1 and a.max() <= 1


def test_a_folder_without_pictures_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder: give one"):
        folder.load(tmp_path / "nowhere", 16)
    with pytest.raises(FileNotFoundError, match="holds no picture that can be read"):
        folder.load(tmp_path, 16)
    (tmp_path / "lie.png").write_text("no", encoding="utf-8")
    with pytest.raises(FileNotFoundError, match=r"1 tried: lie\.png"):
        folder.load(tmp_path, 16)


SMALL = ("--width", "8", "--levels", "64", "--batch", "4", "--side", "16")


def run(*arguments):
    """The command in this process: its exit code, and all it printed, on one line."""
    app = typer.Typer()
    app.command()(command.main)
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, " ".join(done.output.replace("│", " ").split())


def check(*arguments):
    code, said = run(*arguments)
    assert code == 0, said


def test_the_command_trains_on_a_folder_and_leaves_a_model(pictures, tmp_path):
    out = tmp_path / "out"
    arguments = ("--images", pictures, "--out", out, *SMALL)
    code, said = run(*arguments, "--minutes", 0.01)
    assert code == 0, said
    assert "5 pictures" in said and "3 left out" in said
    assert "lie.png: cannot identify" in (out / "skipped.txt").read_text(encoding="utf-8")
    described = json.loads((out / "model.json").read_text(encoding="utf-8"))
    model = UNet(described["channels"], described["widths"])
    model.load_state_dict(load_file(out / "model.safetensors"))
    assert Image.open(out / "samples.png").width >= 16 * 16
    code, said = run(*arguments, "--minutes", 0.012)
    assert code == 0, said
    assert "resumed at step" in said
    code, said = run(*arguments, "--minutes", 0.02, "--lr", 0.1)
    assert code == 2
    assert "lr was 0.002 and is now 0.1" in said
    (pictures / "photo.jpg").unlink()
    code, said = run(*arguments, "--minutes", 0.02)
    assert code == 2
    assert "images was '5 pictures" in said and "and is now '4 pictures" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--side", 18), "side is 18: it must be a multiple of 4"),
        (("--width", 12), "width is 12: it must be a multiple of 8"),
        (("--target", "noise"), "target is 'noise': choose one of eps, x0, v"),
        (("--side", 24), "side is 24: the drawings come at 16 or 32 pixels"),
        (("--images", "nowhere"), "no folder: give one"),
    ],
)
def test_bad_arguments_get_one_sentence_and_leave_nothing(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    code, said = run(*arguments, "--out", tmp_path / "out")
    assert code == 2
    assert message in said
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_two_processes_share_the_work(tmp_path, start_processes):
    started = start_processes(check, "--out", tmp_path / "out", "--minutes", 0.02, *SMALL, count=2)
    for process, said in started:
        process.join(120)
        assert process.exitcode == 0, said.read_text(encoding="utf-8")
    log = [json.loads(line) for line in (tmp_path / "out" / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert log[0]["step"] > 0 and (tmp_path / "out" / "model.safetensors").exists()
    steps = torch.load(tmp_path / "out" / "checkpoint" / "custom_checkpoint_0.pkl", weights_only=True)
    assert steps["samples"] == 8 * steps["step"]  # twice a batch of four
    assert json.loads((tmp_path / "out" / "checkpoint" / SETTINGS).read_text(encoding="utf-8"))["processes"] == 2

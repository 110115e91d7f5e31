import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from sdlab.scratch import folder
from sdlab.scratch.unet import UNet


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
    (where / "lie.png").write_text("this is no picture")
    (where / "notes.txt").write_text("not even called one")
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
    (tmp_path / "lie.png").write_text("no")
    with pytest.raises(FileNotFoundError, match=r"1 tried: lie\.png"):
        folder.load(tmp_path, 16)


def run(*arguments, launcher=()):
    command = [sys.executable, "-m", *launcher, "sdlab.training.command", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


SMALL = ("--width", "8", "--levels", "64", "--batch", "4", "--side", "16")


def test_the_command_trains_on_a_folder_and_leaves_a_model(pictures, tmp_path):
    out = tmp_path / "out"
    done = run("--images", str(pictures), "--out", str(out), "--minutes", "0.02", *SMALL)
    assert done.returncode == 0, done.stderr
    assert "5 pictures from" in done.stdout and "3 left out" in done.stdout
    assert "lie.png: cannot identify" in (out / "skipped.txt").read_text()
    described = json.loads((out / "model.json").read_text())
    model = UNet(described["channels"], described["widths"])
    model.load_state_dict(load_file(out / "model.safetensors"))
    assert Image.open(out / "samples.png").width >= 16 * 16
    again = run("--images", str(pictures), "--out", str(out), "--minutes", "0.03", *SMALL)
    assert again.returncode == 0, again.stderr
    assert "resumed at step" in again.stdout


def test_bad_arguments_get_one_sentence(tmp_path):
    out = ("--out", str(tmp_path / "out"))
    for arguments, message in (
        (("--side", "18"), "side is 18: it must be a multiple of 4"),
        (("--width", "12"), "width is 12: it must be a multiple of 8"),
        (("--target", "noise"), "target is 'noise': choose one of eps, x0, v"),
        (("--side", "24"), "side is 24: the drawings come at 16 or 32 pixels"),
        (("--images", str(tmp_path / "nowhere")), "no folder: give one"),
    ):
        done = run(*arguments, *out)
        assert done.returncode == 2
        assert message in " ".join(done.stderr.replace("│", " ").split())


def test_two_processes_share_the_work(tmp_path):
    launcher = ("accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "-m")  # with --cpu it would start one only
    done = run("--out", str(tmp_path / "out"), "--minutes", "0.05", *SMALL, launcher=launcher)
    assert done.returncode == 0, done.stderr[-2000:]
    log = [json.loads(line) for line in (tmp_path / "out" / "log.jsonl").read_text().splitlines()]
    assert log[0]["step"] > 0 and (tmp_path / "out" / "model.safetensors").exists()
    steps = torch.load(tmp_path / "out" / "checkpoint" / "custom_checkpoint_0.pkl", weights_only=True)
    assert steps["samples"] == 8 * steps["step"]  # twice a batch of four

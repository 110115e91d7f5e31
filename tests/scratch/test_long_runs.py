"""The long runs of notebooks 12 and 13: stopped and begun again, they do what is left, and write what the notebooks read."""

import json

import pytest
import torch
from safetensors.torch import load_file

from benchmarks import latents, rivals, scratch
from sdlab.scratch import relatives


@pytest.fixture
def budget(tmp_path, monkeypatch):
    """Seconds enough for a step or two, few evaluations, and folders of this test."""
    monkeypatch.setattr(rivals, "STEPS", (1, 2))
    monkeypatch.setattr(latents, "STEPS", 2)
    return {"seeds": 2, "count": 16, "folder": tmp_path / "parts", "into": tmp_path / "there"}


@pytest.mark.slow
def test_the_race_goes_on_where_it_was_stopped(budget, capsys, monkeypatch):
    rivals.main(minutes=1e-4, parts=6, **budget)
    assert "8 of 14 parts are left" in capsys.readouterr().out
    assert not budget["into"].exists()
    [done] = budget["folder"].rglob("seed 0/diffusion.json")
    before = done.read_bytes(), done.stat().st_mtime_ns
    monkeypatch.setattr(rivals, "write_lines", stop := stopping(rivals.write_lines, "seed 1/VAE.json"))
    with pytest.raises(KeyboardInterrupt):  # after the weights of a part, before its numbers
        rivals.main(minutes=1e-4, **budget)
    stop.armed = False
    rivals.main(minutes=1e-4, **budget)
    said = capsys.readouterr().out
    assert "seed 0  VAE" not in said and said.count("seed 1  VAE") == 2  # what was being done is done again
    assert (done.read_bytes(), done.stat().st_mtime_ns) == before

    table = json.loads((budget["into"] / "table.json").read_text(encoding="utf-8"))
    names = [row["name"] for row in table["table"]]
    assert names[:4] == ["VAE", "GAN", "flow", "diffusion, 1 step"] and names[-2:] == ["consistency, 4 jumps", "true pictures"]
    assert table["seeds"] == 2 and all(len(row["recognised"]) == 2 for row in table["table"])
    assert set(load_file(budget["into"] / "samples.safetensors")) == set(names)
    monkeypatch.setattr(relatives, "SHIPPED", budget["into"])
    assert relatives.load_trained("flow matching")(torch.zeros(1, 3, 16, 16), torch.tensor([1])).shape == (1, 3, 16, 16)
    assert relatives.load_race()["minutes"] == 1e-4


def stopping(write, where):
    """A function that writes until it comes to a certain file, and then stops the program, as Ctrl-C does."""

    def stop(path, results):
        if stop.armed and path.as_posix().endswith(where):
            raise KeyboardInterrupt
        write(path, results)

    stop.armed = True
    return stop


@pytest.mark.slow
def test_a_seed_gives_the_same_start_and_another_seed_another(monkeypatch):
    monkeypatch.setattr(rivals, "train_for", lambda steps, seconds, *optimizers: iter([next(steps)]))
    first, again, other = (rivals.train("diffusion", seed, 1)[0].leave[2].bias for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)


@pytest.mark.slow
def test_latents_and_pixels_race_in_parts(budget, capsys):
    latents.main(share=1e-3, parts=3, **budget)
    assert "5 parts are left" in capsys.readouterr().out
    latents.main(share=1e-3, parts=0, **budget)
    results = json.loads(budget["into"].read_text(encoding="utf-8"))
    assert [row["way"] for row in results["ways"]] == list(latents.WAYS)
    assert all(len(row["numbers"]) == 2 for row in results["ways"])
    assert {"recognised", "found", "frechet", "ms", "pictures"} == set(results["ways"][0]["numbers"][0])


def test_libraries_of_different_size_are_not_compared():
    scratch.check_sizes({"a": 100, "b": 104})
    with pytest.raises(ValueError, match="must be within 5% of one another"):
        scratch.check_sizes({"a": 100, "b": 106})


def test_the_table_of_libraries_says_what_was_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(scratch.Ours, "sample", lambda self, network, count: torch.zeros(count, 3, 16, 16))
    ones = [scratch.Training(scratch.Ours, scratch.adamw, rate) for rate in scratch.RATES]
    for one, speed, found in zip(ones, (100.0, 200.0, 300.0), (2, 12, 5), strict=True):
        one.speeds, one.seconds = [speed], 60.0
        monkeypatch.setattr(scratch.judge, "recognise", lambda x, found=found: torch.where(torch.arange(16) < found, 0, 60))
        one.look(16)
    table = scratch.write_table({"sdlab": ones}, tmp_path / "new" / "table.md")
    row = table.splitlines()[-1]
    assert "| 200 | 1.00 | 12%, **75% (51–90)**, 31% | 50 |" in row
    assert table in (tmp_path / "new" / "table.md").read_text(encoding="utf-8")

"""`sdlab bench` from outside: files, exit codes, going on after an interruption."""

import pytest
from typer.testing import CliRunner

from sdlab.bench import results
from sdlab.cli import app

QUICK = ("--device", "cpu", "--model", "pocket", "--steps", "2", "--repeats", "2")


@pytest.fixture
def bench(monkeypatch):
    """The command in this process, the device's rate taken as given: its exit code, and all it printed on one line."""
    monkeypatch.setattr("sdlab.bench.running.measure_rate", lambda device, dtype: 1e11)

    def run(*arguments):
        done = CliRunner().invoke(app, ["bench", *map(str, arguments)])
        return done.exit_code, " ".join((done.output + done.stderr).replace("│", " ").split())

    return run


def test_a_measurement_is_a_file_and_a_drawing_and_goes_on(bench, tmp_path):
    file = tmp_path / "mine.json"
    code, said = bench(*QUICK, "--knobs", "batch 2", "--note", "busy", "--out", file)
    assert code == 0, said
    assert "baseline: " in said and "batch 2: " in said and "largest pixel difference" in said and str(file) in said
    first = results.read(file)
    assert list(first.entries) == ["baseline", "batch 2"] and first.done and first.machine["note"] == "busy"
    assert file.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    code, said = bench(*QUICK, "--knobs", "batch 2,half the steps", "--out", file)
    assert code == 0, said
    both = results.read(file)
    assert list(both.entries) == ["baseline", "batch 2", "half the steps"]
    assert both.entries["batch 2"] == first.entries["batch 2"] and both.made == first.made
    assert "3000 pictures of 2 steps: " in said


def test_an_interrupted_one_keeps_what_is_done_and_goes_on(bench, tmp_path, monkeypatch):
    from sdlab.bench import comparing

    real, calls = comparing.vary, []

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(comparing, "vary", interrupted)
    file = tmp_path / "mine.json"
    asked = *QUICK, "--knobs", "batch 2,words encoded once", "--out", file
    code, said = bench(*asked)
    assert code == 130 and "the same command with this --out goes on" in said
    kept = results.read(file)
    assert list(kept.entries) == ["baseline", "batch 2"] and not kept.done
    code, said = bench(*asked)
    assert code == 0, said
    assert list(results.read(file).entries) == ["baseline", "batch 2", "words encoded once"] and results.read(file).done


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (("--knobs", "fp8"), "knob 'fp8' does not exist here"),
        (("--model", "pocket-scribble"), "does not draw from text alone"),
        (("--model", "pocket", "--random-weights"), "made for sd15 and sdxl"),
        (("--repeats", "1"), "repeats"),
        (("--out", "mine.txt"), "must end in .json"),
        (("--device", "gpu9"), "not one torch knows"),
        (("--compare",), "--compare and result files go together"),
        (("some.json",), "--compare and result files go together"),
    ],
)
def test_what_was_asked_wrongly_ends_with_2(bench, tmp_path, monkeypatch, asked, told):
    monkeypatch.chdir(tmp_path)
    code, said = bench("--steps", "2", *asked)
    assert (code, told in said) == (2, True), said
    assert not list(tmp_path.rglob("*.json"))


def test_a_file_of_another_measurement_is_not_touched(bench, tmp_path, result):
    file = tmp_path / "mine.json"
    results.write(file, result)
    before = file.read_bytes()
    code, said = bench(*QUICK, "--out", file)
    assert code == 2 and "is of another measurement (weights 'abc' and not" in said
    assert file.read_bytes() == before


def test_files_are_compared(bench, tmp_path, result):
    results.write(tmp_path / "mine.json", result)
    code, said = bench("--compare", tmp_path / "mine.json", tmp_path / "mine.json")
    assert code == 0, said
    assert said.count("measured here (busy)") == 4
    (tmp_path / "no.json").write_text("no", encoding="utf-8")
    assert bench("--compare", tmp_path / "no.json")[0] == 2
    code, said = bench("--compare", tmp_path / "missing.json")
    assert code == 1 and "cannot be read (No such file or directory): give a file that sdlab bench wrote" in said

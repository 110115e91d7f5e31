"""Result files: every number comes back, a kill leaves a whole one, and what is none is refused."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from sdlab.bench import results
from sdlab.display.intervals import Estimate


def test_a_file_comes_back_as_it_was(result, tmp_path):
    file = tmp_path / "deep" / "mine.json"
    results.write(file, result)
    assert results.read(file) == result
    assert [path.name for path in file.parent.iterdir()] == ["mine.json"]


def test_it_says_what_a_reader_needs_and_nothing_of_its_owner(result, tmp_path):
    results.write(tmp_path / "mine.json", result)
    text = (tmp_path / "mine.json").read_text(encoding="utf-8")
    values = json.loads(text)
    assert values["machine"]["note"] == "busy" and values["machine"]["threads"] >= 1
    assert {"python", "torch", "diffusers"} <= set(values["versions"])
    assert len(values["entries"]["bfloat16"]["samples"]) == len(values["entries"]["bfloat16"]["against"]) == 3
    private = (os.path.expanduser("~"), os.getcwd(), os.uname().nodename if hasattr(os, "uname") else None)
    assert not [word for word in private if word and len(word) > 3 and word in text]


def test_the_ratio_is_of_pairs_and_honest_about_few_of_them(result):
    found = result.entries["bfloat16"].ratio
    assert found.value == pytest.approx(2, rel=0.01)
    assert 1.8 < found.low < 2 < found.high < 2.2
    assert result.baseline.ratio is None
    entry = result.entries["bfloat16"]
    entry.samples, entry.against = entry.samples[:1], entry.against[:1]
    assert entry.ratio == Estimate(2.0, 0.0, float("inf"), 1)


@pytest.mark.parametrize("text", ["", "not json", "{}", "[1]", '{"format": 1}', '{"format": 1, "entries": {"x": {}}}', "\x00"])
def test_what_is_no_result_is_refused_in_a_sentence(tmp_path, text):
    (tmp_path / "other.json").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"other\.json' is no result of sdlab bench"):
        results.read(tmp_path / "other.json")


def test_a_file_of_a_newer_version_is_told(result, tmp_path):
    results.write(tmp_path / "new.json", result)
    text = (tmp_path / "new.json").read_text(encoding="utf-8").replace('"format": 1', '"format": 99')
    (tmp_path / "new.json").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"format 99.*update sdlab"):
        results.read(tmp_path / "new.json")


def test_stopped_before_any_change_to_the_folder_the_file_is_the_old_or_the_new_one(result, tmp_path, kill_at):
    file = tmp_path / "mine.json"
    results.write(file, result)
    for number in range(10):
        fewer = results.read(file)
        fewer.entries.pop("float16", None)
        with kill_at(number) as kill:
            results.write(file, fewer)
        assert len(results.read(file).entries) in (2, 3)
        if not kill.done:
            break
    assert not kill.done and number > 0


ENDLESS = """
import sys
from pathlib import Path
from sdlab.bench import results
file = Path(sys.argv[1])
result, number = results.read(file), 0
while True:
    number += 1
    result.entries = {**result.entries, f"knob {number % 50}": result.entries["bfloat16"]}
    results.write(file, result)
    print(number, flush=True)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGKILL")
def test_a_killed_process_leaves_a_whole_file(result, tmp_path):
    file = tmp_path / "mine.json"
    results.write(file, result)
    process = subprocess.Popen([sys.executable, "-c", ENDLESS, str(file)], stdout=subprocess.PIPE, text=True)
    try:
        for _ in range(3):
            assert process.stdout.readline()
        time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        process.wait()
    finally:
        process.kill()
    assert len(results.read(file).entries) > 3

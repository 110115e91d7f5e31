"""The report as a whole, the shipped models, Jupyter, and the command."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

import sdlab
from sdlab import cli
from sdlab.assets import ASSETS
from sdlab.doctor import jupyter, report, shipped
from sdlab.doctor.finding import BROKEN, FINE, LOOK, Finding


def test_the_list_of_checksums_is_of_the_weights_that_ship():
    listed = json.loads((ASSETS / shipped.LISTED).read_text(encoding="utf-8"))
    assert listed == shipped.checksums(), "the weights changed: python -c 'from sdlab.doctor.shipped import *; write_checksums()'"
    assert len(listed) > 10


@pytest.fixture
def assets(tmp_path):
    for part in ("judge", "rivals"):
        shutil.copytree(ASSETS / part, tmp_path / part)
    shipped.write_checksums(tmp_path)
    return tmp_path


def test_one_flipped_bit_or_a_missing_file_is_found(assets):
    assert [one.level for one in shipped.examine_shipped(assets)] == [FINE]
    judge = assets / "judge" / "judge.safetensors"
    content = bytearray(judge.read_bytes())
    content[len(content) // 2] ^= 1
    judge.write_bytes(content)
    [one] = shipped.examine_shipped(assets)
    assert one.level == BROKEN and one.says == "judge/judge.safetensors changed or damaged" and "git checkout" in one.remedy
    judge.unlink()
    assert shipped.examine_shipped(assets)[0].says == "judge/judge.safetensors missing"


def kernel_of(folder, program):
    place = folder / "kernels" / "python3"
    place.mkdir(parents=True)
    spec = {"argv": [str(program), "-m", "ipykernel_launcher", "-f", "{connection_file}"], "display_name": "x", "language": "python"}
    (place / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")


def test_a_kernel_of_another_python_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(jupyter, "_in_a_kernel", lambda: False)
    assert jupyter.examine_jupyter()[0].level == FINE
    other = tmp_path / "elsewhere" / "python"
    other.parent.mkdir()
    other.touch()
    kernel_of(tmp_path / "data", other)
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "data"))
    found = jupyter.examine_jupyter()[0]
    assert found.level == LOOK and "another Python" in found.says


def test_on_colab_files_do_not_last(monkeypatch):
    monkeypatch.setenv("COLAB_RELEASE_TAG", "release-colab_20260819")
    assert "gone when the runtime ends" in jupyter.examine_jupyter()[0].says


def test_a_quick_report_prints_only_what_is_not_fine():
    findings = [Finding("a", "good"), Finding("b", "strange", LOOK, "see <there>")]
    assert repr(report.Report(findings, quick=True)) == "! b: strange; see <there>\n2 things looked at, 1 to look after"
    assert repr(report.Report(findings)).startswith("✓ a: good\n! b")
    assert "see &lt;there&gt;" in report.Report(findings)._repr_html_()
    assert repr(report.Report(findings[:1], quick=True)) == "1 thing looked at, all fine"
    assert not report.Report(findings).is_broken


def test_a_check_that_fails_hides_no_other(monkeypatch):
    def fail():
        raise RuntimeError("out of order\nwith a second line")

    monkeypatch.setattr(report, "examine_python", fail)
    found = report.diagnose()
    assert str(found[0]) == "✗ Python: could not be examined (out of order)"
    assert len(found) > 5 and found.is_broken


def test_a_model_that_does_not_exist_is_told(monkeypatch):
    monkeypatch.setenv("SDLAB_MODEL", "poket")
    [one] = [one for one in sdlab.diagnose() if one.about == "model"]
    assert one.level == BROKEN and "did you mean 'pocket'" in one.says


def test_the_report_tells_no_name_of_a_home_folder():
    home = Path.home()
    text = repr(report.Report([Finding("disk", f"nothing can be written into {home / 'course'}", BROKEN)]))
    assert str(home) not in text and str(Path("~") / "course") in text


def test_the_command_ends_as_the_findings_say(monkeypatch):
    done = CliRunner().invoke(cli.app, ["doctor"])
    assert done.exit_code == 0 and "✓ Python" in done.output and "shipped models" in done.output
    monkeypatch.setenv("SDLAB_MODEL", "poket")
    done = CliRunner().invoke(cli.app, ["doctor", "--quick", "--json"])
    assert done.exit_code == 1
    assert [one["about"] for one in json.loads(done.output) if one["level"] == "broken"] == ["model"]

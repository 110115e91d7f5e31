"""The README says what the repository does."""

import json
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_its_numbers_are_the_models_own():
    card = (ROOT / "sdlab/assets/pocket/README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \w[\w ]+ \| \d+ \| \d+% \(.*$", card, re.M)
    assert len(rows) == 5  # one for each set of prompts
    assert all(row in README for row in rows)


def test_its_numbers_of_the_controlnet_are_measured_ones():
    table = json.loads((ROOT / "sdlab/assets/pocket-scribble/evaluation.json").read_text(encoding="utf-8"))["table"]
    rows = {(row["things"], row["drawn from"]): row for row in table}
    [paragraph] = [part for part in README.split("\n\n") if "F1" in part]
    said = [float(number) for number in re.findall(r"\d\.\d\d", paragraph)]
    middle, anywhere = ({drawn: row for (there, drawn), row in rows.items() if there == where} for where in ("in the middle", "anywhere"))
    measured = [middle["lines"]["agreement"], middle["true pictures"]["agreement"], middle["lines"]["chance"]]
    measured += [middle["no sketch"]["agreement"], anywhere["lines"]["agreement"]]
    assert said == [round(number, 2) for number in measured]
    shares = [f"{part:.0%}" for part in (middle["lines"]["object"], anywhere["lines"]["object"], anywhere["true pictures"]["object"])]
    assert re.findall(r"\d+%", paragraph) == shares


def test_its_numbers_of_the_xl_are_the_cards_own():
    card = (ROOT / "sdlab/assets/pocket-xl/README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (?:one thing|two things) \| .*$", card, re.M)
    assert len(rows) == 6  # base, base and refiner, true pictures: for each kind of prompt
    assert all(row in README for row in rows)


def test_its_links_lead_somewhere():
    for link in re.findall(r"\]\(([^)]+)\)", README):
        assert link.startswith("http") or (ROOT / link).exists(), link


def test_every_target_it_names_exists():
    targets = set(re.findall(r"(?:`|^)make ([a-z-]+)", README, re.M))
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    assert {"course", "test"} <= targets <= known


def test_make_alone_lists_every_target_with_help():
    said = subprocess.run(["make", "-C", ROOT], capture_output=True, text=True, check=True).stdout
    for target in ("course", "test", "test-browser", "lab", "notebooks", "lint", "clean", "pocket", "bench"):
        assert re.search(rf"make {target} +\w", said)


def test_every_command_it_and_the_cards_and_the_documentation_name_can_be_run():
    """`python -m name` needs a program in that module: one that ends in the usual question."""
    folders = ("sdlab", "pocket", "docs", "benchmarks", "notebooks/scripts")
    places = [ROOT / "README.md", *(place for name in folders for place in (ROOT / name).rglob("*.*") if place.suffix in (".md", ".py"))]
    asked = re.compile(r"python -m ((?:sdlab|pocket|docs|benchmarks)[\w.]*\w)")
    named = {name for place in places for name in asked.findall(place.read_text("utf-8"))}
    assert len(named) > 20
    for name in named:
        module = ROOT / name.replace(".", "/")
        program = module / "__main__.py" if module.is_dir() else module.with_suffix(".py")
        assert program.exists(), f"python -m {name}: there is no {program.relative_to(ROOT)}"
        assert "typer.run(" in (text := program.read_text("utf-8")) or '__name__ == "__main__"' in text, f"python -m {name} runs nothing"

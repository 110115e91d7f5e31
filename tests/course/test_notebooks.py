"""The notebooks are what their scripts say, and every exercise can be failed and passed."""

import re

import nbformat
import pytest
from nbclient import NotebookClient

from docs.tools.derive import NOTEBOOKS, SCRIPTS, colab_cells, derive, repository, text_of

ALL = sorted(SCRIPTS.glob("[0-9]*.py"))


@pytest.mark.parametrize("script", ALL, ids=lambda p: p.stem)
def test_a_notebook_is_what_its_script_gives(script):
    stored = NOTEBOOKS / f"{script.stem}.ipynb"
    assert stored.exists(), f"{stored.name} is missing: run make notebooks"
    assert stored.read_text(encoding="utf-8") == text_of(derive(script, remote=repository())), (
        f"{stored.name} is not what its script gives: run make notebooks"
    )


def test_no_notebook_is_without_a_script():
    assert {p.stem for p in NOTEBOOKS.glob("*.ipynb")} == {p.stem for p in ALL}


@pytest.mark.parametrize("script", ALL, ids=lambda p: p.stem)
def test_notebooks_hold_no_outputs_and_no_widgets(script):
    notebook = nbformat.read(NOTEBOOKS / f"{script.stem}.ipynb", as_version=4)
    nbformat.validate(notebook)
    assert "widgets" not in notebook.metadata
    assert not [c for c in notebook.cells if c.get("outputs") or c.get("execution_count")]


@pytest.mark.parametrize("script", ALL, ids=lambda p: p.stem)
def test_students_get_the_stub_and_teachers_the_solution(script):
    student, solved = derive(script), derive(script, solved=True)
    tags = (
        {tag for c in student.cells for tag in c.metadata.get("tags", [])},
        {tag for c in solved.cells for tag in c.metadata.get("tags", [])},
    )
    assert [t - {"cover", "hints"} for t in tags] == [{"stub"}, {"solution"}]
    assert len(student.cells) == len(solved.cells)


# Put before a student's notebook: of every sampling only a few steps. The solved notebooks train and sample in earnest; here the stubs are
# tested.
REHEARSAL = """
import diffusers
from sdlab.scratch import sampling

sampling.last = next  # the first step of a sampler has the shape of the last
in_earnest = diffusers.StableDiffusionPipeline.__call__


def rehearsed(pipe, *args, num_inference_steps=50, **more):
    return in_earnest(pipe, *args, num_inference_steps=min(num_inference_steps, 4), **more)


diffusers.StableDiffusionPipeline.__call__ = rehearsed
"""


@pytest.mark.slow
@pytest.mark.parametrize("script", ALL, ids=lambda p: p.stem)
def test_the_students_notebook_runs_and_its_stub_gets_a_hint(script, tmp_path, monkeypatch):
    monkeypatch.delenv("SDLAB_STRICT", raising=False)
    monkeypatch.setenv("SDLAB_REHEARSAL", "1")
    notebook = derive(script)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(REHEARSAL))
    NotebookClient(notebook, timeout=900, resources={"metadata": {"path": tmp_path}}).execute()
    said = "".join(o.get("text", "") for c in notebook.cells for o in c.get("outputs", []) if o.get("name") == "stdout")
    checks = sum("sdlab.exercise(" in c.source for c in notebook.cells if c.cell_type == "code")
    hints = re.findall(r"✗ .+: not yet\. (.+)", said)
    assert len(hints) == checks >= 1
    assert all(len(hint) > 20 for hint in hints)
    assert "✓" not in said


@pytest.mark.parametrize("script", ALL, ids=lambda p: p.stem)
def test_every_exercise_has_hints_in_stages_and_their_cell_is_folded(script):
    cells = derive(script).cells
    checks = [number for number, cell in enumerate(cells) if cell.cell_type == "code" and "sdlab.exercise(" in cell.source]
    assert checks
    for number in checks:
        assert ", hints=hints):" in cells[number].source
        before = cells[number - 1]
        assert before.metadata.get("jupyter") == {"source_hidden": True} and before.metadata["tags"] == ["hints"]
        known = {}
        exec(before.source, known)
        assert len(known["hints"]) >= 2


@pytest.mark.parametrize("script", ALL, ids=lambda p: p.stem)
def test_code_cells_are_short(script):
    for cell in derive(script, solved=True).cells:
        if cell.cell_type == "code":
            code = [line for line in cell.source.splitlines() if line.strip() and not line.strip().startswith(("#", "import", "from"))]
            assert len(code) <= 20, f"this cell has {len(code)} lines:\n{cell.source}"


def test_a_colab_badge_needs_a_known_repository():
    badge, install = colab_cells("00_first_image", "someone/lab")
    assert "colab.research.google.com/github/someone/lab/blob/main/notebooks/00_first_image.ipynb" in badge.source
    assert "git+https://github.com/someone/lab" in install.source
    assert "--quiet" not in install.source  # it would hide that the kernel has to be started again
    assert len(derive(ALL[0], remote="someone/lab").cells) == len(derive(ALL[0]).cells) + 2


@pytest.mark.parametrize(
    ("pyproject", "named"),
    [
        ('[tool.sdlab]\nrepository = "someone/lab"\n', "someone/lab"),
        ('[project]\nname = "x"\n\n[tool.sdlab]\nrepository = "a.b/c-d"\n[tool.ruff]\n', "a.b/c-d"),
        ('[tool.sdlab]\nrepository = ""\n', None),
        ('[project]\nrepository = "someone/else"\n', None),
    ],
)
def test_the_address_stands_in_pyproject_and_nowhere_else(pyproject, named, tmp_path):
    """A fork, a ZIP without a remote, and the first push all give the same notebooks."""
    (tmp_path / "pyproject.toml").write_text(pyproject, encoding="utf-8")
    assert repository(tmp_path / "pyproject.toml") == named


def test_students_see_lessons_only():
    assert {p.name for p in NOTEBOOKS.iterdir() if not p.name.startswith(".")} - {"outputs"} == {
        "scripts",
        *(f"{p.stem}.ipynb" for p in ALL),
    }

"""Derive the notebooks from their scripts: `python -m docs.tools.derive`, or `make notebooks`.

`notebooks/scripts/NN_name.py` (jupytext percent format) is the one source. A cell tagged `solution` is left out of what the student
opens, a cell tagged `stub` is left out of the solved notebook; nbconvert's own preprocessor does both. Outputs and widget state are
never stored. Where pyproject says on which address of GitHub the course is published, a Colab badge
and a set-up cell are put on top.
"""

import hashlib
import re
from pathlib import Path
from typing import Annotated

import jupytext
import nbformat
import typer
from nbconvert.preprocessors import TagRemovePreprocessor

ROOT = Path(__file__).parent.parent.parent
NOTEBOOKS = ROOT / "notebooks"
SCRIPTS = NOTEBOOKS / "scripts"
HINTS = "hints"  # the tag of cells whose source tells too much
FOLDED = {"jupyter": {"source_hidden": True}, "cellView": "form"}  # in Jupyter and VS Code; in Colab
KERNEL = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}, "language_info": {"name": "python"}}


def repository(pyproject=ROOT / "pyproject.toml"):
    """Where the course is published, `owner/name` on GitHub, as pyproject says; None where it says nothing."""
    section = re.search(r"^\[tool\.sdlab\]\n(.*?)(?=^\[|\Z)", pyproject.read_text(encoding="utf-8"), re.M | re.S)
    named = section and re.search(r'^repository = "([\w.-]+/[\w.-]+)"', section[1], re.M)
    return named[1] if named else None


def colab_cells(name, remote):
    """The badge that opens a notebook in Colab, and the cell that installs the course there."""
    link = f"https://colab.research.google.com/github/{remote}/blob/main/notebooks/{name}.ipynb"
    install = f'import sys\n\nif "google.colab" in sys.modules:\n    %pip install git+https://github.com/{remote}'
    badge = f"[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({link})"
    return [nbformat.v4.new_markdown_cell(badge), nbformat.v4.new_code_cell(install)]


def derive(script, solved=False, remote=None):
    """The notebook of a script, without outputs; `solved` keeps the solutions instead of the stubs."""
    notebook = jupytext.read(script, fmt="py:percent")
    left_out = {"stub"} if solved else {"solution"}
    notebook, _ = TagRemovePreprocessor(remove_cell_tags=left_out, enabled=True).preprocess(notebook, {})
    if remote:
        notebook.cells[1:1] = colab_cells(script.stem, remote)
    notebook.metadata = nbformat.from_dict(KERNEL)
    for position, cell in enumerate(notebook.cells):  # the same script must always give the same file
        cell["id"] = hashlib.sha256(f"{position} {cell.source}".encode()).hexdigest()[:8]
        tags = cell.metadata.get("tags")
        cell.metadata = nbformat.from_dict(({"tags": tags} if tags else {}) | (FOLDED if HINTS in (tags or ()) else {}))
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def text_of(notebook):
    """A notebook as the text of its file."""
    return nbformat.writes(notebook) + "\n"


def main(
    solutions: Annotated[Path | None, typer.Option(help="write the solved notebooks here instead of the students'")] = None,
):
    """Write every notebook, and say which changed."""
    folder = solutions or NOTEBOOKS
    folder.mkdir(parents=True, exist_ok=True)
    for script in sorted(SCRIPTS.glob("[0-9]*.py")):
        path = folder / f"{script.stem}.ipynb"
        text = text_of(derive(script, solved=solutions is not None, remote=repository()))
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path}")


if __name__ == "__main__":
    typer.run(main)

"""Gather what the lessons measured into the table of notebook 17: `python -m docs.tools.claims`.

Every `sdlab.claim(…)` leaves its verdict and its numbers among the outputs of its cell. Taken from the pages that `make course` wrote; with
names of notebooks, from those alone, which are executed for it, and the others' rows stay. Writes `sdlab/assets/results/claims.json`.
"""

import ast
import json
import re
from pathlib import Path
from typing import Annotated

import nbformat
import typer

from docs.tools.derive import SCRIPTS, derive
from docs.tools.publish import OUT, execute
from sdlab.claims import MIME
from sdlab.lesson import RESULTS

TABLE = RESULTS / "claims.json"


def gather(notebook, stem):
    """The claims among a notebook's outputs, each with the notebook and the heading under which it stands."""
    heading, rows = "", []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            heading = (re.findall(r"^#{1,4} +(.+)$", cell.source, re.M) or [heading])[-1]
        for output in cell.get("outputs", []):
            if found := output.get("data", {}).get(MIME):
                rows.append({"notebook": stem, "heading": heading, **found})
    return rows


def stated(script):
    """The sentences of all claims in a script, as they are written there."""
    calls = (node for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))) if isinstance(node, ast.Call))
    return [call.args[0].value for call in calls if ast.unparse(call.func) == "sdlab.claim"]


def read_table():
    """The rows of the table; none before it is first made."""
    return json.loads(TABLE.read_text(encoding="utf-8")) if TABLE.exists() else []


def main(
    names: Annotated[
        list[str] | None, typer.Argument(help="numbers of notebooks to execute, such as 02 03; none: what make course wrote")
    ] = None,
):
    """Gather and write, and say how many."""
    rows = read_table()
    for script in sorted(SCRIPTS.glob("[0-9]*.py")):
        if not stated(script) or (names and script.stem[:2] not in names):
            continue
        if names:
            notebook = derive(script, solved=True)
            OUT.mkdir(parents=True, exist_ok=True)
            execute(notebook, OUT)
            nbformat.write(notebook, OUT / f"{script.stem}.ipynb")
        else:
            page = OUT / f"{script.stem}.ipynb"
            if not page.exists():
                raise SystemExit(f"there is no {page}: run make course first, or name the notebooks to execute")
            notebook = nbformat.read(page, as_version=4)
        rows = [row for row in rows if row["notebook"] != script.stem] + gather(notebook, script.stem)
    rows = sorted((row for row in rows if (SCRIPTS / f"{row['notebook']}.py").exists()), key=lambda row: row["notebook"])
    TABLE.parent.mkdir(exist_ok=True)
    partial = TABLE.with_suffix(".partial")
    partial.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(TABLE)
    print(f"{len(rows)} claims from {len({row['notebook'] for row in rows})} notebooks in {Path(TABLE)}")


if __name__ == "__main__":
    typer.run(main)

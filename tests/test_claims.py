"""What a lesson claims stands among its outputs, and from there in the table of notebook 17."""

import json

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

import sdlab
from docs.tools import claims
from docs.tools.derive import SCRIPTS
from sdlab.claims import MIME, show_table


@pytest.mark.parametrize(("held", "verdict"), [(True, "held here"), (False, "did not hold here"), (None, "held in part")])
def test_a_claim_is_shown_with_its_verdict_and_numbers(held, verdict):
    shown = sdlab.claim("Steps & time go together", held, "R² = 0.99", source="A11")._repr_mimebundle_()
    assert f"Steps & time go together (A11): {verdict}. R² = 0.99" in shown["text/plain"]
    assert "Steps &amp; time" in shown["text/html"] and verdict in shown["text/html"]
    assert shown[MIME] == {"says": "Steps & time go together", "held": held, "measured": "R² = 0.99", "source": "A11"}


def test_the_verdict_of_an_array_library_is_a_verdict_and_a_number_is_none():
    assert sdlab.claim("a", np.float64(2) > 1, "2").held is True
    with pytest.raises(TypeError, match=r"held is 0\.99: it must be True, False, or None for in part"):
        sdlab.claim("a", 0.99, "2")


def test_another_verdict_than_the_tables_is_an_error(tmp_path, monkeypatch):
    table = tmp_path / "claims.json"
    table.write_text(json.dumps([{"says": "a", "held": True}]), encoding="utf-8")
    monkeypatch.setenv("SDLAB_CLAIMS", str(table))
    sdlab.claim("a", True, "1")
    sdlab.claim("new", False, "1")
    sdlab.claim("a", False, "3 s", by_clock=True)
    with pytest.raises(AssertionError, match="gather the claims again"):
        sdlab.claim("a", False, "1")


def test_claims_are_gathered_from_outputs_with_the_heading_above_them():
    cells = [
        nbformat.v4.new_markdown_cell("# Title\n\n## One\n\ntext"),
        nbformat.v4.new_code_cell('import sdlab\nsdlab.claim("first", True, "1")'),
        nbformat.v4.new_code_cell("1 + 1"),
        nbformat.v4.new_markdown_cell("### Two"),
        nbformat.v4.new_code_cell('sdlab.claim("second", None, f"{1 + 1}", source="B8")'),
    ]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook).execute()
    assert claims.gather(notebook, "99_test") == [
        {"notebook": "99_test", "heading": "One", "says": "first", "held": True, "measured": "1", "source": None},
        {"notebook": "99_test", "heading": "Two", "says": "second", "held": None, "measured": "2", "source": "B8"},
    ]


def test_the_table_links_each_claim_to_its_heading():
    row = {"notebook": "03_steps", "heading": "Time & steps", "says": "a < b", "held": False, "measured": "2", "source": None}
    shown = show_table([row]).data
    assert 'href="03_steps.ipynb#Time-%26-steps"' in shown and "a &lt; b" in shown and "✗ did not hold here" in shown


@pytest.mark.parametrize("script", sorted(SCRIPTS.glob("[0-9]*.py")), ids=lambda p: p.stem)
def test_the_table_holds_the_claims_of_the_lessons_and_no_others(script):
    rows = [row["says"] for row in claims.read_table() if row["notebook"] == script.stem]
    assert sorted(rows) == sorted(claims.stated(script)), "gather the claims again: python -m docs.tools.claims"

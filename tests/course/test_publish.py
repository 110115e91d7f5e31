"""What `make course` makes of a notebook with widgets."""

import nbformat
import pytest

from docs.tools.publish import execute, link_pages, make_exporter

CELL = """from PIL import Image
import sdlab
sdlab.compare(Image.new("RGB", (8, 8), "red"), Image.new("RGB", (8, 8), "blue"), ["red", "blue"])"""


@pytest.mark.slow
def test_a_page_shows_the_html_of_a_widget_and_no_state(tmp_path):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
    execute(notebook, tmp_path)
    assert "widgets" not in notebook.metadata
    body, _ = make_exporter().from_notebook_node(notebook)
    assert body.count('class="sdlab sdlab-compare"') == 1 and 'alt="red"' in body
    assert "widget-view" not in body


def test_links_between_notebooks_lead_from_page_to_page():
    assert link_pages('<a href="03_steps.ipynb#Time">03</a> <a href="https://x.org/a.ipynb">x</a>') == (
        '<a href="03_steps.html#Time">03</a> <a href="https://x.org/a.ipynb">x</a>'
    )

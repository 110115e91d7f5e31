"""Execute every notebook with its outputs and write the course as web pages: `python -m docs.tools.publish`, or `make course`.

The pages stand alone: pictures are inside them, and formulas are MathML, which browsers draw themselves, so no network is needed.
"""

import html
import re
import shutil
import time
from pathlib import Path

import latex2mathml.converter
import nbformat
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbconvert.preprocessors import CoalesceStreamsPreprocessor, ExecutePreprocessor, TagRemovePreprocessor

from docs.tools.derive import HINTS, ROOT, SCRIPTS, derive

OUT = ROOT / "build" / "course"
STYLE = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")


class _MathRenderer(IPythonRenderer):
    """Markdown with its formulas as MathML."""

    def inline_math(self, body):
        return latex2mathml.converter.convert(body)

    def block_math(self, body):
        return latex2mathml.converter.convert(body, display="block")


def _markdown(context, source):
    return MarkdownWithMath(renderer=_MathRenderer(escape=False, attachments=context.get("attachments", {}))).render(source)


def make_exporter():
    """What turns a notebook into the body of a page."""
    exporter = HTMLExporter(
        template_name="basic", exclude_input_prompt=True, exclude_output_prompt=True,
        preprocessors=[CoalesceStreamsPreprocessor, TagRemovePreprocessor(remove_cell_tags={HINTS}, enabled=True)],
    )  # fmt: skip
    from jinja2 import pass_context

    exporter.register_filter("markdown2html", pass_context(lambda context, source: _markdown(context.get("cell", {}), source)))
    return exporter


def execute(notebook, folder):
    """Run a notebook's cells in a folder. The state of widgets is not kept: without it a page shows their HTML, which needs no kernel."""
    ExecutePreprocessor(timeout=900, kernel_name="python3", store_widget_state=False).preprocess(notebook, {"metadata": {"path": folder}})


def link_pages(body):
    """A page whose links to other notebooks lead to their pages."""
    return re.sub(r'(href="\d\d_\w+)\.ipynb', r"\1.html", body)


def _page(title, body, crumbs):
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{STYLE}</style></head><body><nav>{crumbs}</nav><main>{body}</main></body></html>"
    )


def _title(notebook):
    return re.match(r"#\s+(.+)", notebook.cells[0].source)[1]


def _motivation(notebook):
    paragraphs = notebook.cells[0].source.split("\n\n")
    return next((p for p in paragraphs[1:] if not p.startswith(("!", "|", "#"))), "")


def _cover(notebook):
    """The first picture of the cell tagged `cover`, or of the notebook."""
    tagged = [cell for cell in notebook.cells if "cover" in cell.metadata.get("tags", [])]
    for cell in tagged or notebook.cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                return output.data["image/png"].replace("\n", "")
    return None


def main():
    """Execute and write all pages; a notebook that fails stops the build with its name and error."""
    shutil.rmtree(OUT / "outputs", ignore_errors=True)  # what the notebooks saved when they last ran
    OUT.mkdir(parents=True, exist_ok=True)
    exporter, cards = make_exporter(), []
    scripts = sorted(SCRIPTS.glob("[0-9]*.py"))
    notebooks = {script: derive(script) for script in scripts}
    for position, script in enumerate(scripts):
        notebook, start = notebooks[script], time.monotonic()
        execute(notebook, OUT)
        seconds = time.monotonic() - start
        body, _ = exporter.from_notebook_node(notebook)
        body = link_pages(body)
        crumbs = '<a href="index.html">Stable Diffusion Lab</a>'
        if position + 1 < len(scripts):
            following = scripts[position + 1]
            crumbs += f'<a href="{following.stem}.html">next: {html.escape(_title(notebooks[following]))} →</a>'
        (OUT / f"{script.stem}.html").write_text(_page(_title(notebook), body, crumbs), encoding="utf-8")
        nbformat.write(notebook, OUT / f"{script.stem}.ipynb")
        cards.append((script.stem, _title(notebook), _motivation(notebook), _cover(notebook), seconds))
        print(f"{script.stem}: {seconds:.0f} s")
    body = (
        "<h1>Stable Diffusion Lab</h1><p class='lead'>How pictures are made from noise, one running cell at a time.</p><div class='cards'>"
    )
    for stem, title, motivation, picture, seconds in cards:
        image = f'<img alt="" src="data:image/png;base64,{picture}">' if picture else ""
        body += (
            f'<a class="card" href="{stem}.html">{image}<div><h2>{html.escape(title)}</h2><p>{html.escape(motivation)}</p>'
            f"<small>ran here in {seconds:.0f} s</small></div></a>"
        )
    (OUT / "index.html").write_text(_page("Stable Diffusion Lab", body + "</div>", ""), encoding="utf-8")
    print(f"open {Path(OUT / 'index.html')}")


if __name__ == "__main__":
    main()

"""Figures that say in words what they show, for those who hear a page instead of seeing it."""

import base64
import html
import io

from matplotlib.figure import Figure


class Described(Figure):
    """A matplotlib figure with an `alt` text, which notebooks and pages carry with its picture.

    `plt.subplots(FigureClass=Described)` makes one. JupyterLab gives a plain PNG no alt text, so the picture goes into HTML; the PNG
    beside it, with the same text in its metadata, is for what knows no HTML, such as PDF.
    """

    alt = "A figure without a description"

    def _repr_mimebundle_(self, include=None, exclude=None):
        file = io.BytesIO()
        self.savefig(file, format="png", bbox_inches="tight")
        png = base64.b64encode(file.getvalue()).decode()
        picture = f'<img class="sdlab-figure" alt="{html.escape(self.alt)}" src="data:image/png;base64,{png}">'
        return {"text/html": picture, "image/png": png}, {"image/png": {"alt": self.alt}}

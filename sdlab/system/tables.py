"""Tables that print themselves: as text in a terminal, as HTML in a notebook."""

from html import escape


class Table(list):
    """A list of rows; what inherits it says `HEAD`, the names of the columns, and `_cells`, which yields each row as texts."""

    HEAD = ()

    def _cells(self):
        raise NotImplementedError

    def __repr__(self):
        rows = [self.HEAD, *self._cells()]
        widths = [max(len(row[i]) for row in rows) for i in range(len(self.HEAD))]
        return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)

    def _repr_html_(self):
        def line(cells, tag):
            return "<tr>" + "".join(f'<{tag} style="text-align:left">{escape(cell)}</{tag}>' for cell in cells) + "</tr>"

        return f"<table>{line(self.HEAD, 'th')}{''.join(line(cells, 'td') for cells in self._cells())}</table>"

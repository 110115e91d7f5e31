"""Claims: what is said of diffusion models, beside what a lesson measured.

The table of notebook 17 is gathered from them (`python -m docs.tools.claims`), so that it says what the lessons measured and nothing else.
"""

import html
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote

from sdlab.system.calls import brief, check_call

MIME = "application/vnd.sdlab.claim+json"
VERDICTS = {True: "held here", False: "did not hold here", None: "held in part"}
MARKS = {True: "✓", False: "✗", None: "◐"}
COLOURS = {True: "#11a880", False: "#c2410c", None: "#6b7280"}


@dataclass(frozen=True)
class Claim:
    """A claim and what was measured of it; a notebook shows it as a box.

    Args:
        says: the claim.
        held: whether it held: True, False, or None for in part.
        measured: the numbers.
        source: who makes the claim; None where the course itself does.
    """

    says: str
    held: bool | None
    measured: str
    source: str | None = None

    def _repr_mimebundle_(self, **_):
        who = f" ({self.source})" if self.source else ""
        plain = f"{MARKS[self.held]} {self.says}{who}: {VERDICTS[self.held]}. {self.measured}"
        rich = (
            f'<div class="sdlab-claim" style="border-left:3px solid {COLOURS[self.held]};padding:0.3em 0.9em;margin:0.4em 0">'
            f"<b>{html.escape(self.says)}</b>{html.escape(who)}<br>"
            f'<span style="color:{COLOURS[self.held]}">{MARKS[self.held]} {VERDICTS[self.held]}</span>: {html.escape(self.measured)}</div>'
        )
        return {"text/plain": plain, "text/html": rich, MIME: asdict(self)}


@check_call('sdlab.claim("Time is linear in steps", held=True, measured="…")')
def claim(says, held, measured, source=None, by_clock=False):
    """State a claim and what the cells above measured of it. Make it the last line of a cell.

    Args:
        says: the claim, a short sentence without its full stop.
        held: computed from the measurement: True, False, or None for in part.
        measured: the numbers, for example `f"{share(right)} of the pictures"`.
        source: who makes the claim, for example "SD 1.5 notebook"; None where the course itself does.
        by_clock: the verdict hangs on measured time, which a busy machine bends, so no test holds it to the table.

    Returns:
        A `Claim`, which a notebook shows.

    Raises:
        TypeError: `held` is no verdict.
        AssertionError: the table of the environment variable `SDLAB_CLAIMS` has another verdict; tests of the lessons set it.
    """
    if held is not None and not isinstance(held, bool):
        held = held.item() if getattr(held, "ndim", None) == 0 else held  # numpy's and torch's True
        if not isinstance(held, bool):
            raise TypeError(f"held is {brief(held)}: it must be True, False, or None for in part")
    stated = Claim(says, held, str(measured), source)
    if (table := os.environ.get("SDLAB_CLAIMS")) and not by_clock:
        known = {row["says"]: row["held"] for row in json.loads(Path(table).read_text(encoding="utf-8"))}
        assert known.get(says, held) == held, (
            f"{says!r} {VERDICTS[held]} ({measured}) but by {table} it {VERDICTS[known[says]]}: gather the claims again"
        )
    return stated


@check_call("show_table(rows)")
def show_table(rows):
    """The table of claims, each with its verdict, its numbers, and a link to where it was measured.

    Args:
        rows: as `docs.tools.claims` gathers them: dictionaries of "notebook", "heading", "says", "held", "measured" and "source".

    Returns:
        `IPython.display.HTML`.
    """
    from IPython.display import HTML

    body = "".join(
        f"<tr><td>{html.escape(row['says'])}</td><td>{html.escape(row['source'] or '—')}</td>"
        f'<td style="color:{COLOURS[row["held"]]};white-space:nowrap">{MARKS[row["held"]]} {VERDICTS[row["held"]]}</td>'
        f"<td>{html.escape(row['measured'])}</td>"
        f'<td><a href="{row["notebook"]}.ipynb#{quote(row["heading"].replace(" ", "-"))}">{row["notebook"][:2]}</a></td></tr>'
        for row in rows
    )
    head = "".join(f"<th>{name}</th>" for name in ("claim", "made by", "verdict", "measured", "notebook"))
    left = "<style>.sdlab-claims th, .sdlab-claims td { text-align: left !important; }</style>"  # notebooks set tables to the right
    return HTML(f'{left}<table class="sdlab-claims"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>')

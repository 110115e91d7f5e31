"""The table and the drawings: every row says who measured it."""

import copy

import matplotlib.pyplot as plt
import pytest

from sdlab.bench.knobs import BASELINE
from sdlab.bench.showing import show_phases, show_ratios, tell, tell_limit
from sdlab.bench.table import PUBLISHED, compare_machines, rows_of


def test_every_row_is_marked(result):
    result.asked["model"] = "sd15"
    for entry in result.entries.values():
        entry.settings = entry.settings.but(side=512)
    elsewhere = copy.deepcopy(result)
    elsewhere.machine |= {"name": "Another", "note": ""}
    table = compare_machines([result, elsewhere])
    assert len(table) == 4 + sum(row.model == "sd15 at 512" for row in PUBLISHED)
    for row in table:
        assert row.mark.startswith(("published: ", "measured here", "measured there, with sdlab bench"))
    assert [row.mark for row in table[:4]] == ["measured here (busy)"] * 2 + ["measured there, with sdlab bench"] * 2
    lines = repr(table).splitlines()
    assert lines[0].split()[:2] == ["model", "machine"] and len(lines) == len(table) + 1
    assert table._repr_html_().count("<tr>") == len(table) + 1


def test_a_row_is_a_picture_of_25_steps_put_together_from_its_phases(result):
    own, fast = rows_of(result)
    assert own.seconds == pytest.approx(0.25 + 25 * 0.25 + 0.25)  # a second with two steps, half of it in them
    assert own.rate == pytest.approx(25 / own.seconds)
    assert own.machine.endswith(("thread)", "threads)"))
    assert fast.how == "bfloat16" and fast.rate == pytest.approx(2 * own.rate)


def test_a_pocket_model_has_no_published_figures_beside_it(result):
    assert {row.mark for row in compare_machines([result])} == {"measured here (busy)"}


def test_every_knob_gets_a_line(result):
    lines = {name: tell(name, entry) for name, entry in result.entries.items()}
    assert lines[BASELINE] == "baseline: 1 s per picture, the first 3 s"
    assert lines["bfloat16"].startswith("bfloat16: 2 (1.9")
    assert lines["bfloat16"].endswith(") times the baseline's pictures per second, largest pixel difference 9 of 255")
    assert lines["float16"] == "float16: not measured, RuntimeError: not here"
    assert tell_limit(result).endswith("in float32, of which the baseline uses 10%")


@pytest.mark.parametrize("draw", [show_ratios, show_phases])
def test_the_drawings_say_in_words_what_they_show(result, draw):
    figure = draw(result)
    figure.canvas.draw()
    assert "bfloat16" in figure.alt and "busy" in figure.alt
    assert not plt.get_fignums()

"""Curves with their bands, bars of time, and colours that everybody can tell apart."""

from itertools import combinations

import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgb

import sdlab
from sdlab.display.curves import COLOURS
from sdlab.display.intervals import bands


def test_bands_are_those_of_means_or_of_shares():
    means, lows, highs = bands([[1.5, 1], [2, 1], [2.5, 0]])
    assert means == pytest.approx([2, 2 / 3])
    assert 1.5 <= lows[0] < 2 < highs[0] <= 2.5
    assert lows[1] == 0 and highs[1] == 1  # a curve of means, though these happen to be 0 and 1
    shares, lows, highs = bands([[0, 1], [1, 1], [0, 0]])
    assert shares == pytest.approx([1 / 3, 2 / 3])
    assert lows[1] == pytest.approx(0.208, abs=1e-3) and highs[1] == pytest.approx(0.939, abs=1e-3)  # Wilson's, as in every table of it
    assert bands([[1]] * 5)[1] < 1  # five of five are no proof


def test_a_curve_has_its_mean_and_its_band():
    scores = {"Euler": [[0.2, 0.5], [0.3, 0.6], [0.4, 0.7]], "DDIM": [0.1, 0.9]}
    figure = sdlab.curve([10, 20], scores, xlabel="steps", ylabel="score")
    axis = figure.axes[0]
    assert [list(line.get_ydata()) for line in axis.lines] == [pytest.approx([0.3, 0.6]), [0.1, 0.9]]
    [band] = axis.collections  # one measurement has none
    assert band.get_paths()[0].get_extents().y1 == pytest.approx(bands(scores["Euler"])[2].max())
    assert [line.get_marker() for line in axis.lines] == ["o", "s"]
    assert figure.alt == "score over steps from 10 to 20: Euler from 0.3 to 0.6; DDIM from 0.1 to 0.9, with bands of 95% confidence"


def test_the_house_colours_stay_when_the_figure_is_drawn_later():
    figure = sdlab.curve([1, 2], {"a": [1, 2], "b": [2, 3]})
    assert [to_hex(line.get_color()) for line in figure.axes[0].lines] == COLOURS[:2]


def test_bars_show_seconds(pipe, recipe):
    figure = sdlab.time_bars({"one": 0.25, "three": [1.0, 1.2, 1.4]}, title="Speed")
    assert [bar.get_width() for bar in figure.axes[0].patches] == pytest.approx([0.25, 1.2])
    assert figure.alt == "Speed: one 250 ms; three 1.2 s"
    assert len(figure.axes[0].lines) == 1  # the whisker of the repeats
    runs = [sdlab.generate(pipe, recipe.but(steps=steps), progress=False) for steps in (1, 2)]
    labels = [label.get_text() for label in sdlab.time_bars(runs).axes[0].get_yticklabels()]
    assert labels == ["steps 1", "steps 2"]
    labels = [label.get_text() for label in sdlab.time_bars([runs[0], runs[0]]).axes[0].get_yticklabels()]
    assert labels == ["1.", "2."]


# How the colour-blind see, in linear light (Machado, Oliveira & Fernandes 2009, severity 1).
SIGHT = {
    "full": np.eye(3),
    "no red": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "no green": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "no blue": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def linear(colour):
    values = np.array(to_rgb(colour))
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def lab(light):
    """CIELAB of linear light, white D65."""
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    x, y, z = np.cbrt(to_xyz @ np.clip(light, 0, 1) / (0.9505, 1, 1.089))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("sight", SIGHT)
def test_the_colours_are_told_apart(sight):
    seen = [lab(np.asarray(SIGHT[sight]) @ linear(colour)) for colour in COLOURS]
    assert min(np.linalg.norm(a - b) for a, b in combinations(seen, 2)) > 18


def test_the_colours_stand_out_from_the_white_of_a_projector():
    for colour in COLOURS:
        luminance = linear(colour) @ (0.2126, 0.7152, 0.0722)
        assert 1.05 / (luminance + 0.05) >= 2.9, colour  # WCAG asks 3 of graphics


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: sdlab.curve([1, 2], [1, 2, 3]), "values has the shape (1, 3): for 2 points it must be (repeats, 2) or (2,)"),
        (lambda: sdlab.curve([1, 2], {"a": "high"}), "values of 'a' is 'high': it must be numbers"),
        (lambda: sdlab.curve([], []), "x has the shape (0,)"),
        (lambda: sdlab.curve([1], {}), "values holds no curve"),
        (lambda: sdlab.time_bars({}), "times holds no time"),
        (lambda: sdlab.time_bars({"a": -1}), "the time of 'a' is [-1.0]: it must be seconds from 0 up"),
        (lambda: sdlab.time_bars({"a": "long"}), "the time of 'a' is 'long': it must be seconds"),
        (lambda: sdlab.time_bars([3]), "times has 3: give {name: seconds}, or generations"),
    ],
)
def test_wrong_calls_are_told_in_one_sentence(call, said):
    with pytest.raises((TypeError, ValueError)) as caught:
        call()
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)

"""Curves of what was measured, each with the band in which the true mean lies."""

import matplotlib.pyplot as plt
import numpy as np

from sdlab.display.described import Described
from sdlab.display.intervals import bands
from sdlab.display.style import STYLE
from sdlab.system.calls import brief, check_call

COLOURS = STYLE["axes.prop_cycle"].by_key()["color"]  # by value: "C0" would be looked up when the figure is drawn, in another style
MARKERS = "os^Dvp"  # beside its colour, so that a curve is known in grey print too


@check_call("sdlab.curve(steps, {'Euler': scores, 'DDIM': others}, xlabel='steps', ylabel='score')")
def curve(x, values, *, xlabel="", ylabel="", title=None, alt=None):
    """What was measured over a knob: the mean of the repeats as a line, and its 95% confidence interval as a band around it.

    Args:
        x: (points,) values of the knob.
        values: for each curve (repeats, points), or (points,) for a line without a band: one array, or `{name: array}` for several. Of
            repeats that are all 0 or 1, such as "the judge agrees", the mean is a share.
        xlabel: what x is, with its unit.
        ylabel: what the values are, with their unit.
        title: a heading.
        alt: what the figure shows, in words; default: the ends of every curve.

    Returns:
        The matplotlib figure.

    Raises:
        TypeError: what is given is no numbers.
        ValueError: not as many values as points.
    """
    x = _numbers("x", x)
    if x.ndim != 1 or not len(x):
        raise ValueError(f"x has the shape {x.shape}: it must be a list of points, such as [10, 20, 30]")
    curves = values if isinstance(values, dict) else {"": values}
    curves = {name: _repeats(name, these, len(x)) for name, these in curves.items()}
    if not curves:
        raise ValueError("values holds no curve: give at least one, as in {'Euler': scores}")
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(6.5, 3.4), layout="constrained", FigureClass=Described)
        for index, (name, these) in enumerate(curves.items()):
            mean, low, high = bands(these) if len(these) > 1 else (these[0], None, None)
            colour, marker = COLOURS[index % len(COLOURS)], MARKERS[index % len(MARKERS)]
            axis.plot(x, mean, marker=marker, markersize=5, linewidth=2, color=colour, label=name)
            if low is not None:
                axis.fill_between(x, low, high, color=colour, alpha=0.18, linewidth=0)
        axis.set(xlabel=xlabel, ylabel=ylabel, title=title or "")
        axis.grid(axis="y", alpha=0.25)
        if any(curves):
            axis.legend(frameon=False)
    figure.alt = alt or _tell(x, curves, xlabel, ylabel, title)
    plt.close(figure)
    return figure


def _numbers(name, values):
    try:
        return np.asarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} is {brief(values)}: it must be numbers, such as [0.1, 0.2]") from error


def _repeats(name, values, points):
    """The values of one curve as (repeats, points)."""
    called = f"values of {name!r}" if name else "values"
    values = np.atleast_2d(_numbers(called, values))
    if values.ndim != 2 or values.shape[1] != points or not len(values):
        raise ValueError(f"{called} has the shape {values.shape}: for {points} points it must be (repeats, {points}) or ({points},)")
    return values


def _tell(x, curves, xlabel, ylabel, title):
    """The curves in words: where each begins and ends."""
    means = {name: these.mean(0) for name, these in curves.items()}
    ends = "; ".join(f"{name + ' ' if name else ''}from {mean[0]:.3g} to {mean[-1]:.3g}" for name, mean in means.items())
    over = f"{ylabel or 'values'} over {xlabel or 'x'} from {x[0]:g} to {x[-1]:g}"
    band = ", with bands of 95% confidence" if any(len(these) > 1 for these in curves.values()) else ""
    return f"{title + ': ' if title else ''}{over}: {ends}{band}"

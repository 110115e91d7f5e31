"""Bars of time: how long each way took."""

import matplotlib.pyplot as plt
import numpy as np

from sdlab.display.described import Described
from sdlab.display.intervals import mean as estimate
from sdlab.display.showing import contrast
from sdlab.display.style import INK, STYLE
from sdlab.pipes.generation import Generation
from sdlab.system.calls import brief, check_call


@check_call("sdlab.time_bars({'Euler': 1.2, 'Heun': 2.3}) or sdlab.time_bars(runs)")
def time_bars(times, *, title=None, alt=None):
    """Bars of seconds, each with its number; over repeats the mean, with its 95% confidence interval as a whisker.

    Args:
        times: `{name: seconds}`, or `{name: [seconds, …]}` of repeats; or generations, which are named by what differs between them.
        title: a heading.
        alt: what the figure shows, in words; default: every bar's name and number.

    Returns:
        The matplotlib figure.

    Raises:
        TypeError: what is given is no times.
        ValueError: there is none, or one that no clock shows.
    """
    times = {name: _seconds(name, these) for name, these in _name(times).items()}
    if not times:
        raise ValueError("times holds no time: give at least one, as in {'Euler': 1.2}")
    spans = {name: _span(these) for name, these in times.items()}
    told = {name: f"{mean:.1f} s" if mean >= 1 else f"{mean * 1000:.0f} ms" for name, (mean, _, _) in spans.items()}
    longest = max(high for _, _, high in spans.values()) or 1
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(6.5, 0.8 + 0.42 * len(times)), layout="constrained", FigureClass=Described)
        for row, (name, (mean, low, high)) in enumerate(spans.items()):
            axis.barh(row, mean, height=0.62, color="C0", alpha=0.85)
            if high > low:
                axis.plot((max(low, 0), high), (row, row), color=INK, linewidth=1.5, marker="|", markersize=8)
            axis.text(high + 0.015 * longest, row, told[name], va="center")
        axis.set(xlabel="seconds", xlim=(0, 1.15 * longest), title=title or "")
        axis.set_yticks(range(len(times)), list(times))
        axis.tick_params(axis="y", length=0, labelcolor=INK)
        axis.invert_yaxis()
        axis.spines["left"].set_visible(False)
    figure.alt = alt or f"{title or 'Times'}: {'; '.join(f'{name} {said}' for name, said in told.items())}".replace("\n", ", ")
    plt.close(figure)
    return figure


def _span(times):
    """The mean of times and the ends of its interval; of a single one, itself."""
    if len(times) == 1:
        return (times[0],) * 3
    found = estimate(times)
    return found.value, found.low, found.high


def _name(times):
    """The times with their names; generations are named by what differs, and by their number where that is not enough."""
    if isinstance(times, dict):
        return times
    runs = list(times) if hasattr(times, "__iter__") and not isinstance(times, str) else [times]
    wrong = [run for run in runs if not isinstance(run, Generation)]
    if wrong:
        raise TypeError(f"times has {brief(wrong[0])}: give {{name: seconds}}, or generations as sdlab.generate returns them")
    names = contrast([run.recipe for run in runs]) if runs else []
    if len(set(names)) < len(names) or not all(names):
        names = [f"{number}. {name}".strip() for number, name in enumerate(names, 1)]
    return {name: run.seconds for name, run in zip(names, runs, strict=True)}


def _seconds(name, values):
    try:
        values = np.atleast_1d(np.asarray(values, dtype=float))
    except (TypeError, ValueError) as error:
        raise TypeError(f"the time of {name!r} is {brief(values)}: it must be seconds, such as 1.2, or a list of them") from error
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all() or (values < 0).any():
        raise ValueError(f"the time of {name!r} is {brief(values.tolist())}: it must be seconds from 0 up, one or a list")
    return values

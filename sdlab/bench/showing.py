"""A result as text and as drawings: what each knob gains, and where the time goes."""

import matplotlib.pyplot as plt
import numpy as np

from sdlab.bench.knobs import BASELINE
from sdlab.bench.limits import share_of_limit
from sdlab.display.curves import COLOURS
from sdlab.display.described import Described
from sdlab.display.style import FAINT, INK, STYLE

PHASES = {"text": "text and noise", "steps": "steps", "decode": "decoding"}


def tell(name, entry):
    """An entry in one line: the ratio to the baseline with its interval, and the largest pixel difference; or why there is none."""
    if entry.failed:
        return f"{name}: not measured, {entry.failed}"
    if entry.ratio is None:
        return f"{name}: {entry.seconds:.3g} s per picture, the first {entry.first.per_picture:.3g} s"
    apart = "of another size" if entry.pixels is None else f"largest pixel difference {entry.pixels} of 255"
    first = f", its first call {entry.first.total:.3g} s" if entry.settings.compile else ""
    return f"{name}: {entry.ratio} times the baseline's pictures per second, {apart}{first}"


def tell_limit(result):
    """Which share of the device's matrix speed the baseline reaches, in one line."""
    own = result.baseline
    rate = result.rates[own.settings.dtype]
    share = np.median([share_of_limit(result.work, sample, rate) for sample in own.samples])
    return f"limit: {rate / 1e12:.3g} TFLOP per second in {own.settings.dtype}, of which the baseline uses {share:.0%}"


def show_ratios(result):
    """Every knob's ratio to the baseline, with its 95% interval, on a scale where twice and half are equally far from 1.

    Args:
        result: a `Result`; of knobs that failed the reason is in the text below the names.

    Returns:
        The matplotlib figure.
    """
    entries = {name: entry for name, entry in result.entries.items() if name != BASELINE}
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(7.5, 1 + 0.34 * len(entries)), layout="constrained", FigureClass=Described)
        for row, entry in enumerate(entries.values()):
            if entry.failed:
                axis.annotate("not measured", (0.01, row), xycoords=("axes fraction", "data"), va="center", color=FAINT, fontsize=9)
                continue
            found = entry.ratio
            axis.plot((found.low, found.high), (row, row), color=COLOURS[0], linewidth=2)
            axis.plot(found.value, row, "o", color=COLOURS[0])
            axis.annotate(f"{found.value:.2f}", (1.01, row), xycoords=("axes fraction", "data"), va="center", fontsize=9)
        axis.axvline(1, color=INK, linewidth=1)
        axis.set_xscale("log", base=2)
        axis.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
        low, high = axis.get_xlim()
        axis.set_xlim(max(min(low, 0.7), 0.05), min(max(high, 1.5), 50))
        axis.set(xlabel="times the baseline's pictures per second", title=_title(result))
        axis.set_yticks(range(len(entries)), list(entries))
        axis.tick_params(axis="y", length=0, labelcolor=INK)
        axis.set_ylim(len(entries) - 0.5, -0.5)
        axis.grid(axis="x", alpha=0.25)
        axis.spines["left"].set_visible(False)
    said = "; ".join(f"{name} {'not measured' if entry.failed else entry.ratio}" for name, entry in entries.items())
    figure.alt = f"Ratio to the baseline's pictures per second, {_title(result)}: {said}"
    plt.close(figure)
    return figure


def show_phases(result):
    """Where the time of one picture goes with every knob: the text, the steps and the decoding, one behind the other.

    Medians, in units of what the baseline took in turn with the knob: seconds of different moments could not be compared.

    Args:
        result: a `Result`.

    Returns:
        The matplotlib figure.
    """
    entries = {name: entry for name, entry in result.entries.items() if entry.samples}
    spans = np.array([[_median(entry, phase) for phase in PHASES] for entry in entries.values()])
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(7.5, 1 + 0.34 * len(entries)), layout="constrained", FigureClass=Described)
        begun = np.zeros(len(entries))
        for number, label in enumerate(PHASES.values()):
            axis.barh(range(len(entries)), spans[:, number], left=begun, height=0.62, color=COLOURS[number], label=label)
            begun += spans[:, number]
        axis.axvline(1, color=INK, linewidth=1)
        axis.set(xlabel="time per picture, the baseline's is 1", title=_title(result))
        axis.set_yticks(range(len(entries)), list(entries))
        axis.tick_params(axis="y", length=0, labelcolor=INK)
        axis.invert_yaxis()
        axis.spines["left"].set_visible(False)
        figure.legend(frameon=False, loc="outside lower center", ncols=len(PHASES))
    said = "; ".join(f"{name} {total:.2f}, of that the steps {steps:.2f}" for name, total, (_, steps, _) in zip(
        entries, begun, spans, strict=True))  # fmt: skip
    figure.alt = f"Time per picture in units of the baseline's, {_title(result)}: {said}"
    plt.close(figure)
    return figure


def _median(entry, phase):
    own = np.median([sample.per_picture for sample in entry.against or entry.samples])
    return np.median([np.sum(getattr(sample, phase)) / sample.pictures for sample in entry.samples]) / own


def _title(result):
    note = f" ({result.machine['note']})" if result.machine["note"] else ""
    return f"{result.asked['model']} on {result.machine['name']}{note}"

"""How long will it take? The time of a picture and of a step, fitted to calls that were measured, and what follows from them."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from sdlab.system.calls import brief


@dataclass(frozen=True)
class Projection:
    """Seconds that work will take, and the 95% interval in which they will be if the machine goes on as it was measured."""

    seconds: float
    low: float
    high: float

    def __str__(self):
        return f"{_told(self.seconds)} ({_told(self.low)} to {_told(self.high)})"


def _told(seconds):
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.3g} s"


@dataclass(frozen=True)
class Fit:
    """Seconds = `per_picture` · pictures + `per_step` · steps, fitted by least squares.

    Args:
        per_picture: what a picture costs beside its steps, in seconds.
        per_step: what a step costs.
        covariance: of the two, (2, 2).
        spread: standard deviation of one call around the fit, in seconds.
        freedom: calls less what was fitted.
    """

    per_picture: float
    per_step: float
    covariance: np.ndarray
    spread: float
    freedom: int

    def project(self, pictures, steps):
        """The `Projection` for a number of pictures of so many steps each.

        Two errors add up: that of the two fitted numbers, which grows with the number of pictures, and that of the calls to come, which
        grows with its root. Both hold while the machine is as it was; a laptop that throttles, or another program, is in neither.
        """
        row = np.array([pictures, pictures * steps], float)
        seconds = float(row @ (self.per_picture, self.per_step))
        wide = student.ppf(0.975, self.freedom) * np.sqrt(row @ self.covariance @ row + pictures * self.spread**2)
        return Projection(seconds, max(0.0, seconds - float(wide)), seconds + float(wide))


def fit(steps, seconds):
    """Fit the time of a picture and of a step.

    Args:
        steps: of each measured call that made one picture.
        seconds: that it took.

    Returns:
        A `Fit`.

    Raises:
        ValueError: fewer than three calls, or all of one number of steps.
    """
    steps, seconds = np.asarray(steps, float), np.asarray(seconds, float)
    if steps.shape != seconds.shape or steps.ndim != 1:
        raise ValueError(f"steps is {brief(steps.tolist())} and seconds {brief(seconds.tolist())}: give one of each for every call")
    if len(steps) < 3 or len(set(steps)) < 2:
        raise ValueError(f"steps is {brief(steps.tolist())}: for a line give three calls or more, with two numbers of steps or more")
    rows = np.stack([np.ones_like(steps), steps], axis=1)
    found, *_ = np.linalg.lstsq(rows, seconds, rcond=None)
    freedom = len(steps) - 2
    spread = float(np.sqrt(np.sum((seconds - rows @ found) ** 2) / freedom))
    return Fit(float(found[0]), float(found[1]), spread**2 * np.linalg.inv(rows.T @ rows), spread, freedom)


def fit_result(result):
    """The `Fit` of a result file: of knobs that differ from the baseline in their steps alone, and of the baseline in turn with them.

    Raises:
        ValueError: it holds no such knob.
    """
    own = result.baseline.settings
    alike = [entry for entry in result.entries.values() if entry.against and entry.settings.but(steps=own.steps) == own]
    samples = [(len(sample.steps), sample.total) for entry in alike for sample in (*entry.samples, *entry.against)]
    if not samples:
        raise ValueError("the result holds one number of steps only: measure 'half the steps' too")
    return fit(*zip(*samples, strict=True))

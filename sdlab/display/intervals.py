"""How sure a number is: shares, means and differences with their 95% intervals.

One picture proves nothing. A share of pictures, or a mean over them, is an estimate of what all prompts and all seeds would give; each
function here says it together with the interval that would hold the truth in 95 of 100 such experiments.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

from sdlab.system.calls import brief, check_call

RESAMPLED = 2000  # times


@dataclass(frozen=True)
class Estimate:
    """A measured number with its 95% interval; printed as `72% (63–80)` or `0.31 (0.28–0.35)`.

    Args:
        value: the number.
        low, high: the interval.
        count: of how many pictures, or pairs of pictures.
        is_share: whether it is a share, printed in percent.
    """

    value: float
    low: float
    high: float
    count: int
    is_share: bool = False

    def __str__(self):
        if self.is_share:
            return f"{self.value:.0%} ({100 * self.low:.0f}–{100 * self.high:.0f})"
        dash = "–" if self.low >= 0 else " to "  # a dash before a minus is hard to read
        return f"{self.value:.3g} ({self.low:.3g}{dash}{self.high:.3g})"

    @property
    def is_clear(self):
        """Whether 0 lies outside the interval: of a difference, whether it can be told from none."""
        return not self.low <= 0 <= self.high


@check_call("share([True, False, True])")
def share(right):
    """The share of True, with the interval of Wilson (1927).

    It stays inside 0…1 and is right for few pictures and for shares near 0 and 1, where mean ± two standard errors is not.

    Args:
        right: yes or no for each picture.

    Raises:
        ValueError: there is nothing, or something else than yes and no.
    """
    right = np.asarray(right, float).ravel()
    if not len(right) or not np.isin(right, (0, 1)).all():
        raise ValueError(f"right is {brief(right)}: give True or False for each picture, at least one")
    test = binomtest(int(right.sum()), len(right))
    low, high = test.proportion_ci(method="wilson")
    return Estimate(float(test.statistic), float(low), float(high), len(right), is_share=True)


@check_call("mean(values)")
def mean(values):
    """The mean, with a bootstrap interval (Efron 1979): the experiment is imagined again by drawing from its own values.

    Args:
        values: one for each picture, (n,); or (prompts, seeds). With seeds in columns both prompts and seeds are drawn anew, for pictures
            of one prompt, or from one noise, are alike (Owen 2007).

    Raises:
        ValueError: fewer than two values, or not one or two dimensions.
    """
    values = _check(values)
    found = np.quantile(_resample(values), (0.025, 0.975))
    return Estimate(float(values.mean()), float(found[0]), float(found[1]), values.size)


@check_call("difference(values, others)")
def difference(values, others):
    """The mean of what `values` have more than `others`, pair by pair: the same prompts and seeds under two settings.

    Paired, because most of the spread is that of prompts and seeds, which both share; it drops out.

    Args:
        values: one for each picture, as for `mean`.
        others: the same under the other setting.

    Raises:
        ValueError: they have not one shape.
    """
    values, others = np.asarray(values, float), np.asarray(others, float)
    if values.shape != others.shape:
        raise ValueError(f"values are {values.shape} and others {others.shape}: a paired comparison needs the same prompts and seeds")
    return mean(values - others)


def _check(values):
    values = np.asarray(values, float)
    if values.ndim not in (1, 2) or values.size < 2 or not np.isfinite(values).all():
        raise ValueError(f"values is {brief(values)}: give two finite numbers or more, (n,) or (prompts, seeds)")
    return values


def _resample(values):
    """Means of values, (n,) or (prompts, seeds), drawn anew: (`RESAMPLED`,)."""
    rng = np.random.default_rng(0)
    if values.ndim == 1 or 1 in values.shape:
        flat = values.ravel()
        return flat[rng.integers(len(flat), size=(RESAMPLED, len(flat)))].mean(1)
    prompts, seeds = (rng.integers(count, size=(RESAMPLED, count)) for count in values.shape)
    return np.array([values[np.ix_(rows, columns)].mean() for rows, columns in zip(prompts, seeds, strict=True)])


def bands(values):
    """What a curve shows: at each point the mean of the repeats and the ends of its interval, as three arrays.

    Args:
        values: (repeats, points), two repeats or more. Where all of them are 0 or 1, the curve shows shares.
    """
    values = np.asarray(values, float)
    estimate = share if np.isin(values, (0, 1)).all() else mean
    found = [estimate(column) for column in values.T]
    return tuple(np.array(part) for part in zip(*((one.value, one.low, one.high) for one in found), strict=True))

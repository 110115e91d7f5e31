"""How sure a mean over few repeats is: its 95% confidence interval."""

import numpy as np
from scipy import stats

LEVEL = 0.95


def interval(values):
    """The mean over repeats and where the true one lies with 95% confidence.

    Args:
        values: (repeats, ...), at least two repeats.

    Returns:
        Three arrays (...): the mean, the lower and the upper end. Where every value is 0 or 1 it is a share, and its interval Wilson's
        (1927), which stays between 0 and 1; else Student's, with the standard deviation of the repeats.
    """
    values = np.asarray(values, dtype=float)
    count, mean = len(values), values.mean(0)
    if np.isin(values, (0, 1)).all():
        z = stats.norm.ppf((1 + LEVEL) / 2)
        middle = (mean + z**2 / (2 * count)) / (1 + z**2 / count)
        half = z / (1 + z**2 / count) * np.sqrt(mean * (1 - mean) / count + z**2 / (4 * count**2))
        return mean, middle - half, middle + half
    half = stats.t.ppf((1 + LEVEL) / 2, count - 1) * values.std(0, ddof=1) / np.sqrt(count)
    return mean, mean - half, mean + half

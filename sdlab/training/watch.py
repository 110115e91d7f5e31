"""Watch a model being trained in a notebook: its loss at each noise level, and samples that grow from the same noise."""

import math
import numbers
import os
import time
from dataclasses import dataclass, field

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import LogLocator, NullFormatter

from sdlab.display.described import Described
from sdlab.display.grids import tile_pixels
from sdlab.display.style import STYLE
from sdlab.system.calls import brief, check_call
from sdlab.system.device import synchronize

BINS = 16  # groups of noise levels whose losses are averaged
SHOWN = 12  # samples a row


@dataclass
class History:
    """What happened while training, for later plots.

    `seconds`, `losses`: one entry a step, looks not counted. `by_level`: the mean loss in `BINS` groups of levels between two looks.
    `samples`: the pictures of each look, (n, 3, h, w). `looked`: the second of each look.
    """

    levels: int
    seconds: list = field(default_factory=list)
    losses: list = field(default_factory=list)
    by_level: list = field(default_factory=list)
    samples: list = field(default_factory=list)
    looked: list = field(default_factory=list)

    def figure(self):
        """The loss over time, the loss by noise level at each look, and the samples of each look, in one figure."""
        rows = len(self.samples)
        with plt.rc_context(STYLE):
            figure = plt.figure(figsize=(9, 2.8 + 0.75 * rows), layout="constrained", FigureClass=Described)
            figure.alt = self._tell()
            grid = figure.add_gridspec(1 + rows, 2, height_ratios=[2.6, *[0.75] * rows])
            over_time, over_levels = figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[0, 1])
            over_time.plot(self.seconds, self.losses, linewidth=0.4, alpha=0.4)
            over_time.plot(self.seconds, _smooth(self.losses), linewidth=1.5, color="C0")
            over_time.set(xlabel="seconds of training", ylabel="loss", yscale="log")
            middles = (np.arange(BINS) + 0.5) * self.levels / BINS
            for look, (second, losses) in enumerate(zip(self.looked, self.by_level, strict=True)):
                shade = plt.cm.viridis_r(0.1 + 0.9 * look / max(len(self.looked) - 1, 1))
                over_levels.plot(middles, losses, color=shade, label=f"{second:.0f} s")
            over_levels.set(xlabel="noise level t", ylabel="loss", yscale="log")
            for axis in (over_time, over_levels):
                axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
                axis.yaxis.set_major_formatter("{x:g}")
                axis.yaxis.set_minor_formatter(NullFormatter())
            over_levels.legend(fontsize=7, frameon=False, ncols=2)
            for row, (second, pictures) in enumerate(zip(self.looked, self.samples, strict=False)):
                axis = figure.add_subplot(grid[1 + row, :])
                axis.imshow(tile_pixels(pictures[:SHOWN], SHOWN), interpolation="nearest")
                axis.set_yticks([axis.get_ylim()[0] / 2], [f"{second:.0f} s"])
                axis.set_xticks([])
                axis.tick_params(length=0)
                axis.spines[:].set_visible(False)
        plt.close(figure)
        return figure

    def _tell(self):
        """The figure in words."""
        smooth = _smooth(self.losses)
        fall = f": from {smooth[0]:.3g} to {smooth[-1]:.3g} in {self.seconds[-1]:.0f} s" if smooth else ""
        samples = f", and samples from {len(self.samples)} looks" if self.samples else ""
        return f"The loss while training{fall}; the loss by noise level{samples}"


def _smooth(values, half_life=8):
    """An exponential moving average."""
    keep, smooth = 0.5 ** (1 / half_life), []
    for value in values:
        smooth.append(value if not smooth else keep * smooth[-1] + (1 - keep) * value)
    return smooth


def shorten(seconds):
    """Seconds of training, or those of `SDLAB_REHEARSAL` in the environment, if they are fewer."""
    return min(seconds, float(os.environ.get("SDLAB_REHEARSAL", "inf")))


@check_call("sdlab.train_for(training, seconds, optimizer)")
def train_for(training, seconds, optimizer, *others):
    """Run a training generator for `seconds` of the device's work; what the caller does between the steps is not counted.

    The learning rate falls to a tenth over the second half of the time, that of `others` too, where a training has more than one
    optimizer, such as that of a generative adversarial network. `SDLAB_REHEARSAL=5` in the environment cuts every training
    to five seconds: enough to see that a notebook runs, not to learn anything.

    Yields:
        The seconds spent so far, and what `training` yields.
    """
    for each in (optimizer, *others):
        _check(training, seconds, each)
    return _train_for(training, shorten(seconds), [optimizer, *others])


def _check(training, seconds, optimizer):
    """Say at the call what would otherwise fail at the first step, or never end."""
    if not hasattr(training, "__next__"):
        raise TypeError(f"training is {brief(training)}: give a training that is a generator, such as ddpm.train(network, …)")
    if isinstance(seconds, bool) or not isinstance(seconds, numbers.Real):
        raise TypeError(f"seconds is {brief(seconds)}: it must be a number, such as 60")
    if not 0 < seconds < math.inf:
        raise ValueError(f"seconds is {brief(seconds)}: it must be more than 0 and finite, such as 60")
    if not hasattr(optimizer, "param_groups"):
        raise TypeError(f"optimizer is {brief(optimizer)}: give the one that the training uses, such as Muon(groups(network), lr=2e-3)")


def _train_for(training, seconds, optimizers):
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    rates, device = [group["lr"] for group in groups], groups[0]["params"][0].device
    spent, start = 0.0, time.perf_counter()
    for step in training:
        synchronize(device)  # a GPU is given work faster than it does it
        spent += time.perf_counter() - start
        for group, rate in zip(groups, rates, strict=True):
            group["lr"] = rate * min(1, 1 - 1.8 * (min(spent / seconds, 1) - 0.5))
        yield spent, step
        if spent >= seconds:
            return
        synchronize(device)  # nor is what the caller gave it to do
        start = time.perf_counter()


@check_call("sdlab.watch(training, seconds, levels, optimizer)")
def watch(training, seconds, levels, optimizer, sample=None, looks=5):
    """Train for `seconds` as `train_for` does, and show how it goes.

    Args:
        training: yields losses (B,) and levels (B,) after every step, as `sdlab.scratch.ddpm.train` does.
        seconds: how long to train; the looks come on top.
        levels: T, the number of noise levels.
        optimizer: the one that `training` uses.
        sample: called without arguments at every look, gives pictures (n, channels, h, w); None for no pictures.
        looks: how often to look, the last time at the end. Each is twice as late as the one before.

    Returns:
        The `History`.
    """
    from IPython.display import display

    _check(training, seconds, optimizer)
    for name, count in (("levels", levels), ("looks", looks)):
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise ValueError(f"{name} is {brief(count)}: it must be a whole number from 1 up")
    if sample is not None and not callable(sample):
        raise TypeError(f"sample is {brief(sample)}: it must be a function without arguments that draws pictures, or None")
    history, shown = History(levels), display(display_id=True)
    ahead = [2.0**-i for i in reversed(range(looks))]  # as shares of the time
    end = shorten(seconds)
    sums, counts = np.zeros(BINS), np.zeros(BINS)
    for spent, (losses, t) in train_for(training, seconds, optimizer):
        groups = (t.cpu().numpy() * BINS) // levels
        np.add.at(sums, groups, losses.cpu().numpy())
        np.add.at(counts, groups, 1)
        history.seconds.append(spent)
        history.losses.append(losses.mean().item())
        if spent >= ahead[0] * end:
            ahead.pop(0)
            history.by_level.append(np.divide(sums, counts, out=np.full(BINS, np.nan), where=counts > 0))
            history.looked.append(spent)
            if sample:
                history.samples.append(sample())
            sums[:], counts[:] = 0, 0
            if shown:  # there is nothing to show on outside a notebook
                shown.update(history.figure())
    return history

"""The course's look: colours, sizes and the settings of every plot."""

import matplotlib
import matplotlib.pyplot as plt

from sdlab.system.calls import check_call

# Settle the backend now: settled inside an rc_context, a notebook's backend would lose its switch for showing figures by itself.
plt.switch_backend(matplotlib.get_backend())

INK, FAINT = "#222831", "#6b7280"
CELL = 2.1  # inches a small picture takes
STYLE = {
    "figure.dpi": 110, "figure.facecolor": "white", "font.size": 10, "text.color": INK, "axes.labelcolor": INK,
    "axes.edgecolor": FAINT, "xtick.color": FAINT, "ytick.color": FAINT, "axes.spines.top": False, "axes.spines.right": False,
    "axes.titlesize": 10, "axes.prop_cycle": plt.cycler(color=["#2563eb", "#e8590c", "#11a880", "#9f2450", "#2b1d8a", "#4b0a07"]),
}  # fmt: skip


@check_call("sdlab.use_style()")
def use_style():
    """The course's look for every later plot: quiet axes, six colours that are told apart in print and by the colour-blind."""
    plt.rcParams.update(STYLE)

"""The report: all checks one after the other, and their lines as text, as a table of a notebook, and as JSON."""

import os
from html import escape
from pathlib import Path

from sdlab.doctor.computing import examine_device, examine_memory
from sdlab.doctor.finding import BROKEN, FINE, MARKS, Finding
from sdlab.doctor.jupyter import examine_jupyter
from sdlab.doctor.network import examine_network
from sdlab.doctor.packages import examine_packages
from sdlab.doctor.python import examine_python
from sdlab.doctor.shipped import examine_shipped
from sdlab.doctor.storage import examine_cache, examine_disk
from sdlab.system import device as devices
from sdlab.system.calls import check_call


class Report(list):
    """A list of `Finding` that prints itself; in a quick report, only what is not fine."""

    def __init__(self, findings, quick=False):
        super().__init__(findings)
        self.quick = quick

    @property
    def is_broken(self):
        """Whether anything keeps the course from running."""
        return any(one.level == BROKEN for one in self)

    def _shown(self):
        return [one for one in self if one.level != FINE] if self.quick else list(self)

    def _summary(self):
        bad = sum(one.level != FINE for one in self)
        things = f"{len(self)} things" if len(self) != 1 else "1 thing"
        return f"{things} looked at, " + (f"{bad} to look after" if bad else "all fine")

    def __repr__(self):
        return hide_home("\n".join([*map(str, self._shown()), self._summary()]))

    def _repr_html_(self):
        rows = "".join(
            f"<tr><td>{MARKS[one.level]}</td><td>{escape(one.about)}</td>"
            f"<td style='text-align:left'>{escape(one.says)}{f'<br><b>{escape(one.remedy)}</b>' if one.remedy else ''}</td></tr>"
            for one in self._shown()
        )
        return hide_home(f"<table>{rows}</table><p>{self._summary()}</p>" if rows else f"<p>{self._summary()}</p>")


def hide_home(text):
    """A text that can be pasted anywhere: the home folder, which tells the user's name, as ~."""
    home = str(Path.home())
    return text.replace(home, "~") if len(home) > 1 else text


@check_call("sdlab.diagnose()")
def diagnose(quick=True):
    """Look whether this machine is fit for the course.

    Args:
        quick: leave out what takes more than a second: the network, the Hub's cache and the checksums of the shipped models; and print
            only what is not fine.

    Returns:
        A `Report`. It holds no names of folders at home, no tokens, and no addresses of proxies.
    """
    device = devices.pick()
    checks = [
        ("Python", examine_python), ("packages", lambda: examine_packages(device.type)), ("device", lambda: examine_device(device)),
        ("memory", lambda: examine_memory(device)), ("disk", examine_disk), ("Jupyter", examine_jupyter), ("model", _chosen_model),
    ]  # fmt: skip
    if not quick:
        checks += [("cache", examine_cache), ("network", examine_network), ("shipped models", examine_shipped)]
    return Report([finding for about, check in checks for finding in _survive(about, check)], quick)


def _survive(about, check):
    """A check that fails itself must not hide what the others find."""
    try:
        return check()
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0][:160]
        return [Finding(about, f"could not be examined ({reason})", BROKEN)]


def _chosen_model():
    """Whether SDLAB_MODEL names something that can be loaded."""
    from sdlab.pipes.models import is_here, look_up

    name = os.environ.get("SDLAB_MODEL")
    if not name:
        return [Finding("model", "the notebooks take the pocket model")]
    try:
        model = look_up(name)
    except ValueError as error:
        return [Finding("model", f"SDLAB_MODEL: {error}", BROKEN)]
    return [Finding("model", f"the notebooks take {name}" + ("" if is_here(name) else f", a download of {model.gigabytes:g} GB"))]

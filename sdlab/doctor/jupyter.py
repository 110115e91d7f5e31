"""Jupyter: the kernel, the widgets, and what is special on Colab."""

import os
import sys
from pathlib import Path

from sdlab.doctor.finding import LOOK, Finding
from sdlab.doctor.packages import installed


def examine_jupyter():
    """A list of `Finding` about where notebooks run."""
    return [_on_colab() if on_colab() else _kernel(), _widgets()]


def on_colab():
    """Whether this runs on Google Colab."""
    return "google.colab" in sys.modules or "COLAB_RELEASE_TAG" in os.environ


def _on_colab():
    return Finding("Jupyter", "this is Colab: files are gone when the runtime ends", LOOK, "download what you want to keep")


def _kernel():
    """The running kernel; or else whether the kernel that notebooks start is of this very Python."""
    if "ipykernel" in sys.modules and _in_a_kernel():
        return Finding("Jupyter", "this notebook runs in the Python that was examined")
    if not installed("jupyterlab"):
        return Finding("Jupyter", "JupyterLab is not installed here", LOOK, "pip install jupyterlab, or `make setup` in the repository")
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    try:
        command = KernelSpecManager().get_kernel_spec("python3").argv[0]
    except NoSuchKernel:
        return Finding("Jupyter", "there is no kernel called python3", LOOK, "python -m ipykernel install --sys-prefix")
    if Path(command).is_absolute() and not _same_file(command, sys.executable):
        remedy = "python -m ipykernel install --sys-prefix --name python3"
        return Finding("Jupyter", "the kernel python3 starts another Python than this one, with other packages", LOOK, remedy)
    return Finding("Jupyter", f"JupyterLab {installed('jupyterlab')}, with a kernel of this Python")


def _in_a_kernel():
    from IPython import get_ipython

    return type(get_ipython()).__name__ not in ("NoneType", "TerminalInteractiveShell")


def _same_file(one, other):
    try:
        return os.path.samefile(one, other) or Path(one).parent.resolve() == Path(other).parent.resolve()
    except OSError:
        return False


def _widgets():
    versions = ", ".join(f"{name} {installed(name)}" for name in ("anywidget", "ipywidgets"))
    if on_colab() and (installed("ipywidgets") or "").split(".")[0] not in ("", "7"):
        return Finding(
            "widgets", f"{versions}; Colab was built for ipywidgets 7", LOOK, "if no slider appears: pip install ipywidgets==7.7.1"
        )
    return Finding("widgets", versions)

"""Several machines in one table: result files beside published figures, every row marked with who measured it."""

from dataclasses import dataclass

import numpy as np

from sdlab.bench.knobs import BASELINE
from sdlab.system import device as devices
from sdlab.system.tables import Table

STEPS = 25  # of the picture that all rows are turned into
SD_DATA = "published: users' submissions to vladmandic/sd-data, 2025-01 to 2026-01"
APPLE = "published: the Apple silicon notebook that this course began with"


@dataclass(frozen=True)
class Row:
    """A machine and how fast it is.

    Args:
        machine: its name.
        model: of the model table, and its side in pixels.
        how: settings, or which of many figures it is.
        rate: steps per second, over all pictures of a batch: steps · batch / seconds.
        mark: who measured it.
    """

    machine: str
    model: str
    how: str
    rate: float
    mark: str

    @property
    def seconds(self):
        """Of a picture of 25 steps."""
        return STEPS / self.rate


def _submitted(machine, model, median, best=None):
    rows = [Row(machine, model, "median", median, SD_DATA)]
    return [*rows, Row(machine, model, "best", best, SD_DATA)] if best else rows


def _timed(machine, *seconds):
    how = ("fastest given", "slowest given") if len(seconds) > 1 else ("",)
    return [Row(machine, "sd15 at 512", which, STEPS / one, APPLE) for which, one in zip(how, seconds, strict=True)]


PUBLISHED = [
    *_submitted("RTX 3060", "sd15 at 512", 6.5, 7.8), *_submitted("RTX 4090", "sd15 at 512", 22.8, 43.7),
    *_submitted("RTX 5090", "sd15 at 512", 25.9, 69.4), *_submitted("H200", "sd15 at 512", 35.0, 100.0),
    *_submitted("M3 Ultra, 80 cores", "sd15 at 512", 6.7, 9.6), *_submitted("RTX 3060", "sdxl at 1024", 1.2),
    *_submitted("RTX 4090", "sdxl at 1024", 5.6, 7.3), *_submitted("RTX 5090", "sdxl at 1024", 8.7, 10.2),
    *_timed("M2 Max", 9.0), *_timed("RTX 3090", 3.0, 4.0), *_timed("RTX 4090", 2.0), *_timed("M2, on its CPU", 60.0, 90.0),
    Row("H100", "sd15 at 512", "compiled", 104.0, "published: stable-fast"),
    Row("Xeon, Sapphire Rapids", "sd15 at 512", "PyTorch", 20 / 32, "published: OpenVINO, 20 steps"),
    Row("Xeon, Sapphire Rapids", "sd15 at 512", "OpenVINO, static shapes", 20 / 4.7, "published: OpenVINO, 20 steps"),
    Row("A100", "sdxl at 1024", "float32", 30 / 7.36, "published: huggingface/diffusion-fast, 30 steps"),
    Row("A100", "sdxl at 1024", "all that diffusers advises", 30 / 2.43, "published: huggingface/diffusion-fast, 30 steps"),
    Row("M2 Max", "sdxl at 1024", "Core ML", 20 / 37, "published: Apple's ml-stable-diffusion, 20 steps"),
    Row("M2 Ultra", "sdxl at 1024", "Core ML", 20 / 20, "published: Apple's ml-stable-diffusion, 20 steps"),
]  # fmt: skip


def rows_of(result):
    """Two rows of a result: the baseline, and the fastest knob that draws the same pictures with the same steps.

    Their rate is that of a picture of 25 steps, put together from the phases, so that a run of one step can stand beside one of 25.
    """
    own = result.baseline.settings
    mark = "measured here" if _is_here(result) else "measured there, with sdlab bench"
    if result.machine["note"]:
        mark += f" ({result.machine['note']})"
    gains = {BASELINE: 1.0} | {
        name: entry.ratio.value for name, entry in result.entries.items()
        if entry.ratio and (entry.settings.steps, entry.settings.side, entry.settings.sampler) == (own.steps, own.side, own.sampler)
    }  # fmt: skip
    where, threads = result.machine["device"], result.machine["threads"]
    if where == "cpu":
        where += f", {threads} thread{'s' * (threads > 1)}"
    machine, model = f"{result.machine['name']} ({where})", f"{result.asked['model']} at {own.side}"
    weights = ", random weights" if result.asked["weights"] == "random" else ""
    names = dict.fromkeys((BASELINE, max(gains, key=gains.get)))
    return [Row(machine, model, f"{name}{weights}", _rate(result.entries[name].samples), mark) for name in names]


def _rate(samples):
    """Steps per second of a picture of 25 steps, over all pictures of a batch."""
    text, step, decode = (np.median([getattr(sample, phase) for sample in samples]) for phase in ("text", "step", "decode"))
    return float(STEPS * samples[0].pictures / (text + STEPS * step + decode))


def _is_here(result):
    try:
        here = devices.describe(result.asked["device"])
    except ValueError:  # no such device here
        return False
    return (here.name, here.memory // 2**30) == (result.machine["name"], result.machine["memory"] // 2**30)


class MachineTable(Table):
    """Rows, printed as text or as a table of a notebook; of every model the fastest first."""

    HEAD = ("model", "machine", "settings", "steps/s", f"s per {STEPS} steps", "measured by")

    def _cells(self):
        for row in sorted(self, key=lambda row: (row.model, -row.rate)):
            yield (row.model, row.machine, row.how, f"{row.rate:.3g}", f"{row.seconds:.3g}", row.mark)


def compare_machines(results, published=PUBLISHED):
    """A `MachineTable` of result files, beside the published figures of the models that they are about.

    Args:
        results: one `Result` or more.
        published: rows of others.
    """
    rows = [row for result in results for row in rows_of(result)]
    models = {row.model for row in rows}
    return MachineTable(rows + [row for row in published if row.model in models])

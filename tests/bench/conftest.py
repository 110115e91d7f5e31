import pytest

from sdlab.bench.clock import Sample
from sdlab.bench.knobs import BASELINE, baseline
from sdlab.bench.memory import Held
from sdlab.bench.results import Entry, begin


def sample(seconds, steps=2, pictures=1):
    """A sample that took so long, half of it in its steps."""
    return Sample(seconds / 4, (seconds / 2 / steps,) * steps, seconds / 4, pictures)


@pytest.fixture
def result():
    """A result of this machine with made-up times: bfloat16 is twice as fast, give or take; float16 failed."""
    own = baseline("cpu", 2, 64)
    asked = {"model": "pocket", "weights": "abc", "side": 64, "steps": 2, "repeats": 3, "device": "cpu"}
    made = begin(asked, note="busy")
    made.work, made.rates = {"text": 1e6, "step": 4e6, "decode": 1e6}, {"float32": 1e8}
    made.entries[BASELINE] = Entry(own, 0.0, sample(3), [sample(s) for s in (1.0, 1.1, 0.9)], memory=Held(1, 2, 3, 4))
    times, theirs = (0.5, 0.51, 0.49), (1.0, 1.0, 1.0)
    made.entries["bfloat16"] = Entry(
        own.but(dtype="bfloat16"), 0.1, sample(2), [sample(s) for s in times], [sample(s) for s in theirs], Held(1, 2, 3, 4), 9
    )
    made.entries["float16"] = Entry(own.but(dtype="float16"), failed="RuntimeError: not here")
    return made


@pytest.fixture
def make_sample():
    return sample

import os
from contextlib import contextmanager, suppress

import pytest
from hypothesis import settings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
if "PYTEST_XDIST_WORKER" in os.environ:  # two workers on two cores: more threads would only be in each other's way
    os.environ["OMP_NUM_THREADS"] = "1"
settings.register_profile("ci", derandomize=True)  # a red run must be the change's fault, and the same run twice
if os.environ.get("CI"):
    settings.load_profile("ci")


@pytest.fixture(scope="session")
def pipe():
    import sdlab

    return sdlab.load("pocket", device="cpu")


@pytest.fixture(scope="session")
def recipe():
    import sdlab

    return sdlab.Recipe("a lion on the beach, cartoon", steps=3, guidance=4.0, seed=7)


@pytest.fixture(scope="session")
def pair():
    """The pocket XL and its refiner, which shares what it can with it."""
    import sdlab

    base = sdlab.load("pocket-xl", device="cpu")
    return base, sdlab.load("pocket-xl-refiner", device="cpu", base=base)


@pytest.fixture
def kill_at(monkeypatch):
    """`with kill_at(n) as kill:` stops the block before its n-th change to folders, as if the program were killed there.

    From then on nothing changes any more, whatever tidies up. `kill.done` says afterwards whether it came to that.
    """

    class Killed(BaseException):
        pass

    class Kill:
        def __init__(self, left):
            self.left, self.done = left, False

        def before(self, change):
            def changed(*args, **named):
                if self.left == 0:
                    self.done = True
                    raise Killed
                self.left -= 1
                return change(*args, **named)

            return changed

    @contextmanager
    def killing(number):
        kill = Kill(number)
        with monkeypatch.context() as patch:
            for name in ("rename", "replace", "unlink", "remove", "rmdir", "mkdir"):
                patch.setattr(os, name, kill.before(getattr(os, name)))
            with suppress(Killed):
                yield kill

    return killing

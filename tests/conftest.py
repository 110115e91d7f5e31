import multiprocessing
import os
import socket
import sys
import traceback
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress

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


@pytest.fixture
def start_processes(tmp_path):
    """`start_processes(function, *arguments, count=2)` runs a function in processes of their own, which know of each other as those that
    `accelerate launch` starts. They are forked from this one, so that nothing has to be imported again.

    Returns a list of pairs: a process, and the file of what it prints. Those that still run when the test ends are killed.
    """
    if sys.platform != "linux":
        pytest.skip("only Linux forks a process that has threads")
    from accelerate.state import AcceleratorState

    started = []

    def run(function, arguments, output, environment):
        os.environ.update(environment)
        AcceleratorState._reset_state(True)
        with open(output, "w", encoding="utf-8", buffering=1) as said, redirect_stdout(said), redirect_stderr(said):
            try:
                function(*arguments)
            except BaseException:
                traceback.print_exc()
                raise

    def start(function, *arguments, count=1):
        with socket.socket() as free:
            free.bind(("localhost", 0))
            told = {"WORLD_SIZE": str(count), "MASTER_ADDR": "localhost", "MASTER_PORT": str(free.getsockname()[1])}
        these = []
        for rank in range(count):
            ranks = {"RANK": str(rank), "LOCAL_RANK": str(rank), **told} if count > 1 else {}
            output = tmp_path / f"process {len(started) + rank}.txt"
            these.append((multiprocessing.get_context("fork").Process(target=run, args=(function, arguments, output, ranks)), output))
        for process, _ in these:
            process.start()
        started.extend(process for process, _ in these)
        return these

    yield start
    for process in started:
        process.kill()
        process.join()

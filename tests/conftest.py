import os

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

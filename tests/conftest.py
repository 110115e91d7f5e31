import os

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="session")
def pipe():
    import sdlab

    return sdlab.load("pocket", device="cpu")


@pytest.fixture(scope="session")
def recipe():
    import sdlab

    return sdlab.Recipe("a lion on the beach, cartoon", steps=3, guidance=4.0, seed=7)

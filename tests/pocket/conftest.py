import pytest

from pocket.stages.tokenizer import corpus, learn


@pytest.fixture(scope="session")
def tokenizer():
    """A tokenizer learned from some captions, once for all tests."""
    return learn(corpus(count=3000), 1500)


@pytest.fixture(scope="session")
def byte_tokenizer():
    """One that knows nearly nothing but bytes."""
    return learn(["a lion"], 514)

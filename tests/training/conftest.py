import pytest
from accelerate.state import AcceleratorState


@pytest.fixture(autouse=True)
def forget_the_accelerator():
    """A process has one Accelerator; here each test is like a process of its own."""
    yield
    AcceleratorState._reset_state(True)

import pytest
from accelerate.state import AcceleratorState


@pytest.fixture(autouse=True)
def _own_accelerator():
    """A process has one Accelerator; here each test is like a process of its own, whatever ran in this one before."""
    AcceleratorState._reset_state(True)
    yield
    AcceleratorState._reset_state(True)

"""One Accelerator after another in one process, each with a precision and a device of its own."""

from accelerate import Accelerator
from accelerate.state import AcceleratorState


def accelerate(precision, folder, device):
    """An Accelerator for a new training.

    Accelerate settles precision and device once in a process, and refuses another choice later. A notebook trains a second model in
    the process of the first, whose training has ended by then: so the choice is forgotten and made anew.

    Args:
        precision: "bf16", "fp16" or "no".
        folder: where its trackers write.
        device: "cuda", "mps" or "cpu".
    """

    def begin():
        return Accelerator(mixed_precision=precision, log_with="tensorboard", project_dir=folder, cpu=device == "cpu")

    try:
        return begin()
    except ValueError:
        AcceleratorState._reset_state(reset_partial_state=True)
        return begin()

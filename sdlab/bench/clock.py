"""A clock for one call of a pipeline: the text, every step and the decoding, one after the other without a gap.

A GPU works on while Python goes ahead, so a clock that is read without waiting for it measures how fast work is handed over. Every reading
here waits first. The call is the pipeline's own: a hook on its U-Net and its callback say where one phase ends and the next begins.
"""

import time
from dataclasses import asdict, dataclass
from itertools import pairwise

from sdlab.system import device as devices


@dataclass(frozen=True)
class Sample:
    """What one call of a pipeline took, in seconds.

    Args:
        text: until the U-Net is called for the first time: reading the prompts, drawing the noise.
        steps: each denoising step.
        decode: from the last step to the finished pictures.
        pictures: how many the call made.
    """

    text: float
    steps: tuple[float, ...]
    decode: float
    pictures: int = 1

    @property
    def total(self):
        """All phases together."""
        return self.text + sum(self.steps) + self.decode

    @property
    def per_picture(self):
        """The share of one picture in the total."""
        return self.total / self.pictures

    @property
    def step(self):
        """The mean of the steps."""
        return sum(self.steps) / len(self.steps)

    def to_dict(self):
        """As JSON keeps it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values):
        """The sample that `to_dict` gave."""
        return cls(float(values["text"]), tuple(map(float, values["steps"])), float(values["decode"]), int(values["pictures"]))


def read_clock(device):
    """Seconds of a clock, read when the device has done all it was given."""
    devices.synchronize(device)
    return time.perf_counter()


def time_call(pipe, device, **arguments):
    """Call a pipeline once, and time its phases.

    Args:
        pipe: a diffusers pipeline; it is left as it was.
        device: where it computes, whose work is waited for.
        arguments: of the call, without a callback.

    Returns:
        The `Sample`, and the images.
    """
    readings = []

    def read(*_):
        readings.append(read_clock(device))

    def begin(*_):
        hook.remove()
        read()

    def end_step(_, step, timestep, values):
        read()
        return values

    hook = pipe.unet.register_forward_pre_hook(begin)
    try:
        read()
        images = list(pipe(**arguments, callback_on_step_end=end_step).images)
        read()
    finally:
        hook.remove()
    spans = [after - before for before, after in pairwise(readings)]
    return Sample(spans[0], tuple(spans[1:-1]), spans[-1], len(images)), images

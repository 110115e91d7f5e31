"""Pictures drawn while a model is trained, always of the same prompts and seeds, so that the sheets can be laid side by side."""

import os
from dataclasses import dataclass

import numpy as np
from diffusers.utils import make_image_grid

from sdlab.pipes.generation import generate

SEEDS = (0, 1)


@dataclass(frozen=True)
class Validation:
    """What is drawn on the way.

    Args:
        prompts: one row each.
        steps: after how many steps of training.
    """

    prompts: tuple[str, ...]
    steps: int

    def is_due(self, step):
        """Whether pictures are to be drawn after so many steps."""
        return step % self.steps == 0

    def draw(self, pipe, run, step):
        """Draw a sheet into the run's folder and its TensorBoard; only the first process does."""
        if not run.accelerator.is_main_process:
            return
        training = pipe.unet.training
        pipe.unet.eval()
        with run.accelerator.autocast():
            pictures = [generate(pipe, prompt, seed=seed, progress=False).image for prompt in self.prompts for seed in SEEDS]
        pipe.unet.train(training)
        sheet = make_image_grid(pictures, rows=len(self.prompts), cols=len(SEEDS))
        partial = run.folder / "validation.partial"
        sheet.save(partial, "PNG")
        os.replace(partial, run.folder / f"validation-{step:06d}.png")
        run.accelerator.get_tracker("tensorboard").log_images({"validation": np.asarray(sheet)[None]}, step, dataformats="NHWC")

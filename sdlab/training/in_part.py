"""Checkpoints of a model that is trained in part: of a large model with a small addition, they hold the addition."""

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

TRAINED = "trained.safetensors"  # in a checkpoint


def keep_only_what_is_trained(accelerator, model):
    """Let an Accelerator's checkpoints hold only those parameters of a model that require gradients, and load them from there.

    Args:
        accelerator: which has prepared the model.
        model: as it was before.
    """

    def trained():
        return {name: value for name, value in model.named_parameters() if value.requires_grad}

    def save(models, weights, folder):
        weights.clear()  # Accelerate writes what is left in there: nothing
        if accelerator.is_main_process:
            save_file({name: value.detach().contiguous() for name, value in trained().items()}, Path(folder) / TRAINED)

    @torch.no_grad()
    def load(models, folder):
        models.clear()
        kept = load_file(Path(folder) / TRAINED)
        for name, value in trained().items():
            value.copy_(kept[name])

    accelerator.register_save_state_pre_hook(save)
    accelerator.register_load_state_pre_hook(load)

"""LoRA."""

from copy import deepcopy
from functools import cache

from diffusers import StableDiffusionPipeline
from peft import LoraConfig

from tests.course.exercises import STUB, Exercise


@cache
def two_loras(pipe):
    """A pipeline with the matrices of one LoRA twice: with the alpha of its training, and with its rank in the place of that."""
    ours = StableDiffusionPipeline(**pipe.components | {"unet": deepcopy(pipe.unet)}, requires_safety_checker=False)
    for name, alpha in {"shoes": 16, "friend": 8}.items():
        ours.unet.add_adapter(LoraConfig(r=8, lora_alpha=alpha, target_modules=["to_q"], init_lora_weights=False), name)
    for layer in (layer for layer in ours.unet.modules() if hasattr(layer, "get_delta_weight")):
        for part in (layer.lora_A, layer.lora_B):
            part["friend"].load_state_dict(part["shoes"].state_dict())
    return {"pipe": ours}


EXERCISES = [
    Exercise(
        "14",
        "Merge it",
        right=("W += alpha / len(A) * (B @ A)\nreturn W", "return W + alpha * (B @ A) / B.shape[1]"),
        wrong={
            STUB: "W comes back as it was",
            "return B @ A": "W' should be W + B A",
            "return W + alpha * B @ A": "the factor is 1",
            "return W + B @ A": "the factor is alpha / rank",
            "return W + alpha / A.shape[1] * B @ A": "the factor is 1",
            "return W + A.shape[0] / alpha * B @ A": "the factor is alpha / rank",
            "return W - alpha / A.shape[0] * B @ A": "W' should be W + B A",
            "return W + alpha / A.shape[0] * A @ B": "stopped with RuntimeError",
        },
    ),
    Exercise(
        "14",
        "The lost alpha",
        given=two_loras,
        wrong={
            STUB: "50% of its size: the scale is too small",
            "scale_for_friend = 8 / 16": "25% of its size: the scale is too small",
            "scale_for_friend = 16": "which factor had the training",
            "scale_for_friend = 8": "which factor had the training",
            "scale_for_friend = -2": "a number above 0",
            "scale_for_friend = None": "a number above 0",
            'scale_for_friend = "16 / 8"': "a number above 0",
        },
    ),
]

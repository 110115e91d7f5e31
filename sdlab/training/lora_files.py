"""LoRA files: as diffusers writes them, and as other tools do."""

import json
import os
import tempfile
from pathlib import Path

import torch
from diffusers.utils import convert_state_dict_to_diffusers, convert_state_dict_to_kohya
from safetensors import safe_open
from safetensors.torch import save_file

from sdlab.system.calls import check_call

FILE = "pytorch_lora_weights.safetensors"  # what `load_lora_weights` looks for in a folder
METADATA = "lora_adapter_metadata"  # where diffusers keeps rank and alpha in the file
TOLD = ("r", "lora_alpha", "target_modules", "use_dora", "lora_bias")  # of the configuration: what every version of peft knows


def save_lora(pipe, config, file):
    """Write the LoRA that a pipeline's U-Net carries, in the form of diffusers, with rank and alpha in the file's metadata.

    Args:
        pipe: a pipeline.
        config: the `LoraConfig` of its adapter.
        file: a `Path` that ends in .safetensors; it is written beside its place and moved into it.
    """
    from peft import get_peft_model_state_dict

    layers = convert_state_dict_to_diffusers(get_peft_model_state_dict(pipe.unet))
    layers = {name: value.detach().float().cpu() for name, value in layers.items()}
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=".lora") as place:
        told = {name: value for name, value in config.to_dict().items() if name in TOLD}
        told["target_modules"] = sorted(told["target_modules"])
        pipe.save_lora_weights(place, layers, weight_name=file.name, unet_lora_adapter_metadata=told)
        os.replace(Path(place) / file.name, file)


@check_call("to_kohya('outputs/shoes/pytorch_lora_weights.safetensors', 'shoes.safetensors')")
def to_kohya(lora, file):
    """Write a LoRA in the form of kohya's sd-scripts, which AUTOMATIC1111, ComfyUI and InvokeAI read; diffusers reads it too.

    Args:
        lora: a file of `train_lora`.
        file: the one to write, ending in .safetensors.

    Returns:
        The file, a `Path`.

    Raises:
        ValueError: the LoRA is a DoRA, of which diffusers would leave out the lengths when it reads them in that form.
    """
    lora, file = Path(lora), Path(file)
    with safe_open(lora, "pt") as opened:
        state = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118  an object that has no other way
        told = json.loads((opened.metadata() or {}).get(METADATA, "{}"))
    if any("magnitude" in name for name in state):
        raise ValueError(f"{lora.name} is a DoRA: kohya's form has no place for it that diffusers reads back, so keep it as it is")
    peft = {name.replace(".lora.down.", ".lora_A.").replace(".lora.up.", ".lora_B."): value for name, value in state.items()}
    converted = convert_state_dict_to_kohya(peft)
    alpha = told.get("unet.lora_alpha")
    for name in converted:
        if alpha is not None and name.endswith(".alpha"):  # diffusers writes the rank there
            converted[name] = torch.tensor(float(alpha))
    partial = file.with_suffix(".partial")
    save_file({name: value.contiguous() for name, value in converted.items()}, partial, {"format": "pt"})
    os.replace(partial, file)
    return file

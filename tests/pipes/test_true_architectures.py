"""Stable Diffusion 1.5 and SDXL as published, number for number, with random weights: from a folder on the disk to a reproduced picture."""

import shutil

import numpy as np
import pytest
import torch
from diffusers import EulerDiscreteScheduler, PNDMScheduler, StableDiffusionPipeline, StableDiffusionXLPipeline

import sdlab
from docs.tools import anymodel
from sdlab.pipes import models
from sdlab.study import anatomy


def reset(module):
    """Random weights, as a layer gives them to itself, in bfloat16."""
    module.to(torch.bfloat16).to_empty(device="cpu")
    for layer in module.modules():
        if hasattr(layer, "reset_parameters"):
            layer.reset_parameters()
    return module.eval()


def write_full_size(name, tokenizer, folder):
    """A folder with the whole architecture."""
    torch.manual_seed(0)
    parts = {part: reset(module) for part, module in anatomy.on_paper(name).items()}
    if name == "sd15":
        pipe = StableDiffusionPipeline(
            **parts, tokenizer=tokenizer, scheduler=PNDMScheduler(**anymodel.NOISE, skip_prk_steps=True), safety_checker=None,
            feature_extractor=None, requires_safety_checker=False,
        )  # fmt: skip
    else:
        scheduler = EulerDiscreteScheduler(**anymodel.NOISE)
        pipe = StableDiffusionXLPipeline(**parts, tokenizer=tokenizer, tokenizer_2=tokenizer, scheduler=scheduler, add_watermarker=False)
    pipe.save_pretrained(folder)


def write_small(name, folder):
    torch.manual_seed(0)
    getattr(anymodel, name)().save_pretrained(folder)


def goes_all_the_way(folder, to, dtype, side):
    """Load, generate, save, reproduce: the picture comes again, from the file alone."""
    pipe = sdlab.load(folder, device="cpu", dtype=dtype)
    run = sdlab.generate(pipe, "a lion on the beach", steps=1, guidance=1.0, seed=3, width=side, height=side, progress=False)
    assert run.image.size == (side, side)
    assert np.asarray(run.image).std() > 1  # no flat colour
    [file] = sdlab.save(run, to)
    assert sdlab.read(file).model == folder.name and str(folder.parent) not in repr(sdlab.read(file))
    again = sdlab.reproduce(pipe, file)
    assert again.image.tobytes() == run.image.tobytes()
    return pipe, run


@pytest.mark.parametrize("name", ["sd15", "sdxl"])
def test_a_small_one_goes_all_the_way(name, tmp_path):
    write_small(name, tmp_path / "mine")
    pipe, _ = goes_all_the_way(tmp_path / "mine", tmp_path / "out", torch.float32, 192)
    assert models.native_side(pipe) == 192


@pytest.mark.slow
@pytest.mark.parametrize(("name", "millions"), [("sd15", 859.5), ("sdxl", 2567.5)])
def test_the_full_size_goes_all_the_way(name, millions, pipe, tmp_path):
    if shutil.disk_usage(tmp_path).free < 20e9 or sdlab.describe("cpu").memory < 14e9:
        pytest.skip("needs 20 GB of disk and 14 GB of memory")
    write_full_size(name, pipe.tokenizer, tmp_path / "full")
    full, run = goes_all_the_way(tmp_path / "full", tmp_path / "out", torch.bfloat16, 512)
    assert run.dtype == "bfloat16"
    assert sum(p.numel() for p in full.unet.parameters()) / 1e6 == pytest.approx(millions, abs=0.1)
    assert models.native_side(full) == models.MODELS[name].side
    shutil.rmtree(tmp_path / "full")

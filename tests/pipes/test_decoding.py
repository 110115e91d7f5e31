"""Black and flat pictures are looked into: which of the causes it was is said, and an overflow is mended."""

import copy
import warnings

import numpy as np
import pytest
import torch

import sdlab
from sdlab.pipes.decoding import is_flat

QUICK = sdlab.Recipe("a lion on the beach, cartoon", steps=2, guidance=4.0, seed=7)


@pytest.fixture
def own(pipe):
    """A pipeline that may be spoilt."""
    return copy.deepcopy(pipe)


def test_an_autoencoder_that_overflows_is_decoded_again_in_float32(own):
    expected = np.asarray(sdlab.generate(own, QUICK, progress=False).image, int)
    block = own.vae.decoder.mid_block.resnets[0]
    with torch.no_grad():  # the normalisation that follows takes the factor out again, but in float16 it is too late by then
        for tensor in (block.conv1.weight, block.conv1.bias):
            tensor *= 3e4
    own.to(torch.float16)
    with pytest.warns(UserWarning, match="the autoencoder overflowed in float16, so the picture was decoded again in float32"):
        run = sdlab.generate(own, QUICK, progress=False)
    assert own.vae.dtype == torch.float16
    assert np.abs(np.asarray(run.image, int) - expected).mean() < 12


def test_latents_that_are_no_numbers_are_told(own):
    own.unet.register_forward_hook(lambda *_: (torch.full((2, 4, own.unet.config.sample_size, own.unet.config.sample_size), torch.nan),))
    with pytest.warns(UserWarning, match="the latents hold numbers that are none"):
        sdlab.generate(own, QUICK, progress=False)


def test_a_flat_picture_of_sound_numbers_is_told(own):
    with torch.no_grad():
        own.vae.decoder.conv_out.weight.zero_()
    with pytest.warns(UserWarning, match="every pixel of a picture is the same, and the numbers are sound"):
        assert is_flat(sdlab.generate(own, QUICK, progress=False).image)


def test_of_a_picture_that_the_safety_checker_blocked_that_is_said(own):
    from diffusers.pipelines.stable_diffusion.pipeline_output import StableDiffusionPipelineOutput
    from PIL import Image

    from sdlab.pipes.decoding import mend

    out = StableDiffusionPipelineOutput([Image.new("RGB", (8, 8))], [True])
    with pytest.warns(UserWarning, match="the model's safety checker blocked it"):
        mend(own, out, torch.zeros(1, 4, 2, 2))


def test_a_sound_picture_says_nothing(pipe):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sdlab.generate(pipe, QUICK, progress=False)

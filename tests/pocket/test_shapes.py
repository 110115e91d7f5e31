"""Every network of both configurations, built and run on the meta device: no memory, no numbers, but every shape is computed."""

from types import SimpleNamespace

import pytest
import torch
from diffusers import AutoencoderKL

from pocket.ruler import first_judge as judging
from pocket.stages import controlnet, diffusion, refiner, xl
from pocket.stages.autoencoder import Reconstruction
from pocket.stages.config import CONFIGS
from pocket.stages.grow import TIME_WIDTH


class Words:
    """What a configuration's networks must know of a tokenizer."""

    bos_token_id, eos_token_id, pad_token_id = 4094, 4095, 4095

    def __len__(self):
        return 4096


def build(config):
    """Everything that is trained, with inputs for two pictures: `{stage: (module with a loss, its inputs)}`."""
    tokenizer = Words()
    vae = AutoencoderKL(**config.vae)
    text, unet = diffusion.build(config, tokenizer)
    factor = 2 ** (len(vae.config.block_out_channels) - 1)
    small = SimpleNamespace(vae=vae, text_encoder=text, unet=unet, tokenizer=tokenizer)
    first = diffusion.build(config, tokenizer)[0]  # the XL trains its own copy
    second, grown = xl.grow(small, config)
    settings = second.config
    narrowed = refiner.narrow(grown, settings.hidden_size, settings.projection_dim + refiner.TOLD * TIME_WIDTH)
    base = xl.DenoiserXL(grown, second, first)
    expert = xl.DenoiserXL(narrowed, xl.grow(small, config)[0].requires_grad_(False))
    frozen = SimpleNamespace(text_encoder=text, unet=diffusion.build(config, tokenizer)[1].requires_grad_(False), vae_scale_factor=8)
    control = controlnet.Control(controlnet.begin(frozen, None), frozen)
    t, ids = torch.zeros(2).long(), torch.zeros(2, 77).long()

    def given(config, beside=(), channels=4):
        latents = torch.zeros(2, channels, config.side // factor, config.side // factor)
        return latents, t, ids, *beside, latents

    pictures, large = torch.zeros(2, 3, config.side, config.side), xl.enlarge(config)
    judge = judging.Judge(config)
    truth = {head: torch.zeros(2).long() for head in judging.HEADS[1:]} | {"object": torch.zeros(2, judge.heads["object"].out_features)}
    return {
        "autoencoder": (Reconstruction(vae), (pictures,)),
        "judge": (judge, (pictures, truth)),
        "diffusion": (diffusion.Denoiser(text, unet), given(config)),
        "controlnet": (control, given(config, (torch.zeros(2, 3, config.shown, config.shown),))),
        "xl": (base, given(large, (torch.zeros(2, xl.TOLD),))),
        "refiner": (expert, given(large, (torch.zeros(2, refiner.TOLD),))),
    }


@pytest.fixture(scope="module", params=CONFIGS.values(), ids=list(CONFIGS))
def built(request):
    with torch.device("meta"):
        yield request.param, build(request.param)


STAGES = ("autoencoder", "judge", "diffusion", "controlnet", "xl", "refiner")


def loss(module, inputs):
    """The loss of a stage's module; the autoencoder's also gives its squared error."""
    found = module(*inputs)
    return found[0] if isinstance(found, tuple) else found


@pytest.mark.parametrize("stage", STAGES)
def test_every_network_fits_its_inputs(built, stage):
    assert loss(*built[1][stage]).shape == ()


@pytest.mark.parametrize("stage", STAGES)
def test_all_that_is_trained_gets_a_gradient(built, stage):
    """Several processes wait for the gradient of every parameter that asks for one, so one without would stop them."""
    module, inputs = built[1][stage]
    loss(module, inputs).backward()
    trained = {name: p for name, p in module.named_parameters() if p.requires_grad}
    assert trained
    assert not [name for name, p in trained.items() if p.grad is None]


def test_latents_are_as_wide_as_the_unets_say(built):
    config, parts = built
    vae, unet, grown = parts["autoencoder"][0].vae, parts["diffusion"][0].unet, parts["xl"][0].unet
    side = vae.encode(torch.zeros(1, 3, config.side, config.side)).latent_dist.mean.shape[-1]
    assert side == unet.config.sample_size == config.unet["sample_size"]
    assert grown.config.sample_size == 2 * side

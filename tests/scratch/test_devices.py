"""What is taught from scratch runs on any device: here on torch's meta device, which stands for a GPU.

It computes shapes only, but as a GPU does it refuses tensors that lie elsewhere. Told to refuse float64 too, it is like an Apple GPU.
"""

import itertools

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from sdlab.scratch import autoencoder, ddpm, relatives, rivals, sampling
from sdlab.scratch.muon import Muon, groups
from sdlab.scratch.unet import UNet

META = torch.device("meta")


class NoDoubles(TorchDispatchMode):
    """Inside, a float64 tensor on the meta device is a TypeError, as it is on MPS."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        for value in tree_leaves(out):
            if isinstance(value, torch.Tensor) and value.device == META and value.dtype == torch.float64:
                raise TypeError(f"{function} made a float64 tensor, which this device does not have")
        return out


@pytest.fixture(autouse=True)
def apple():
    with NoDoubles():
        yield


@pytest.fixture
def x0():
    return torch.zeros(2, 3, 16, 16, device=META)


@pytest.fixture
def network():
    return UNet(3, (8, 8, 8)).to(META)


def test_the_device_refuses_what_it_should(x0):
    with pytest.raises(TypeError, match="float64"):
        torch.zeros(2, dtype=torch.float64).to(META)
    with pytest.raises(RuntimeError, match=r"device"):
        torch.nn.Linear(2, 2).to(META)(torch.zeros(1, 2))


def test_factors_of_a_schedule_are_cast_before_they_move(x0):
    factor = ddpm.at(ddpm.cosine(64).abar, torch.zeros(2, device=META).long(), x0)
    assert (factor.shape, factor.device, factor.dtype) == ((2, 1, 1, 1), META, torch.float32)


def test_the_order_changes_no_number():
    values, t = ddpm.cosine(64).abar, torch.arange(64)
    for dtype in (torch.float64, torch.float32, torch.float16):
        like = torch.zeros(64, 3, dtype=dtype)
        assert torch.equal(ddpm.at(values, t, like).flatten(), values[t].to(dtype))


@pytest.mark.parametrize("kind", ddpm.TARGETS)
def test_ddpm_trains(x0, network, kind):
    optimizer = Muon(groups(network))
    steps = ddpm.train(network, [x0, x0], ddpm.cosine(64), optimizer, kind)
    assert {(losses.shape, losses.device) for losses, _ in steps} == {((2,), META)}


def test_every_sampler_draws(x0, network):
    schedule = ddpm.cosine(8)
    denoise = sampling.denoiser(network, schedule, "v")
    levels = sampling.space_levels(schedule, 4)
    ways = (
        sampling.ancestral(denoise, schedule, x0), sampling.ddim(denoise, schedule, x0, levels, eta=1.0),
        relatives.jump(denoise, schedule, x0, levels),
        relatives.follow(relatives.velocity_of(network), x0, 3),
    )  # fmt: skip
    for way in ways:
        assert all(x.device == META and x.dtype == torch.float32 for x in way)


def test_relatives_train(x0, network):
    schedule, optimizer = ddpm.cosine(64), Muon(groups(network))
    assert len(list(relatives.train_flow_matching(network, [x0], optimizer))) == 1
    teacher, average = sampling.denoiser(network, schedule, "v"), ddpm.Average(network, 0.9)
    assert len(list(relatives.distil(network, average, teacher, schedule, [63, 31], [x0], optimizer))) == 1


def test_the_autoencoder_trains(x0):
    model = autoencoder.Autoencoder((8, 8)).to(META)
    assert len(list(autoencoder.train(model, [x0], Muon(groups(model))))) == 1


@pytest.mark.parametrize("rival", [rivals.VAE, rivals.GAN, lambda: rivals.Flow(2)], ids=["vae", "gan", "flow"])
def test_every_rival_draws_where_it_is(rival):
    assert rival().to(META).sample(2).device == META


def test_a_gan_forges_where_it_is(monkeypatch, x0):
    monkeypatch.setattr(torch.Tensor, "item", lambda _: 0.0)  # the meta device has no numbers to tell
    gan = rivals.GAN().to(META)
    optimizers = (Muon(groups(part)) for part in (gan.generator, gan.discriminator))
    assert list(itertools.islice(rivals.train_gan(gan, [x0], *optimizers), 1)) == [(0.0, 0.0)]


@pytest.mark.parametrize("rival", [rivals.VAE, rivals.GAN, lambda: rivals.Flow(2)], ids=["vae", "gan", "flow"])
def test_a_seed_draws_as_it_did(rival):
    """Noise of the CPU, in the dtype of the model."""
    torch.manual_seed(0)
    model = rival()
    torch.manual_seed(3)
    ours = model.sample(2)
    torch.manual_seed(3)
    assert torch.equal(ours, model.sample(2))
    assert model.double().sample(2).dtype == torch.float64

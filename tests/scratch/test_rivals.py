import itertools
import math

import pytest
import torch

from sdlab.scratch import ddpm, drawings, rivals


def stirred(model):
    torch.manual_seed(0)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.03 * torch.randn_like(p))
    return model


def test_a_flow_is_undone_by_its_inverse():
    model = stirred(rivals.Flow(4)).double()
    x = torch.randn(5, 3, 16, 16, dtype=torch.float64)
    z = x
    for coupling in model.couplings:
        z, _ = coupling(z)
    assert not torch.allclose(z, x)
    for coupling in reversed(model.couplings):
        z = coupling.inverse(z)
    assert torch.allclose(z, x, atol=1e-9)


def test_a_couplings_change_of_volume_is_the_determinant_of_its_jacobian():
    coupling = stirred(rivals.Coupling(0, width=8, side=4)).double()
    x = torch.randn(1, 3, 4, 4, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(lambda v: coupling(v.reshape(1, 3, 4, 4))[0].flatten(), x.flatten())
    assert torch.allclose(torch.linalg.slogdet(jacobian).logabsdet, coupling(x)[1][0], atol=1e-9)


def test_an_untrained_flow_gives_the_likelihood_of_a_normal():
    x = torch.randn(3, 3, 16, 16)
    expected = torch.distributions.Normal(0.0, 1.0).log_prob(x).flatten(1).sum(1)
    assert torch.allclose(rivals.Flow(2).log_likelihood(x), expected, rtol=1e-5)


def pictures():
    return (x for x, _ in drawings.batches(32))


@pytest.mark.parametrize(("model", "train", "falls"), [
    (rivals.VAE, rivals.train_vae, 0.2), (lambda: rivals.Flow(2), rivals.train_flow, 0.15),
], ids=["vae", "flow"])  # fmt: skip
@pytest.mark.slow
def test_a_rival_learns(model, train, falls):
    """Of the VAE the mean squared error falls, of the flow the negative log-likelihood per number, which may be below 0."""
    torch.manual_seed(0)
    model = model()
    losses = list(itertools.islice(train(model, pictures(), torch.optim.Adam(model.parameters(), 1e-3)), 40))
    assert sum(losses[-5:]) / 5 < sum(losses[:5]) / 5 - falls
    assert model.sample(7).shape == (7, 3, 16, 16)


@pytest.mark.slow
def test_a_gan_trains_both_of_its_networks():
    torch.manual_seed(0)
    gan = rivals.GAN()
    optimizers = [torch.optim.Adam(part.parameters(), 1e-3) for part in (gan.generator, gan.discriminator)]
    before = [p.clone() for p in gan.parameters()]
    list(itertools.islice(rivals.train_gan(gan, pictures(), *optimizers), 5))
    assert all(not torch.equal(a, b) for a, b in zip(before, gan.parameters(), strict=True))
    assert gan.sample(7).shape == (7, 3, 16, 16)


def test_the_losses_of_a_gan_are_those_of_notebook_13():
    """On two networks that are one number each: D(x) = d · sum of x, G(z) = g everywhere."""

    class Two(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.forge, self.expert = torch.nn.Parameter(torch.tensor(0.3)), torch.nn.Parameter(torch.tensor(0.7))

        def generator(self, z):
            return self.forge.expand(len(z), 1)

        def discriminator(self, x):
            return self.expert * x.sum(1, keepdim=True)

    two, x = Two(), torch.tensor([[2.0], [-1.0]])
    still = [torch.optim.SGD([p], lr=0.0) for p in (two.forge, two.expert)]
    fooled, loss = next(rivals.train_gan(two, iter([x]), *still, gamma=3.0))

    def s(a):
        return math.log(1 + math.exp(a))

    assert fooled == pytest.approx(s(-0.7 * 0.3), rel=1e-5)
    wanted = (s(-0.7 * 2) + s(0.7)) / 2 + s(0.7 * 0.3) + 3 / 2 * 0.7**2  # real, forged, and the slope at real pictures
    assert loss == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("name", ["vae", "gan", "flow"])
def test_every_rival_keeps_an_average(name):
    torch.manual_seed(0)
    model = {"vae": rivals.VAE, "gan": rivals.GAN, "flow": lambda: rivals.Flow(1)}[name]()
    average, optimizer = ddpm.Average(model, 0.5), torch.optim.Adam(model.parameters(), 1e-3)
    start = [p.clone() for p in average.model.parameters()]
    if name == "gan":
        parts = [torch.optim.Adam(part.parameters(), 1e-3) for part in (model.generator, model.discriminator)]
        next(rivals.train_gan(model, pictures(), *parts, average))
    else:
        next({"vae": rivals.train_vae, "flow": rivals.train_flow}[name](model, pictures(), optimizer, average))
    assert average.step == 1
    assert any(not torch.equal(a, b) for a, b in zip(start, average.model.parameters(), strict=True))

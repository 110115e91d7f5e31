import itertools

import pytest
import torch

from sdlab.scratch import drawings, rivals


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


@pytest.mark.slow
def test_every_rival_learns_and_draws():
    torch.manual_seed(0)
    vae, flow, gan = rivals.VAE(), rivals.Flow(2), rivals.GAN()
    for model, train in ((vae, rivals.train_vae), (flow, rivals.train_flow)):
        losses = list(itertools.islice(train(model, pictures(), torch.optim.Adam(model.parameters(), 1e-3)), 40))
        assert sum(losses[-5:]) < 0.8 * sum(losses[:5]) or sum(losses[-5:]) < sum(losses[:5]) - 1
    optimizers = (torch.optim.Adam(part.parameters(), 1e-3) for part in (gan.generator, gan.discriminator))
    before = [p.clone() for p in gan.generator.parameters()]
    list(itertools.islice(rivals.train_gan(gan, pictures(), *optimizers), 5))
    assert all(not torch.equal(a, b) for a, b in zip(before, gan.generator.parameters(), strict=True))
    assert {model.sample(7).shape for model in (vae, flow, gan)} == {(7, 3, 16, 16)}

import itertools

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from sdlab.scratch import autoencoder, drawings


def test_a_picture_becomes_a_quarter_as_wide_and_comes_back():
    model = autoencoder.Autoencoder((8, 16), latents=4)
    mean, log_variance = model.encode(torch.randn(2, 3, 32, 24))
    assert mean.shape == log_variance.shape == (2, 4, 8, 6)
    assert model.decode(mean).shape == (2, 3, 32, 24)


def test_the_divergence_is_that_of_torch():
    mean, log_variance = torch.randn(5, 4, 3, 3), torch.randn(5, 4, 3, 3)
    theirs = kl_divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(0.0, 1.0)).flatten(1).mean(1)
    assert torch.allclose(autoencoder.divergence(mean, log_variance), theirs, atol=1e-5)
    assert autoencoder.divergence(torch.zeros(1, 4), torch.zeros(1, 4)) == 0


def test_gradients_reach_every_parameter():
    model = autoencoder.Autoencoder((8, 16))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    next(autoencoder.train(model, iter([torch.randn(2, 3, 16, 16)]), optimizer))
    assert [n for n, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []


@pytest.mark.parametrize("kl", [0.0, 1.0])
def test_the_divergence_falls_where_it_counts_and_the_error_where_it_does_not(kl):
    torch.manual_seed(0)
    model = autoencoder.Autoencoder((8, 16))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    batches = (x for x, _ in drawings.batches(16, side=32))
    steps = list(itertools.islice(autoencoder.train(model, batches, optimizer, kl), 120))
    error, away = (torch.stack([s[i].mean() for s in steps]) for i in (0, 1))
    if kl:
        assert away[-10:].mean() < 0.05
    else:
        assert error[-10:].mean() < 0.5 * error[:10].mean()
        assert away[-10:].mean() > 0.05


def test_psnr_of_a_known_error():
    assert autoencoder.psnr(0.04) == pytest.approx(20.0)
    assert autoencoder.psnr(torch.tensor(0.01), span=1) == pytest.approx(20.0)
    assert autoencoder.psnr(255**2 / 1000, span=255) == pytest.approx(30.0)

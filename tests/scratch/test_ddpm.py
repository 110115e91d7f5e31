import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler
from hypothesis import given
from hypothesis import strategies as st

from sdlab.scratch import ddpm
from sdlab.scratch.unet import UNet, time_embedding

F64 = torch.float64
SCHEDULES = {"linear": ddpm.linear, "scaled_linear": ddpm.scaled_linear, "cosine": ddpm.cosine}


def randn(*shape, seed=0):
    return torch.randn(*shape, dtype=F64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_are_those_of_diffusers(name):
    theirs = {
        "linear": {"beta_schedule": "linear", "beta_start": 1e-4, "beta_end": 0.02},
        "scaled_linear": {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012},
        "cosine": {"beta_schedule": "squaredcos_cap_v2"},
    }[name]
    scheduler = DDPMScheduler(**theirs)
    schedule = SCHEDULES[name]()
    assert torch.allclose(schedule.betas.float(), scheduler.betas, rtol=1e-4, atol=1e-7)
    assert torch.allclose(schedule.abar.float(), scheduler.alphas_cumprod, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("name", SCHEDULES)
def test_one_step_noisings_compose_to_the_closed_form_exactly(name):
    """The chain's mean factor and variance, propagated in exact arithmetic of moments, are the closed form's at every level."""
    schedule = SCHEDULES[name](200)
    factor, variance = torch.tensor(1.0, dtype=F64), torch.tensor(0.0, dtype=F64)
    one, zero = torch.ones(1, dtype=F64), torch.zeros(1, dtype=F64)
    for level in range(schedule.steps):
        t = torch.tensor([level])
        mean_step = ddpm.add_noise_once(schedule, one, t, zero)  # what one step does to a mean
        noise_step = ddpm.add_noise_once(schedule, zero, t, one)  # and to a unit of noise
        factor, variance = mean_step * factor, mean_step**2 * variance + noise_step**2
        closed = ddpm.q_sample(schedule, one, t, zero), ddpm.q_sample(schedule, zero, t, one)
        assert torch.allclose(factor, closed[0], rtol=1e-9)
        assert torch.allclose(variance, closed[1] ** 2, rtol=1e-9)


def test_the_mean_of_one_step_is_scaled_by_a_root():
    """The mistake that cannot come back: a mean of (1 - beta) x loses variance, sqrt(1 - beta) x keeps it."""
    schedule = ddpm.linear(512)
    x = randn(200_000)
    for level in range(0, 512, 8):
        x = ddpm.add_noise_once(schedule, x, torch.full(x.shape, level), randn(200_000, seed=level + 1))
    assert x.var().item() == pytest.approx(1.0, abs=0.02)
    beta = schedule.betas[300]
    assert ddpm.add_noise_once(schedule, torch.ones(1, dtype=F64), torch.tensor([300]), torch.zeros(1, dtype=F64)) == (1 - beta).sqrt()


def test_samples_of_the_chain_have_the_moments_of_the_closed_form():
    schedule, x0 = ddpm.cosine(60), torch.full((100_000,), 0.7, dtype=F64)
    x = x0
    for level in range(40):
        x = ddpm.add_noise_once(schedule, x, torch.full(x.shape, level), randn(100_000, seed=level))
    closed = ddpm.q_sample(schedule, x0, torch.full(x.shape, 39), randn(100_000, seed=99))
    assert x.mean().item() == pytest.approx(closed.mean().item(), abs=0.015)
    assert x.std().item() == pytest.approx(closed.std().item(), abs=0.015)


@given(st.integers(1, 199), st.floats(-2, 2), st.floats(-3, 3))
def test_the_posterior_is_bayes_rule(level, x0, xt):
    """q(x_{t-1} | x_t, x_0) ∝ q(x_t | x_{t-1}) q(x_{t-1} | x_0): the product of two Gaussians, by precision."""
    schedule = ddpm.linear(200)
    beta, before = schedule.betas[level], schedule.abar_before[level]
    precision = (1 - beta) / beta + 1 / (1 - before)
    mean = ((1 - beta).sqrt() * xt / beta + before.sqrt() * x0 / (1 - before)) / precision
    ours = ddpm.posterior(schedule, torch.tensor([x0], dtype=F64), torch.tensor([xt], dtype=F64), torch.tensor([level]))
    assert ours[0].item() == pytest.approx(mean.item(), rel=1e-8, abs=1e-10)
    assert ours[1].item() == pytest.approx((1 / precision).item(), rel=1e-8)


def test_at_level_zero_the_posterior_is_the_data():
    mean, variance = ddpm.posterior(ddpm.linear(), x0 := randn(3, 2), randn(3, 2, seed=1), torch.zeros(3, dtype=int))
    assert torch.allclose(mean, x0)
    assert (variance == 0).all()


@pytest.mark.parametrize("kind", ["eps", "x0", "v"])
@pytest.mark.parametrize("name", SCHEDULES)
def test_every_target_leads_back_to_the_data(kind, name):
    schedule = SCHEDULES[name](100)
    x0, eps, t = randn(50, 3, 2, 2), randn(50, 3, 2, 2, seed=1), torch.arange(50) * 2
    xt = ddpm.q_sample(schedule, x0, t, eps)
    found = ddpm.as_x0(kind, schedule, ddpm.target(kind, schedule, x0, eps, t), xt, t)
    assert torch.allclose(found, x0, atol=1e-8)
    assert torch.allclose(ddpm.as_eps(schedule, found, xt, t), eps, atol=1e-5)


def test_noise_and_velocity_are_those_of_diffusers():
    scheduler = DDIMScheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012)
    schedule = ddpm.Schedule(scheduler.betas)
    x0, eps, t = torch.randn(8, 4, 2, 2), torch.randn(8, 4, 2, 2), torch.randint(1000, (8,))
    assert torch.allclose(ddpm.q_sample(schedule, x0, t, eps), scheduler.add_noise(x0, eps, t), atol=1e-6)
    assert torch.allclose(ddpm.target("v", schedule, x0, eps, t), scheduler.get_velocity(x0, eps, t), atol=1e-6)


def test_an_unknown_target_is_refused():
    with pytest.raises(ValueError, match="target 'score' is unknown: choose one of eps, x0, v"):
        ddpm.target("score", ddpm.linear(), torch.zeros(1), torch.zeros(1), torch.zeros(1, dtype=int))


def test_a_perfect_model_has_no_loss_and_a_blind_one_has_the_variance():
    schedule, x0 = ddpm.linear(), torch.zeros(4000, 2)
    perfect, _ = ddpm.losses(lambda xt, t: xt / (1 - ddpm.at(schedule.abar, t, xt)).sqrt(), schedule, x0)  # x0 is 0: all is noise
    blind, t = ddpm.losses(lambda xt, t: torch.zeros_like(xt), schedule, x0)
    assert perfect.max() < 1e-8
    assert blind.mean().item() == pytest.approx(1.0, abs=0.06)
    assert blind.shape == t.shape == (4000,)
    assert t.float().mean().item() == pytest.approx(499.5, abs=20)


def test_training_learns_and_yields_and_its_gradients_do_not_pile_up():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 64), torch.nn.SiLU(), torch.nn.Linear(64, 2))
    schedule = ddpm.linear(100)

    def with_time(xt, t):
        return model(torch.cat([xt, t[:, None] / 100], 1))

    with_time.train = model.train
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    data = (torch.tensor([[1.0, -1.0]]).repeat(128, 1) for _ in range(400))
    history = [loss.mean().item() for loss, _ in ddpm.train(with_time, data, schedule, optimizer)]
    assert len(history) == 400
    assert sum(history[-50:]) < 0.5 * sum(history[:50])


def test_the_average_follows_with_its_warm_up():
    model = torch.nn.Linear(1, 1, bias=False)
    average = ddpm.Average(model, decay=0.9)
    expected = model.weight.item()
    for step in range(1, 30):
        with torch.no_grad():
            model.weight.fill_(float(step))
        average.update(model)
        decay = min(0.9, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * step
    assert average.model.weight.item() == pytest.approx(expected, rel=1e-5)


def test_time_embeddings_are_diffusers():
    from diffusers.models.embeddings import get_timestep_embedding

    t = torch.tensor([0, 1, 10, 999])
    assert torch.allclose(time_embedding(t, 64), get_timestep_embedding(t, 64, downscale_freq_shift=0), atol=1e-4)


@pytest.mark.parametrize(("classes", "text_width"), [(0, None), (10, None), (0, 16)])
def test_gradients_reach_every_parameter(classes, text_width):
    torch.manual_seed(0)
    model = UNet(1, (8, 16, 24), classes, text_width)
    with torch.no_grad():
        for p in model.parameters():  # some layers start at zero, and would hide those behind them
            p.add_(0.05 * torch.randn_like(p))
    condition = torch.tensor([3, 7]) if classes else torch.randn(2, 5, text_width) if text_width else None
    out = model(torch.randn(2, 1, 16, 12), torch.tensor([5, 900]), condition)
    assert out.shape == (2, 1, 16, 12)
    out.square().sum().backward()
    assert [n for n, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []


def test_level_class_and_text_change_the_answer():
    torch.manual_seed(0)
    model = UNet(1, (8, 16, 24), 4, 16)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.05 * torch.randn_like(p))
    x, t = torch.randn(1, 1, 8, 8), torch.tensor([10])
    by_class = UNet(1, (8, 16, 24), 4)
    with torch.no_grad():
        for p in by_class.parameters():
            p.add_(0.05 * torch.randn_like(p))
    assert not torch.allclose(by_class(x, t), by_class(x, t + 500))
    assert not torch.allclose(by_class(x, t, torch.tensor([0])), by_class(x, t, torch.tensor([1])))
    assert torch.equal(by_class(x, t), by_class(x, t, torch.tensor([4])))  # the last class means "none"
    by_text = UNet(1, (8, 16, 24), text_width=16)
    with torch.no_grad():
        for p in by_text.parameters():
            p.add_(0.05 * torch.randn_like(p))
    assert not torch.allclose(by_text(x, t, torch.randn(1, 5, 16)), by_text(x, t, torch.randn(1, 5, 16)))


def test_a_grid_that_cannot_be_halved_twice_is_refused():
    with pytest.raises(ValueError, match="30×28: both sides must be multiples of 4"):
        UNet(1, (8, 8, 8))(torch.randn(1, 1, 30, 28), torch.tensor([0]))

import math
from itertools import pairwise

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler

from sdlab.scratch import ddpm, sampling
from sdlab.scratch.sampling import last

F64 = torch.float64
DATA = torch.tensor([[1.0, 0.5], [-0.8, 0.9], [0.1, -1.0], [-0.5, -0.4], [0.9, -0.7]], dtype=F64)
SD = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}


def ideal(schedule, data=DATA):
    return sampling.ideal_denoiser(data, schedule)


def start(count=64, seed=0):
    return torch.randn(count, 2, dtype=F64, generator=torch.Generator().manual_seed(seed))


def nearest(x):
    return torch.cdist(x, DATA).min(1)


ALL = {
    "ancestral": lambda s, x: sampling.ancestral(ideal(s), s, x, generator=torch.Generator().manual_seed(1)),
    "ddim": lambda s, x: sampling.ddim(ideal(s), s, x, sampling.space_levels(s, 50)),
    "ddim with noise": lambda s, x: sampling.ddim(
        ideal(s), s, x, sampling.space_levels(s, 50), eta=1.0, generator=torch.Generator().manual_seed(1)
    ),
}


@pytest.mark.parametrize("name", ALL)
def test_an_ideal_denoiser_gives_back_the_data(name):
    found = last(ALL[name](ddpm.linear(), start(200)))
    distance, which = nearest(found)
    assert distance.quantile(0.98) < 0.02
    assert len(set(which.tolist())) == len(DATA)  # every point of the data set is found


def test_ancestral_is_diffusers_ddpm():
    scheduler = DDPMScheduler(num_train_timesteps=50, clip_sample=False, **SD)
    schedule = ddpm.Schedule(scheduler.betas.double())
    scheduler.alphas_cumprod, scheduler.one = schedule.abar, torch.tensor(1.0, dtype=F64)
    scheduler.betas, scheduler.alphas = schedule.betas, 1 - schedule.betas
    scheduler.set_timesteps(50)
    denoise, x = ideal(schedule), start()
    theirs, generator = x, torch.Generator().manual_seed(3)
    ours = sampling.ancestral(denoise, schedule, x, generator=torch.Generator().manual_seed(3))
    for t in scheduler.timesteps:
        level = torch.full((64,), int(t))
        eps = ddpm.as_eps(schedule, denoise(theirs, level), theirs, level)
        theirs = scheduler.step(eps, t, theirs, generator=generator).prev_sample
        assert torch.allclose(next(ours), theirs, atol=1e-5)


@pytest.mark.parametrize("eta", [0.0, 0.4, 1.0])
def test_ddim_is_diffusers_ddim(eta):
    scheduler = DDIMScheduler(clip_sample=False, timestep_spacing="trailing", set_alpha_to_one=True, **SD)
    schedule = ddpm.Schedule(scheduler.betas.double())
    scheduler.alphas_cumprod = schedule.abar
    scheduler.set_timesteps(20)
    assert scheduler.timesteps.tolist() == sampling.space_levels(schedule, 20)
    denoise, x = ideal(schedule), start()
    theirs, generator = x, torch.Generator().manual_seed(3)
    ours = sampling.ddim(denoise, schedule, x, sampling.space_levels(schedule, 20), eta, torch.Generator().manual_seed(3))
    for t in scheduler.timesteps:
        level = torch.full((64,), int(t))
        eps = ddpm.as_eps(schedule, denoise(theirs, level), theirs, level)
        theirs = scheduler.step(eps, t, theirs, eta=eta, generator=generator).prev_sample
        assert torch.allclose(next(ours), theirs, atol=1e-5)


def test_noise_left_out_of_ddpm_costs_diversity():
    schedule, x = ddpm.linear(), start(400)
    narrow = DATA * 0.15  # neighbours merge for a sampler that goes to the mean
    with_noise = last(sampling.ancestral(ideal(schedule, narrow), schedule, x, generator=torch.Generator().manual_seed(1)))
    without = last(sampling.ancestral(ideal(schedule, narrow), schedule, x, noise=False))
    found = [len(torch.cdist(x, narrow).argmin(1).unique()) for x in (with_noise, without)]
    assert found[0] == len(DATA)
    assert found[1] == 1
    assert without.std(0).max() < 1e-3 < with_noise.std(0).min()


def test_guidance_zero_is_unconditional_one_conditional_two_past_it():
    schedule, x = ddpm.linear(), start()
    a, b, t = ideal(schedule, DATA[:2]), ideal(schedule), torch.full((64,), 500)
    assert torch.allclose(sampling.guide(a, b, 0.0)(x, t), b(x, t))
    assert torch.allclose(sampling.guide(a, b, 1.0)(x, t), a(x, t))
    assert torch.allclose(sampling.guide(a, b, 2.0)(x, t) - a(x, t), a(x, t) - b(x, t))


@pytest.mark.parametrize("steps", [1, 7, 50, 1000])
def test_spaced_levels_fall_from_the_last(steps):
    levels = sampling.space_levels(ddpm.linear(), steps)
    assert len(levels) == steps
    assert levels[0] == 999
    assert all(a > b for a, b in pairwise(levels))
    assert levels[-1] == math.ceil(1000 / steps) - 1 or abs(levels[-1] - (1000 / steps - 1)) <= 1


def test_too_many_levels_are_refused():
    with pytest.raises(ValueError, match="steps is 2000: it must lie between 1 and 1000"):
        sampling.space_levels(ddpm.linear(), 2000)


@pytest.mark.parametrize("rescale", [0.3, 1.0])
def test_rescaled_guidance_is_that_of_diffusers(rescale):
    from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import rescale_noise_cfg

    told, plain = torch.randn(2, 3, 4, 8, 8, dtype=F64)
    ours = sampling.guide(lambda x, t: told, lambda x, t: plain, 5.0, rescale)(told, 0)
    theirs = rescale_noise_cfg(plain + 5.0 * (told - plain), told, guidance_rescale=rescale)
    assert torch.allclose(ours, theirs)


@pytest.mark.parametrize("kind", ["eps", "x0", "v"])
def test_a_network_that_knows_its_target_is_a_perfect_denoiser(kind):
    schedule, t = ddpm.cosine(100), torch.randint(0, 99, (30,), generator=torch.Generator().manual_seed(0))
    x0, eps = DATA.repeat(6, 1) * 0.9, start(30)
    xt = ddpm.q_sample(schedule, x0, t, eps)
    knowing = sampling.denoiser(lambda x, t: ddpm.target(kind, schedule, x0, eps, t), schedule, kind)
    assert torch.allclose(knowing(xt, t), x0, atol=1e-9)


def test_a_denoiser_passes_the_condition_on_and_clamps():
    schedule, x, t = ddpm.cosine(100), torch.zeros(3, 2, dtype=F64), torch.tensor([50, 50, 50])
    wanted = torch.tensor([[3.0], [-0.5], [-2.0]], dtype=F64)
    by_condition = sampling.denoiser(lambda x, t, c: c.expand_as(x), schedule, "x0", wanted)
    assert by_condition(x, t)[:, 0].tolist() == [1.0, -0.5, -1.0]
    free = sampling.denoiser(lambda x, t, c: c.expand_as(x), schedule, "x0", wanted, clamp=False)
    assert free(x, t)[:, 0].tolist() == [3.0, -0.5, -2.0]

"""Checks of exercises refuse plausible wrong answers, and say something of use."""

import re

import pytest
import torch

import sdlab
from docs.tools.derive import SCRIPTS, derive
from sdlab.display.intervals import difference, share
from sdlab.scratch import ddpm, drawings


def check(script, title, **answer):
    """Run the check of an exercise on an answer."""
    [cell] = [cell.source for cell in derive(SCRIPTS / f"{script}.py", solved=True).cells if f'exercise("{title}"' in cell.source]
    torch.manual_seed(0)
    known = {"sdlab": sdlab, "torch": torch, "ddpm": ddpm, "share": share, "difference": difference, "hints": []}
    exec(cell, known | {"sheet": drawings.originals(), "schedule": ddpm.cosine(512)} | answer)


def step(x0, xt, abar_t, abar_s, sigma, z, direction=1.0, fresh=1.0, kept=True):
    eps = (xt - abar_t**0.5 * x0) / (1 - abar_t) ** 0.5
    return abar_s**0.5 * x0 + direction * (1 - abar_s - kept * sigma**2) ** 0.5 * eps + fresh * sigma * z


def guided(combine):
    return lambda told, plain, w: lambda x, t: combine(told(x, t), plain(x, t), w)


def jumps(denoise, x, levels, again=True, own=True, shrink=True, end=True, first=False):
    """The jumps of notebook 13, and what could be wrong with them."""
    schedule, x0 = ddpm.cosine(512), x
    for number, level in enumerate(levels):
        t = torch.full((len(x),), level)
        if (number or first) and again:
            at = t if own else torch.full_like(t, levels[number - 1])
            noisy = ddpm.q_sample(schedule, x0, at, torch.randn_like(x))
            x = noisy if shrink else x0 + (1 - schedule.abar[level]).sqrt() * torch.randn_like(x)
        elif number:
            x = x0
        x0 = denoise(x, t)
    return x0 if end else ddpm.q_sample(schedule, x0, t, torch.randn_like(x0))


def scaling(factor, there=lambda z, factor: z * factor, back=lambda z, factor: z / factor):
    return {"to_diffusion": there, "to_decoder": back, "factor": factor}


def tried(*shares):
    """The results at scales 1, 1.5, 2, 3 and 4."""
    return {w: torch.arange(96).numpy() < 96 * s for w, s in zip((1, 1.5, 2, 3, 4), shares, strict=True)}


RIGHT = {
    "closed form": ("10_ddpm", "The closed form", {"jump_to": lambda x0, eps, abar: abar**0.5 * x0 + (1 - abar) ** 0.5 * eps}),
    "velocity": (
        "10_ddpm",
        "From velocity to picture",
        {"picture_from": lambda v, xt, abar: abar**0.5 * xt - (1 - abar) ** 0.5 * v},
    ),
    "step": ("10_ddpm", "One DDIM step", {"ddim_step": step}),
    "guidance": ("11_guidance_from_scratch", "Guidance", {"guide": guided(lambda a, b, w: b + w * (a - b))}),
    "numbers": ("12_latent_space", "How many numbers", {"psnr": lambda x: x, "pca": lambda n: 10.0 + n, "target": 17.5, "enough": 8}),
    "factor": ("12_latent_space", "The scaling factor", {"codes": 1.6 * torch.tensor([-1.0, 1.0]).repeat(10_000)} | scaling(1 / 1.6)),
    "path": (
        "13_rivals_and_relatives",
        "The straight path",
        {"straight": lambda x0, eps, t: ((1 - t) * x0 + t * eps, eps - x0)},
    ),
    "jumps": ("13_rivals_and_relatives", "Jumps", {"jumps": jumps}),
    "scale": ("11_guidance_from_scratch", "Your scale", {"tried": tried(0.5, 0.7, 0.95, 0.96, 0.8), "my_scale": 2}),
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_answer_passes(name, monkeypatch):
    monkeypatch.setenv("SDLAB_STRICT", "1")
    script, title, answer = RIGHT[name]
    check(script, title, **answer)


@pytest.mark.parametrize(
    ("name", "answer", "hint"),
    [
        ("closed form", {"jump_to": lambda x0, eps, abar: abar * x0 + (1 - abar) * eps}, "square roots"),
        ("closed form", {"jump_to": lambda x0, eps, abar: abar**0.5 * eps + (1 - abar) ** 0.5 * x0}, "changed places"),
        ("closed form", {"jump_to": lambda x0, eps, abar: abar**0.5 * x0 - (1 - abar) ** 0.5 * eps}, "sign"),
        ("velocity", {"picture_from": lambda v, xt, abar: abar**0.5 * xt + (1 - abar) ** 0.5 * v}, "off by"),
        ("velocity", {"picture_from": lambda v, xt, abar: (xt - (1 - abar) ** 0.5 * v) / abar**0.5}, "off by"),
        ("velocity", {"picture_from": lambda v, xt, abar: (1 - abar) ** 0.5 * xt - abar**0.5 * v}, "off by"),
        ("step", {"ddim_step": lambda *a: step(*a, kept=False)}, "the variance 0.4 in all"),
        ("step", {"ddim_step": lambda *a: step(*a, fresh=0.0)}, "the variance 0.4 in all"),
        ("step", {"ddim_step": lambda *a: step(*a, direction=-1.0)}, "look at the signs"),
        ("step", {"ddim_step": lambda *a: step(*a, fresh=-1.0)}, "sigma times"),
        ("guidance", {"guide": guided(lambda a, b, w: w * a)}, "w = 0"),
        ("guidance", {"guide": guided(lambda a, b, w: a + w * (a - b))}, "w = 0"),
        ("guidance", {"guide": guided(lambda a, b, w: b + w * (b - a))}, "w = 1"),
        ("guidance", {"guide": guided(lambda a, b, w: (a if w == 1 else b) if w < 2 else w * a)}, "w = 3"),
        ("numbers", {"enough": 4}, "are needed"),
        ("numbers", {"enough": 9}, "the smallest number is wanted"),
        ("numbers", {"enough": 7.5}, "a whole number"),
        ("numbers", {"enough": 48}, "the smallest number is wanted"),
        ("factor", scaling(1.6), "the standard deviation 2.56"),
        ("factor", scaling(1 / 1.6, back=lambda z, factor: z * factor), "turns [-1.0, 0.0, 2.0] into [-9.0, 0.0, 18.0]"),
        ("factor", scaling(1.6, there=lambda z, f: z / f, back=lambda z, f: z * f), "are multiplied"),
        ("factor", scaling(1 / 1.6**2), "it should be 1"),
        ("factor", scaling(1.0), "the standard deviation 1.60"),
        ("path", {"straight": lambda x0, eps, t: ((1 - t) ** 0.5 * x0 + t**0.5 * eps, eps - x0)}, "at 1.1"),
        ("path", {"straight": lambda x0, eps, t: (t * x0 + (1 - t) * eps, x0 - eps)}, "t = 0 the path is at the picture"),
        ("path", {"straight": lambda x0, eps, t: ((1 - t) * x0 + t * eps, x0 - eps)}, "the velocity is -3"),
        ("path", {"straight": lambda x0, eps, t: ((1 - t) * x0 + t * eps, t * (eps - x0))}, "the velocity is -3"),
        ("path", {"straight": lambda x0, eps, t: ((1 - t**2) * x0 + t**2 * eps, eps - x0)}, "at 1.1"),
        ("jumps", {"jumps": lambda *a: jumps(*a, again=False)}, "variance"),
        ("jumps", {"jumps": lambda *a: jumps(*a, own=False)}, "variance"),
        ("jumps", {"jumps": lambda *a: jumps(*a, shrink=False)}, "should have shrunk"),
        ("jumps", {"jumps": lambda *a: jumps(*a, end=False)}, "without noise"),
        ("jumps", {"jumps": lambda denoise, x, levels: jumps(denoise, x, levels[:1])}, "not [511]"),
        ("scale", {"my_scale": 4}, "clearly better"),
        ("scale", {"my_scale": 3}, "smaller scale that cannot"),
        ("scale", {"my_scale": 2.5}, "not among those"),
        ("scale", {"tried": {1: [True] * 96}, "my_scale": 1}, "at least five"),
    ],
)
def test_a_plausible_wrong_answer_gets_its_hint(name, answer, hint, monkeypatch, capsys):
    monkeypatch.delenv("SDLAB_STRICT", raising=False)
    script, title, right = RIGHT[name]
    check(script, title, **right | answer)
    said = capsys.readouterr().out
    assert "✓" not in said
    assert re.search(rf"✗ {title}: not yet\. .*{re.escape(hint)}", said), said

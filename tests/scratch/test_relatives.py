"""Flow matching and consistency distillation, on data whose answers are known."""

import copy

import pytest
import torch

from sdlab.scratch import ddpm, judge, relatives, sampling
from sdlab.scratch.unet import UNet

POINTS = torch.tensor([[-0.9, 0.2], [0.8, 0.7], [0.1, -0.8]], dtype=torch.float64)


def straight(points):
    """The velocity field of all straight paths between `points` and noise: (x − E[x0 | x]) / t."""

    def velocity(x, t):
        distance = (x[:, None] - (1 - t) * points).square().sum(-1)
        guess = torch.softmax(-distance / (2 * t**2), 1) @ points
        return (x - guess) / t

    return velocity


def test_following_the_true_field_ends_at_the_data():
    x = torch.randn(200, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    *_, end = relatives.follow(straight(POINTS), x, 200)
    which = torch.cdist(end, POINTS).min(1)
    assert which.values.max() < 0.02
    assert torch.bincount(which.indices).min() > 40  # every point gets its share


def test_one_step_is_enough_where_there_is_one_picture():
    x = torch.randn(50, 2, dtype=torch.float64)
    *_, end = relatives.follow(straight(POINTS[:1]), x, 1)
    assert torch.allclose(end, POINTS[:1].expand(50, 2))


def test_training_finds_the_velocity_of_known_paths():
    torch.manual_seed(0)
    model = torch.nn.Linear(2, 2, bias=False)  # for one picture at 0 the field at x is x / t, which is linear in x

    class AtOne(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = model

        def forward(self, x, clock):
            return self.inner(x) * (relatives.CLOCK / clock)[:, None]

    field = AtOne()
    optimizer = torch.optim.Adam(field.parameters(), 0.03)
    training = relatives.train_flow_matching(field, iter([torch.zeros(256, 2)] * 300), optimizer)
    for losses, clock in training:
        assert losses.shape == clock.shape == (256,)
        assert 0 <= clock.min() <= clock.max() < relatives.CLOCK
    assert torch.allclose(model.weight, torch.eye(2), atol=0.02)
    assert torch.allclose(relatives.velocity_of(field)(torch.ones(1, 2), 0.5), torch.full((1, 2), 2.0), atol=0.1)


def test_a_straight_path_has_bend_1_and_a_half_circle_half_pi():
    ends = torch.stack([torch.zeros(3, 2), torch.ones(3, 2)])
    assert relatives.bend(ends).tolist() == pytest.approx([1, 1, 1])
    angle = torch.linspace(0, torch.pi, 200)
    assert relatives.bend(torch.stack([angle.cos(), angle.sin()], 1)[:, None]).item() == pytest.approx(torch.pi / 2, rel=1e-3)


def test_a_diffusion_to_one_picture_is_bent_in_its_own_coordinates_and_straight_in_those_of_flow_matching():
    schedule, levels = ddpm.cosine(512), sampling.space_levels(ddpm.cosine(512), 128)
    x0, noise = torch.tensor([[1.0, 0.0]], dtype=torch.float64), torch.tensor([[0.0, 1.0]], dtype=torch.float64)
    path = [noise, *sampling.ddim(sampling.ideal_denoiser(x0, schedule), schedule, noise, levels)]
    assert relatives.bend(path).item() == pytest.approx(torch.pi / 2 / 2**0.5, rel=1e-2)  # a quarter of a circle
    flat = [relatives.as_flow(schedule, x, level) for x, level in zip(path, [*levels, None], strict=True)]
    assert relatives.bend(flat).item() == pytest.approx(1, abs=1e-4)
    for x in flat:
        assert x.sum().item() == pytest.approx(1, abs=0.02)  # the shares of picture and noise


def test_diffusion_and_flow_matching_with_a_perfect_network_follow_one_path():
    schedule = ddpm.cosine(512)
    levels = sampling.space_levels(schedule, 512)
    x = torch.randn(100, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    *_, ours = sampling.ddim(sampling.ideal_denoiser(POINTS, schedule), schedule, x, levels)
    *_, theirs = relatives.follow(straight(POINTS), x, 512)
    same = torch.cdist(ours, POINTS).argmin(1) == torch.cdist(theirs, POINTS).argmin(1)
    assert same.double().mean() > 0.95


@pytest.mark.parametrize("steps", [1, 4])
def test_jumping_with_the_true_answer_ends_at_the_data(steps):
    schedule = ddpm.cosine(64)
    denoise = sampling.ideal_denoiser(POINTS[:1], schedule)
    ends = list(relatives.jump(denoise, schedule, torch.randn(20, 2, dtype=torch.float64), sampling.space_levels(schedule, steps)))
    assert len(ends) == steps
    assert torch.allclose(ends[-1], POINTS[:1].expand(20, 2))


def test_a_student_that_knows_every_end_has_nothing_to_learn():
    """Where there is one picture, every path ends there; the network that says so is consistent."""
    schedule, picture = ddpm.cosine(64), torch.full((1, 3, 8, 8), 0.4)

    class Knows(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.shift = torch.nn.Parameter(torch.zeros(()))

        def forward(self, xt, t):
            return picture.expand_as(xt) + self.shift

    student = Knows()
    optimizer = torch.optim.SGD(student.parameters(), 0.1)
    teacher = sampling.ideal_denoiser(picture, schedule)
    levels = sampling.space_levels(schedule, 8)
    stage = relatives.distil(
        student, ddpm.Average(student, 0.9), teacher, schedule, levels, iter([picture.repeat(32, 1, 1, 1)] * 2), optimizer, "x0"
    )
    losses, t = next(stage)
    assert losses.max() < 1e-10
    assert set(t.tolist()) <= set(levels)
    with torch.no_grad():
        student.shift.fill_(0.3)
    assert next(stage)[0].max() > 0.05
    assert student.shift < 0.3  # pulled back to what the teacher says


def test_distilling_moves_every_parameter_of_the_student_and_none_of_the_teacher():
    torch.manual_seed(0)
    schedule, student = ddpm.cosine(32), UNet(widths=(8, 8, 8))
    before, frozen = copy.deepcopy(student), copy.deepcopy(student)
    teacher = sampling.denoiser(frozen, schedule, "v")
    stage = relatives.distil(
        student, ddpm.Average(student, 0.9), teacher, schedule, sampling.space_levels(schedule, 8), iter([torch.randn(4, 3, 8, 8)] * 3),
        torch.optim.Adam(student.parameters(), 1e-2),
    )  # fmt: skip
    for _ in stage:
        pass
    assert all(torch.equal(a, b) for a, b in zip(frozen.parameters(), before.parameters(), strict=True))
    assert all((a != b).any() for a, b in zip(student.parameters(), before.parameters(), strict=True))


@pytest.mark.slow
def test_the_networks_that_came_with_the_course_draw_what_they_were_taught():
    torch.manual_seed(0)
    schedule, noise = ddpm.cosine(512), torch.randn(96, 3, 16, 16)
    denoise = sampling.denoiser(relatives.load_trained("diffusion"), schedule, "v")
    drawn = sampling.last(sampling.ddim(denoise, schedule, noise, sampling.space_levels(schedule, 50), eta=1.0))
    flowed = sampling.last(relatives.follow(relatives.velocity_of(relatives.load_trained("flow matching")), noise, 50))
    assert judge.recognition(drawn) > 0.85
    assert judge.recognition(flowed) > 0.85


def test_what_notebook_13_reads_of_the_long_race_is_whole():
    race, samples = relatives.load_race(), relatives.load_samples()
    rows = {row["name"]: row for row in race["table"]}
    assert set(rows) == set(samples)
    assert {name.split(",")[0] for name in rows} == {
        "VAE", "GAN", "flow", "diffusion", "flow matching", "transformer", "consistency", "true pictures",
    }  # fmt: skip
    for name, row in rows.items():
        assert len(row["recognised"]) == len(row["found"]) == len(row["frechet"]) == race["seeds"], name
        assert all(0 <= share <= 1 for share in row["recognised"]) and all(0 <= found <= 60 for found in row["found"])
        assert samples[name].shape == (16, 3, 16, 16) and samples[name].abs().max() <= 1


def test_what_notebook_13_says_of_the_long_race_is_in_its_table():
    """What its prose says without a number; where a race is run that says otherwise, the prose has to change."""
    rows = {row["name"]: row for row in relatives.load_race()["table"]}

    def mean(name, key):
        return sum(rows[name][key]) / len(rows[name][key])

    assert min(rows["true pictures"]["recognised"]) > 0.9
    assert mean("flow", "recognised") < 0.1  # "This flow draws hardly anything"
    assert rows["flow"]["parameters"] == min(row["parameters"] for name, row in rows.items() if name != "true pictures")
    assert max(rows["diffusion, 1 step"]["recognised"]) < 0.02  # "the mean of all drawings, a blot"
    assert min(rows["consistency, 1 jump"]["recognised"]) > max(rows["diffusion, 1 step"]["recognised"])
    assert 5 * mean("consistency, 4 jumps", "ms") < mean("diffusion, 50 steps", "ms")  # "worse … and a few evaluations instead of fifty"
    assert mean("consistency, 4 jumps", "frechet") > mean("diffusion, 50 steps", "frechet")  # "pays with variety"

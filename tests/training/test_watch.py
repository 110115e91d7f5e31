import itertools
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import sdlab
from sdlab.display import grids
from sdlab.scratch import ddpm
from sdlab.training import watch as watching
from sdlab.training.watch import History


def training(parameter, pause=0.01):
    """A training that lasts for ever: losses fall, levels go round."""
    for step in itertools.count():
        time.sleep(pause)
        parameter.grad = torch.ones_like(parameter)
        yield torch.full((8,), 1 / (step + 1)), torch.arange(8) * 60


@pytest.fixture
def optimizer():
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)


def parameter(optimizer):
    return optimizer.param_groups[0]["params"][0]


def test_training_stops_on_time_and_does_not_count_the_caller(optimizer):
    spent = []
    start = time.perf_counter()
    for seconds, _ in sdlab.train_for(training(parameter(optimizer)), 0.3, optimizer):
        time.sleep(0.02)
        spent.append(seconds)
    assert spent == sorted(spent)
    assert 0.3 <= spent[-1] < 0.6
    assert time.perf_counter() - start > spent[-1] + 0.02 * (len(spent) - 1)


def test_the_clock_waits_for_the_device(optimizer, monkeypatch):
    """A device that does a second's work for each step, while Python goes ahead; looks give it work too."""
    clock = SimpleNamespace(now=0.0, pending=0.0)

    def synchronize(device):
        assert device == torch.device("cpu")  # where the parameters are
        clock.now, clock.pending = clock.now + clock.pending, 0.0

    def steps():
        while True:
            clock.pending += 1.0
            yield None

    monkeypatch.setattr(watching, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    monkeypatch.setattr(watching, "synchronize", synchronize)
    seen = []
    for spent, _ in sdlab.train_for(steps(), 3, optimizer):
        seen.append(spent)
        clock.pending += 50  # a look
    assert seen == [1, 2, 3]


def test_the_rate_stays_and_then_falls_to_a_tenth(optimizer):
    rates = [(s, optimizer.param_groups[0]["lr"]) for s, _ in sdlab.train_for(training(parameter(optimizer)), 0.4, optimizer)]
    assert all(rate == 0.5 for s, rate in rates if s < 0.2)
    assert rates[-1][1] == pytest.approx(0.05)
    assert [r for _, r in rates] == sorted((r for _, r in rates), reverse=True)


def test_the_rates_of_all_optimizers_fall_alike(optimizer):
    other = torch.optim.SGD([torch.nn.Parameter(torch.zeros(3))], lr=8.0)
    before = optimizer.param_groups[0]["lr"]
    *_, _ = sdlab.train_for(training(parameter(optimizer)), 0.2, optimizer, other)
    assert optimizer.param_groups[0]["lr"] / before == pytest.approx(other.param_groups[0]["lr"] / 8.0) == pytest.approx(0.1)


def test_a_rehearsal_is_short(optimizer, monkeypatch):
    monkeypatch.setenv("SDLAB_REHEARSAL", "0.1")
    start = time.perf_counter()
    list(sdlab.train_for(training(parameter(optimizer)), 600, optimizer))
    assert time.perf_counter() - start < 5


def test_watching_notes_losses_levels_and_samples(optimizer, capsys):
    history = sdlab.watch(training(parameter(optimizer)), 0.4, 512, optimizer, lambda: torch.zeros(3, 3, 8, 8), looks=3)
    assert len(history.seconds) == len(history.losses) > 3
    assert len(history.looked) == len(history.by_level) == len(history.samples) == 3
    assert history.looked == sorted(history.looked)
    assert history.looked[0] >= 0.1 and history.looked[1] >= 0.2
    seen = ~np.isnan(history.by_level[-1])
    assert seen.sum() == 8  # eight levels, each in a group of its own
    assert len(history.figure().axes) == 2 + 3


def test_a_figure_without_samples():
    history = History(512, [0.1, 0.2], [1.0, 0.5], [np.ones(16)], [], [0.2])
    assert len(history.figure().axes) == 2


def test_tiles_keep_pixels_and_put_white_between():
    x = torch.stack([torch.full((3, 2, 2), -1.0), torch.full((3, 2, 2), 0.0), torch.full((3, 2, 2), 5.0)])
    sheet = grids.tile_pixels(x, columns=2)
    assert sheet.shape == (5, 5, 3)
    assert (sheet[:2, :2] == 0).all() and (sheet[:2, 3:] == 128).all() and (sheet[3:, :2] == 255).all()
    assert (sheet[2] == 255).all() and (sheet[3:, 3:] == 255).all()
    assert grids.tile_pixels(x[:, :1], columns=3).shape == (2, 8, 3)  # grey ones become colour
    assert sdlab.tiles(x, columns=2, width=50).size == (50, 50)


def test_tiles_carry_the_names_of_rows_and_columns():
    figure = sdlab.tiles(torch.zeros(5, 3, 2, 2), columns=3, width=80, rows=["t = 1", "t = 2"], titles=["a", "b", "c"])
    assert [text.get_text() for text in figure.axes[0].texts] == ["t = 1", "t = 2", "a", "b", "c"]
    assert figure.alt == "5 pictures: t = 1; t = 2; a; b; c"
    with pytest.raises(ValueError, match="1 names and 2 rows: give one name for each, or none"):
        sdlab.tiles(torch.zeros(5, 3, 2, 2), columns=3, rows=["t = 1"])
    with pytest.raises(ValueError, match="2 names and 3 columns"):
        sdlab.tiles(torch.zeros(5, 3, 2, 2), columns=3, titles=[1, 2])


def test_an_animation_is_a_gif_with_every_frame():
    import base64
    import io
    import re

    from PIL import Image

    moving = sdlab.animate(lambda axis, i: axis.plot([0, i], [0, 1]), range(1, 5), size=(1, 1))
    gif = Image.open(io.BytesIO(base64.b64decode(re.search(r"base64,([^\"]+)", moving.data)[1])))
    assert gif.n_frames == 4


def test_ddpm_training_can_be_watched():
    from sdlab.scratch.unet import UNet

    torch.manual_seed(0)
    model, schedule = UNet(1, (8, 8, 8)), ddpm.cosine(64)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    steps = ddpm.train(model, itertools.repeat(torch.ones(8, 1, 8, 8)), schedule, optimizer, "v")
    history = sdlab.watch(steps, 1.5, 64, optimizer, looks=2)
    assert history.losses[-1] < history.losses[0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"training": [1, 2]}, "training is [1, 2]: give a training that is a generator"),
        ({"seconds": "60"}, "seconds is '60': it must be a number"),
        ({"seconds": 0}, "seconds is 0: it must be more than 0"),
        ({"seconds": float("inf")}, "finite"),
        ({"optimizer": None}, "optimizer is None: give the one that the training uses"),
        ({"levels": 0}, "levels is 0"),
        ({"looks": 1.5}, "looks is 1.5"),
        ({"sample": 3}, "sample is 3: it must be a function"),
    ],
)
def test_a_wrong_call_is_told_before_the_first_step(change, said, optimizer):
    good = {"training": training(parameter(optimizer)), "seconds": 0.1, "optimizer": optimizer, "levels": 512}
    with pytest.raises((TypeError, ValueError)) as caught:
        sdlab.watch(**good | change)
    assert said in str(caught.value)
    if set(change) <= {"training", "seconds", "optimizer"}:
        with pytest.raises(type(caught.value)):
            sdlab.train_for(**{key: value for key, value in (good | change).items() if key != "levels"})

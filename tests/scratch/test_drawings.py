import numpy as np
import pytest
import torch
from PIL import Image

from pocket.world.sheet import ARTISTS, cell
from sdlab.scratch import drawings, judge


def test_the_sheet_is_what_the_sprites_give():
    sheet = Image.open(drawings.SHEET).convert("RGB")
    assert len(ARTISTS) == drawings.ARTISTS
    for row, column in ((0, 0), (5, 3), (11, 4)):
        box = (column * 32, row * 32, column * 32 + 32, row * 32 + 32)
        assert np.array_equal(np.asarray(sheet.crop(box)), np.asarray(cell(drawings.NAMES[row], ARTISTS[column])))


def test_drawings_are_on_white_and_in_range():
    for side in (16, 32):
        x = drawings.originals(side)
        assert x.shape == (60, 3, side, side)
        assert x.min() >= -1 and x.max() <= 1
        assert (x[:, :, 0, 0] > 0.98).all()  # the corner


def test_another_side_is_refused():
    with pytest.raises(ValueError, match="side is 24: the drawings come at 16 or 32 pixels"):
        drawings.originals(24)


def test_the_same_seed_gives_the_same_batches():
    (a, which_a), (b, which_b) = (next(drawings.batches(8, seed=3)) for _ in range(2))
    assert torch.equal(a, b) and torch.equal(which_a, which_b)
    assert not torch.equal(a, next(drawings.batches(8, seed=4))[0])


def test_a_training_picture_is_its_drawing_shifted_or_mirrored():
    x, which = next(drawings.batches(64, seed=1))
    near = []
    for picture, drawing in zip(x, drawings.originals(16)[which], strict=True):
        candidates = torch.stack([
            torch.roll(face, (dy, dx), (1, 2)) for face in (drawing, drawing.flip(2)) for dy in (-1, 0, 1) for dx in (-1, 0, 1)
        ])  # fmt: skip
        near.append((candidates - picture).square().mean((1, 2, 3)).min())
    assert torch.stack(near).max() < 0.03  # what is rolled out of one edge comes in at the other, and nothing else differs


def test_every_training_picture_is_one_of_the_variants_of_its_drawing():
    world = drawings.variants()
    assert world.shape == (60, 18, 3, 16, 16)
    x, which = next(drawings.batches(100, seed=2))
    distance = (world[which] - x[:, None]).abs().flatten(2).max(2).values  # (100, 18)
    assert distance.min(1).values.max() < 1e-4
    assert len(set(distance.argmin(1).tolist())) == 18  # and none of them is missing
    assert (world[:, 4] - drawings.originals()).abs().max() < 1e-4  # in the middle of the unmirrored nine


def test_the_judge_knows_true_pictures_and_sees_nothing_in_spoilt_ones():
    x, which = next(drawings.batches(600, seed=12345))
    generator = torch.Generator().manual_seed(0)
    assert (judge.recognise(x) == which).float().mean() > 0.98
    assert (judge.recognise(judge.weather(x, generator)) // 5 == which // 5).float().mean() > 0.95
    assert judge.recognition(judge.spoil(x, generator)) < 0.05
    assert judge.recognition(torch.randn(200, 3, 16, 16, generator=generator)) < 0.02
    assert judge.recognition(torch.ones(10, 3, 16, 16)) == 0
    assert judge.coverage(x) == 60


def test_the_judge_sees_large_pictures_as_small_ones():
    x, which = next(drawings.batches(100, side=32, seed=7))
    assert (judge.recognise(x) == which).float().mean() > 0.98


def test_the_frechet_distance_is_that_of_the_formula():
    from scipy.linalg import sqrtm

    a, b = torch.randn(2, 400, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    b = 0.3 + b @ torch.diag(torch.arange(1.0, 7.0, dtype=torch.float64))
    cov_a, cov_b = a.T.cov(), b.T.cov()
    root = sqrtm(cov_a.numpy() @ cov_b.numpy()).real
    expected = (a.mean(0) - b.mean(0)).square().sum() + cov_a.trace() + cov_b.trace() - 2 * np.trace(root)
    assert judge.frechet_distance(a, b) == pytest.approx(expected.item(), rel=1e-6)
    assert abs(judge.frechet_distance(a, a)) < 1e-6


def test_spoilt_pictures_are_farther_than_true_ones():
    a, b, c = (next(drawings.batches(300, seed=s))[0] for s in (1, 2, 3))
    assert judge.frechet(a, judge.spoil(b, torch.Generator().manual_seed(0))) > 5 * judge.frechet(a, c)


def test_the_judge_can_be_trained_again():
    losses = [loss for _, loss in judge.train(steps=60, size=32)]
    assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:10])

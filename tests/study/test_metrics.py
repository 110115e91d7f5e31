"""Each number moves as its name says, on pictures that were made up for it."""

import colorsys

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageFilter

from sdlab.study import clip_score, metrics


@pytest.fixture(scope="module")
def picture():
    """A few shapes in colours, 128×128."""
    made = Image.new("RGB", (128, 128), (120, 150, 180))
    pen = ImageDraw.Draw(made)
    pen.ellipse((20, 30, 90, 100), fill=(200, 90, 40), outline=(40, 30, 30), width=2)
    pen.rectangle((70, 60, 118, 110), fill=(60, 140, 70))
    return made


def rises(values):
    return bool((np.diff(values) > 0).all())


def test_sharpness_falls_with_blur(picture):
    blurred = [picture.filter(ImageFilter.GaussianBlur(radius)) for radius in (4, 2, 1, 0.5, 0)]
    assert rises(metrics.sharpness(blurred))
    assert metrics.sharpness(Image.new("RGB", (64, 64), "red")) == 0


@pytest.mark.parametrize("hue", [0.0, 0.2, 0.6])
def test_saturation_is_that_of_hsv(hue):
    shares = np.linspace(0, 1, 6)
    even = [Image.new("RGB", (8, 8), tuple(round(255 * v) for v in colorsys.hsv_to_rgb(hue, share, 0.8))) for share in shares]
    assert np.allclose(metrics.saturation(even), shares, atol=0.01)


def test_clipping_rises_with_contrast_and_counts_both_ends(picture):
    pixels = np.asarray(picture, float)
    harder = [Image.fromarray((128 + k * (pixels - 128)).clip(0, 255).astype(np.uint8)) for k in (1, 2, 3, 6)]
    found = metrics.clipping(harder)
    assert (np.diff(found) >= 0).all() and found[0] == 0 < found[-1]
    assert metrics.clipping([Image.new("L", (4, 4), 255), Image.new("L", (4, 4), 0)]).tolist() == [1, 1]


def test_distance_is_a_distance(picture):
    noise = np.random.default_rng(0).normal(0, 1, (128, 128, 3))
    away = [Image.fromarray((np.asarray(picture, float) + k * noise).clip(0, 255).astype(np.uint8)) for k in (0, 4, 10, 30)]
    found = metrics.distance(away, [picture] * 4)
    assert found[0] == 0 and rises(found)
    assert np.allclose(found, metrics.distance([picture] * 4, away))
    assert metrics.distance(Image.new("L", (4, 4), 0), Image.new("L", (4, 4), 255)) == 1


def test_distance_counts_only_where_it_is_told(picture):
    changed, half = picture.copy(), np.zeros((128, 128), bool)
    half[:, 64:] = True
    changed.paste((0, 0, 0), (64, 0, 128, 128))
    assert metrics.distance(picture, changed, where=~half)[0] == 0
    assert metrics.distance(picture, changed, where=half)[0] == pytest.approx(2**0.5 * metrics.distance(picture, changed)[0])
    with pytest.raises(ValueError, match="False everywhere"):
        metrics.distance(picture, changed, where=half & ~half)


def test_a_sketch_is_followed_by_a_picture_of_it_and_not_by_another():
    sketch, picture = Image.new("RGB", (128, 128)), Image.new("RGB", (128, 128), "white")
    ImageDraw.Draw(sketch).ellipse((10, 30, 60, 90), outline="white", width=2)
    ImageDraw.Draw(picture).ellipse((10, 30, 60, 90), fill="orange")
    found = metrics.followed([picture, picture.transpose(Image.FLIP_LEFT_RIGHT), Image.new("RGB", (128, 128))], [sketch] * 3)
    assert found[0] == 1 and found[1] < 0.1 and found[2] == 0


def test_distance_of_latents_is_in_deviations():
    x = torch.randn(3, 4, 16, 16)
    assert metrics.latent_distance(x, x).tolist() == [0, 0, 0]
    assert metrics.latent_distance(5 * x, 5 * (x + 1)) == pytest.approx(metrics.latent_distance(x, x + 1), rel=1e-5)


def scenes(count, seed, colours=("red", "blue", "green")):
    rng, made = np.random.default_rng(seed), []
    for _ in range(count):
        picture = Image.new("RGB", (64, 64), colours[rng.integers(len(colours))])
        x, y = rng.integers(4, 40, 2).tolist()
        ImageDraw.Draw(picture).ellipse((x, y, x + 20, y + 20), fill=colours[rng.integers(len(colours))], outline="white")
        made.append(picture)
    return made


def test_pictures_that_are_alike_have_little_variety(picture):
    nearly = [picture, picture.filter(ImageFilter.GaussianBlur(0.6)), picture.transpose(Image.FLIP_LEFT_RIGHT)]
    assert metrics.variety([picture] * 3) == pytest.approx(0, abs=1e-3)
    assert 0 < metrics.variety(nearly) < metrics.variety(scenes(6, 0))


def test_two_halves_of_one_kind_are_near_and_another_kind_is_far():
    one, two, other = scenes(60, 0), scenes(60, 1), scenes(60, 2, ("black", "yellow"))
    for metric in (metrics.frechet, metrics.kid):
        assert metric(one, two) < 0.3 * metric(one, other)
        assert metric(one, other) == pytest.approx(metric(other, one), rel=1e-3)
    assert metrics.frechet(one, one) == pytest.approx(0, abs=1e-3)


def test_the_kernel_distance_of_few_pictures_is_not_too_large_on_average():
    few = [metrics.kid(scenes(8, 2 * i), scenes(8, 2 * i + 1)) for i in range(12)]
    assert min(few) < 0 < max(few)  # unbiased: as often below as above


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda p: metrics.sharpness([]), TypeError, "give PIL pictures, such as generation.images"),
        (lambda p: metrics.saturation(torch.zeros(3)), TypeError, "give PIL pictures"),
        (lambda p: metrics.clipping([p, p.resize((9, 9))]), ValueError, "the pictures are of 2 sizes"),
        (lambda p: metrics.distance([p], [p, p]), ValueError, "give as many of the same size"),
        (lambda p: metrics.latent_distance(torch.zeros(1, 4, 2, 2), torch.zeros(2, 4, 2, 2)), ValueError, "two tensors of one shape"),
        (lambda p: metrics.variety([p]), ValueError, "there is 1 picture"),
        (lambda p: metrics.kid([p], [p, p]), ValueError, "two or more of each"),
        (lambda p: metrics.frechet(), TypeError, "missing a required argument"),
        (lambda p: clip_score.clip_score([p], ["a", "b"]), ValueError, "give one for each, or one text for all"),
    ],
)
def test_wrong_calls_are_told_in_one_sentence(picture, call, error, said):
    with pytest.raises(error) as caught:
        call(picture)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_where_clip_is_not_it_says_so_and_what_to_do(picture, monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    clip_score._load.cache_clear()
    with pytest.raises(OSError, match="openai/clip-vit-large-patch14") as caught:
        clip_score.clip_score(picture, "a lion")
    assert "download=True" in str(caught.value)

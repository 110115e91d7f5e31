"""Pictures as users have them come out as a pipeline takes them, and what cannot is refused in one sentence."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sdlab.pipes import pictures


@pytest.fixture
def photo():
    """Left red, right blue, 60×40."""
    made = Image.new("RGB", (60, 40), (200, 30, 40))
    made.paste((30, 40, 200), (30, 0, 60, 40))
    return made


@pytest.mark.filterwarnings("ignore:image is")
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L", "LA", "CMYK", "1", "YCbCr", "HSV"])
def test_every_mode_becomes_rgb(photo, mode):
    out = pictures.prepare_picture(photo.convert(mode), 32, 32)
    assert out.mode == "RGB" and out.size == (32, 32)
    if mode not in ("L", "LA", "1"):
        left, right = np.asarray(out)[16, 2], np.asarray(out)[16, -3]
        assert left[0] > left[2] + 80 and right[2] > right[0] + 80


def test_sixteen_bits_are_scaled_and_not_cut_off():
    ramp = np.linspace(0, 65535, 64).astype(np.uint16)[None].repeat(64, 0)
    out = np.asarray(pictures.prepare_picture(Image.fromarray(ramp), 64, 64))[32, :, 0]
    assert np.abs(out - np.linspace(0, 255, 64)).max() <= 1


def test_what_is_transparent_is_filled_and_said():
    clear = Image.new("RGBA", (32, 32), (255, 0, 0, 0))
    with pytest.warns(UserWarning, match="image is transparent in places: they are filled with white"):
        out = pictures.prepare_picture(clear, 32, 32)
    assert out.getpixel((5, 5)) == (255, 255, 255)
    with pytest.warns(UserWarning, match="filled with black"):
        assert pictures.prepare_picture(clear, 32, 32, background="black").getpixel((5, 5)) == (0, 0, 0)


def test_a_picture_that_was_turned_by_the_camera_is_upright(photo, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by a quarter to the right
    photo.save(tmp_path / "turned.jpg", exif=exif)
    out = pictures.read_picture(tmp_path / "turned.jpg")
    assert out.size == (40, 60)
    top, bottom = out.getpixel((20, 5)), out.getpixel((20, 55))
    assert top[0] > top[2] + 80 and bottom[2] > bottom[0] + 80


def test_of_an_animation_the_first_frame_is_taken_and_said(photo, tmp_path):
    file = tmp_path / "moving.gif"
    photo.save(file, save_all=True, append_images=[Image.new("RGB", (60, 40), colour) for colour in ("white", "green")])
    with pytest.warns(UserWarning, match="image has 3 frames: the first is taken"):
        out = pictures.prepare_picture(file, 60, 40)
    assert out.getpixel((5, 20))[0] > 150 > out.getpixel((5, 20))[1]


@settings(max_examples=30, deadline=None)
@given(
    size=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    wanted=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    how=st.sampled_from(pictures.FITS),
)
@pytest.mark.filterwarnings("ignore:image is")
def test_any_size_becomes_the_one_that_is_drawn(size, wanted, how):
    width, height = (8 * side for side in wanted)
    assert pictures.prepare_picture(Image.new("RGB", size), width, height, how).size == (width, height)


def test_how_much_is_cut_off_is_said(photo):
    with pytest.warns(UserWarning, match="image is 60×40 and 40×40 are drawn: 33% of it is cut off at the sides, fit='pad' would keep all"):
        pictures.prepare_picture(photo, 40, 40)
    padded = pictures.prepare_picture(photo, 60, 60, how="pad")
    assert padded.getpixel((30, 2)) == (255, 255, 255) and padded.getpixel((5, 30))[0] > 150


def test_arrays_are_pictures_too(photo):
    assert pictures.read_picture(np.asarray(photo)).size == photo.size
    with pytest.raises(TypeError, match=r"image is an array of float64 and shape \(4, 4\): it must be uint8"):
        pictures.read_picture(np.zeros((4, 4)))


def test_a_mask_becomes_black_and_white_of_the_drawn_size(photo):
    grey = Image.new("L", (60, 40), 0)
    grey.paste(255, (10, 10, 40, 30))
    out = pictures.prepare_mask(grey, 60, 40)
    assert out.mode == "L" and set(np.unique(out)) == {0, 255}
    with pytest.warns(UserWarning, match="mask has greys: from 128 on they count as white"):
        out = pictures.prepare_mask(Image.linear_gradient("L"), 64, 64)
    assert np.asarray(out).mean() == pytest.approx(127.5, abs=3)


def test_a_mask_of_another_size_is_fitted_as_the_picture_is():
    half = Image.new("L", (600, 400), 0)
    half.paste(255, (300, 0, 600, 400))
    with pytest.warns(UserWarning, match="mask is 600×400 and 64×64 are drawn"):
        out = np.asarray(pictures.prepare_mask(half, 64, 64))
    assert out[:, :30].max() == 0 and out[:, 34:].min() == 255


def cut_short(photo, tmp_path):
    file = tmp_path / "short.png"
    photo.resize((600, 400)).effect_spread(40).save(file)
    file.write_bytes(file.read_bytes()[:2000])
    return file


def text(photo, tmp_path):
    file = tmp_path / "text.png"
    file.write_text("no picture", encoding="utf-8")
    return file


def bomb(photo, tmp_path):
    file = tmp_path / "bomb.png"
    Image.new("1", (20_000, 20_000)).save(file)
    return file


@pytest.mark.parametrize(
    ("make", "kind", "said"),
    [
        (cut_short, OSError, "image is damaged"),
        (text, OSError, "which is no picture that can be read: give a PNG, JPEG or WebP"),
        (bomb, ValueError, "with more than 100,000,000 pixels: make it smaller first"),
        (lambda photo, tmp_path: tmp_path / "none.png", FileNotFoundError, "and there is no such file"),
        (lambda photo, tmp_path: 3, TypeError, "image is 3: give a file, a PIL picture"),
    ],
)
def test_what_is_no_picture_is_refused_in_one_sentence(photo, tmp_path, make, kind, said):
    with pytest.raises(kind) as caught:
        pictures.prepare_picture(make(photo, tmp_path), 64, 64)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_a_mask_that_selects_nothing_is_refused():
    with pytest.raises(ValueError, match="mask is black everywhere, so that nothing would be drawn anew: paint white what is to change"):
        pictures.prepare_mask(Image.new("L", (64, 64)), 64, 64)

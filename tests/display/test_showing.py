import io
from itertools import pairwise

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

import sdlab
from sdlab.display import diagrams, showing
from sdlab.study import anatomy


def rendered(figure):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return np.asarray(Image.open(buffer).convert("RGB"), dtype=int)


def texts(figure):
    return [text.get_text() for text in (*figure.texts, *(axis.title for axis in figure.axes)) if text.get_text()]


@pytest.fixture(scope="module")
def runs(pipe, recipe):
    return [sdlab.generate(pipe, recipe.but(guidance=g), progress=False, keep_latents=True) for g in (1, 4)]


def test_a_single_picture_is_shown_with_all_its_parameters(runs):
    figure = sdlab.show(runs[1])
    [words] = [t for t in texts(figure) if "steps" in t]
    side = runs[1].recipe.width
    assert "a lion on the beach, cartoon" in words
    assert f"3 steps · guidance 4 · seed 7 · DDIM · {side}×{side} · pocket" in words


def test_several_are_shown_with_what_differs_only(runs):
    assert texts(sdlab.show(runs)) == ["guidance 1", "guidance 4"]
    assert texts(sdlab.show(*runs)) == ["guidance 1", "guidance 4"]


def test_a_batch_is_shown_with_its_seeds(pipe, recipe):
    run = sdlab.generate(pipe, recipe.but(images=2), progress=False)
    assert [t for t in texts(sdlab.show(run)) if t.startswith("seed")] == ["seed 7", "seed 8"]


def test_show_refuses_what_is_no_generation(runs):
    with pytest.raises(TypeError, match=r"use sdlab\.grid"):
        sdlab.show(runs[0].image)
    with pytest.raises(TypeError, match="takes generations"):
        sdlab.show()


def test_a_small_picture_keeps_its_own_colours(runs):
    red = Image.new("RGB", (64, 64), (200, 30, 40))
    pixels = rendered(sdlab.grid([red, red]))
    assert ((np.abs(pixels - (200, 30, 40)).sum(-1) < 3).mean()) > 0.7


def test_a_small_picture_is_enlarged_smoothly_to_whole_screen_pixels(runs):
    figure = sdlab.grid([runs[0].image, runs[1].image, Image.new("RGB", (90, 60))], ["one", "two\nlines", None], columns=2, title="Three")
    pixels = rendered(figure)
    for axis, picture in zip(figure.axes, (runs[0].image, runs[1].image), strict=False):
        place = axis.get_window_extent()
        corners = np.array([place.x0, place.x1, len(pixels) - place.y1, len(pixels) - place.y0])
        assert np.allclose(corners, corners.round(), atol=1e-6)
        left, right, top, bottom = corners.round().astype(int)
        expected = np.asarray(picture.resize((right - left, bottom - top), Image.BICUBIC), int)
        assert np.abs(pixels[top:bottom, left:right] - expected).max() <= 1
    wide = figure.axes[2].get_window_extent()
    assert wide.width / wide.height == pytest.approx(1.5, abs=0.01)


def test_rows_have_names_at_their_left(runs):
    pictures = [run.image for run in runs] * 2
    figure = sdlab.grid(pictures, columns=2, rows=["a name", "a much longer name of a row"])
    canvas = FigureCanvasAgg(figure).get_renderer()
    for axis, name in zip(figure.axes[::2], ("a name", "a much longer\nname of a row"), strict=True):
        [text] = axis.texts
        box = text.get_window_extent(canvas)
        assert text.get_text() == name and box.x0 >= 0 and box.x1 <= axis.get_window_extent(canvas).x0
    assert "a much longer name of a row" in figure.alt
    with pytest.raises(ValueError, match="1 names and 2 rows of 2: give one name for each row, or none"):
        sdlab.grid(pictures, columns=2, rows=["a name"])


def test_a_film_strip_needs_the_latents(pipe, recipe, runs):
    assert texts(sdlab.film_strip(pipe, runs[0])) == ["step 1", "step 2", "step 3"]
    with pytest.raises(ValueError, match="keep_latents=True"):
        sdlab.film_strip(pipe, sdlab.generate(pipe, recipe, progress=False))


def test_a_preview_shows_every_so_many_steps(pipe, recipe, monkeypatch):
    seen = []

    class Handle:
        def update(self, image):
            seen.append(image.size)

    monkeypatch.setattr("IPython.display.display", lambda *_, **__: Handle())
    sdlab.generate(pipe, recipe.but(steps=6), progress=False, on_step=showing.preview(pipe, every=2))
    assert len(seen) == 3
    assert seen[0][0] >= 128


def test_levels_are_drawn_with_their_shapes(pipe):
    traced = anatomy.trace(pipe.unet)
    axis = diagrams.levels(traced, "pocket").axes[0]
    words = [t.get_text() for t in axis.texts]
    assert "middle" in words
    assert any(w.startswith(f"4×{traced[-1].height}×{traced[-1].width}") for w in words)
    boxes = [patch.get_window_extent() for patch in axis.patches]
    assert all(a.x1 < b.x0 for a, b in pairwise(boxes))  # no box touches the next


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda pipe, run: sdlab.show(), "show was given nothing: it takes generations"),
        (lambda pipe, run: sdlab.show(run.image), "show was given <PIL"),
        (lambda pipe, run: sdlab.show([run, 3]), "show was given 3"),
        (lambda pipe, run: sdlab.show(run, titel="a"), "unexpected keyword argument 'titel': did you mean 'title'?"),
        (lambda pipe, run: sdlab.grid(run.image), "give a list of pictures, as in sdlab.grid([a, b])"),
        (lambda pipe, run: sdlab.grid([]), "images is empty"),
        (lambda pipe, run: sdlab.grid([run]), "sdlab.show is for generations"),
        (lambda pipe, run: sdlab.grid([run.image], ["a", "b"]), "1 images and 2 titles"),
        (lambda pipe, run: sdlab.grid([run.image], columns=0), "columns is 0: it must be a whole number from 1 up"),
        (lambda pipe, run: sdlab.grid(), "missing a required argument: 'images'"),
        (lambda pipe, run: sdlab.tiles([run.image]), "it must be a tensor (n, 1 or 3, h, w)"),
        (lambda pipe, run: sdlab.tiles(torch.zeros(3, 8, 8)), "a tensor of shape (3, 8, 8)"),
        (lambda pipe, run: sdlab.film_strip(run, pipe), "the pipeline comes first"),
        (lambda pipe, run: sdlab.film_strip(pipe, run.image), "give what sdlab.generate returned"),
        (lambda pipe, run: sdlab.film_strip(pipe, run, frames=0), "frames is 0"),
        (lambda pipe, run: sdlab.preview(run), "the pipeline comes first"),
        (lambda pipe, run: sdlab.preview(pipe, every=0), "every is 0"),
        (lambda pipe, run: sdlab.animate([1], range(3)), "it must be a function of a matplotlib axis and a frame"),
        (lambda pipe, run: sdlab.animate(print, []), "frames holds no frame"),
        (lambda pipe, run: sdlab.native_side(run), "give a pipeline, as sdlab.load returns it"),
        (lambda pipe, run: sdlab.exercise(), "missing a required argument: 'title'"),
        (lambda pipe, run: sdlab.describe("tpu"), "device 'tpu'"),
    ],
)
def test_wrong_calls_are_told_in_one_sentence(pipe, runs, call, said):
    with pytest.raises((TypeError, ValueError)) as caught:
        call(pipe, runs[0])
    assert said in str(caught.value)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


def test_only_rows_with_titles_leave_room_for_them():
    pictures = [Image.new("RGB", (16, 16))] * 4
    heights = [sdlab.grid(pictures, titles, columns=2).get_size_inches()[1] for titles in (["a"] * 4, ["a", "a", None, None], [None] * 4)]
    assert heights[0] > heights[1] > heights[2]

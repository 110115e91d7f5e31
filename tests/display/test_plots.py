import io
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

import sdlab
from sdlab.display import diagrams, plots
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
    with pytest.raises(TypeError, match="takes Generations"):
        sdlab.show()


def test_a_small_picture_keeps_its_own_colours(runs):
    red = Image.new("RGB", (64, 64), (200, 30, 40))
    pixels = rendered(sdlab.grid([red, red]))
    assert ((np.abs(pixels - (200, 30, 40)).sum(-1) < 3).mean()) > 0.7


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
    sdlab.generate(pipe, recipe.but(steps=6), progress=False, on_step=plots.preview(pipe, every=2))
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

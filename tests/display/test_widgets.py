"""The widgets without a browser: what they hold, what they leave in a page, and what they refuse."""

import re

import numpy as np
import pytest
from PIL import Image

import sdlab
from sdlab.display.widgets.look import picture_url


@pytest.fixture(scope="module")
def run(pipe, recipe):
    return sdlab.generate(pipe, recipe, progress=False, keep_latents=True)


@pytest.fixture(scope="module")
def runs(pipe, recipe):
    return [sdlab.generate(pipe, recipe.but(guidance=g, steps=1), progress=False) for g in (1, 4, 9)]


def alts(widget):
    return re.findall(r'<img[^>]* ?alt="([^"]*)"', widget.still())


def test_small_pictures_are_enlarged_and_large_ones_stay():
    import base64
    import io

    def size(image):
        return Image.open(io.BytesIO(base64.b64decode(picture_url(image).partition(",")[2]))).size

    assert size(Image.new("RGB", (64, 32))) == (448, 224)
    assert size(Image.new("L", (512, 512))) == (512, 512)


def test_compare_shows_both_and_says_what_differs(runs):
    widget = sdlab.compare(runs[0], runs[2])
    assert alts(widget) == ["guidance 1", "guidance 9"]
    assert alts(sdlab.compare(runs[0].image, np.asarray(runs[1].image))) == ["before", "after"]
    assert alts(sdlab.compare(runs[0], runs[0], titles=["a <b>", "c"])) == ["a &lt;b&gt;", "c"]


def test_a_film_has_every_step_and_begins_with_the_last(pipe, run):
    film = sdlab.scrub(pipe, run)
    assert alts(film) == [f"a lion on the beach, cartoon, step {i} of 3" for i in (1, 2, 3)]
    assert film.index == 2
    assert film.still().count(" hidden>") == 2
    assert "<figcaption>step 3 of 3</figcaption>" in film.still()


def test_a_sweep_has_every_picture_of_whatever_sequence_holds_them(pipe, recipe, runs):
    assert alts(sdlab.scrub(run for run in runs)) == [f"a lion on the beach, cartoon, guidance {g}" for g in (1, 4, 9)]
    batch = sdlab.generate(pipe, recipe.but(images=2, steps=1), progress=False)
    assert alts(sdlab.scrub([batch])) == ["a lion on the beach, cartoon, seed 7", "a lion on the beach, cartoon, seed 8"]


def test_the_film_of_a_pair_is_decoded_by_its_base(pair, recipe):
    film = sdlab.scrub(pair, sdlab.generate(pair, recipe.but(steps=5), progress=False, keep_latents=True))
    assert len(alts(film)) == 5


@pytest.mark.parametrize("make", [lambda pipe, runs: sdlab.compare(*runs[:2]), lambda pipe, runs: sdlab.scrub(runs)])
def test_a_page_gets_html_that_loads_nothing(pipe, runs, make):
    widget = make(pipe, runs)
    data, _ = widget._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    assert data["text/plain"] == widget.alt != ""
    assert not re.search(r"https?:|src=(?!\"data:)|@import|url\(", data["text/html"])


def test_a_notebook_gets_the_widget_and_its_still_beside_it(runs, monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, **how: shown.append(data))
    widget = sdlab.compare(*runs[:2])
    widget._ipython_display_()
    assert shown[0]["text/html"] == "" and "application/vnd.jupyter.widget-view+json" in shown[0]
    assert f"sdlab-still-{widget.key}" in shown[1]["text/html"]
    widget.close()
    show = widget._ipython_display_ or (lambda: None)  # which ipywidgets 7 takes away
    show()
    assert len(shown) == 2


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda pipe, run: sdlab.compare(run, 3), "after is 3: give a picture or a generation"),
        (lambda pipe, run: sdlab.compare(run, Image.new("RGB", (64, 96))), "they must have the same ratio of sides"),
        (lambda pipe, run: sdlab.compare(run, run, titles="ab"), "titles is 'ab': give two texts"),
        (lambda pipe, run: sdlab.compare(run, run, titles=["a"]), "titles is ['a']: give two texts"),
        (lambda pipe, run: sdlab.scrub(run), "its steps need the pipeline that decodes them, as in sdlab.scrub(pipe, run)"),
        (lambda pipe, run: sdlab.scrub(pipe), "give what it made too"),
        (lambda pipe, run: sdlab.scrub(run, pipe), "the pipeline comes first"),
        (lambda pipe, run: sdlab.scrub(pipe, [run]), "give what sdlab.generate returned"),
        (lambda pipe, run: sdlab.scrub([]), "runs is empty"),
        (lambda pipe, run: sdlab.scrub([run.image]), "it takes generations"),
        (lambda pipe, run: sdlab.panel(run), "the pipeline comes first"),
        (lambda pipe, run: sdlab.panel(pipe, 3), "recipe is 3: give a prompt"),
        (lambda pipe, run: sdlab.panel(pipe, " "), "it must say what to draw"),
    ],
)
def test_wrong_calls_are_told_in_one_sentence(pipe, run, call, said):
    with pytest.raises((TypeError, ValueError)) as caught:
        call(pipe, run)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)

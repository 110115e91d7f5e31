"""Figures say what they show."""

import pytest

import sdlab
from sdlab.display import diagrams
from sdlab.display.described import Described
from sdlab.study import anatomy


@pytest.fixture(scope="module")
def run(pipe, recipe):
    return sdlab.generate(pipe, recipe, progress=False, keep_latents=True)


def test_a_shown_figure_carries_its_alt_text(run):
    figure = sdlab.grid([run.image, run.image], ["a < b", 'the "other"'])
    data, metadata = figure._repr_mimebundle_()
    assert 'alt="2 pictures: a &lt; b; the &quot;other&quot;"' in data["text/html"]
    assert data["image/png"] in data["text/html"]
    assert metadata["image/png"]["alt"] == '2 pictures: a < b; the "other"'


def test_every_figure_of_the_house_says_what_it_shows(pipe, run):
    other = sdlab.generate(pipe, run.recipe.but(seed=8), progress=False)
    told = {
        "a picture: a lion on the beach, cartoon; 3 steps · guidance 4 · seed 7": sdlab.show(run),
        "a lion on the beach, cartoon: 2 pictures: seed 7; seed 8": sdlab.show(run, other),
        "a lion on the beach, cartoon, as it appears out of noise: 3 pictures: step 1; step 2; step 3": sdlab.film_strip(pipe, run),
        "A U-Net: its levels as boxes, channels×height×width: ": diagrams.levels(anatomy.trace(pipe.unet)),
        "my own words": sdlab.grid([run.image], alt="my own words"),
    }
    for words, figure in told.items():
        assert isinstance(figure, Described)
        assert figure.alt.startswith(words)

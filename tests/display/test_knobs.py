"""A grid of pictures with knobs on its axes."""

import pytest

import sdlab
from sdlab.display.enlarging import fit


def texts(figure):
    found = [*figure.texts, *(text for axis in figure.axes for text in (axis.title, *axis.texts))]
    return [text.get_text() for text in found if text.get_text()]


@pytest.fixture(scope="module")
def runs(pipe, recipe):
    return [sdlab.generate(pipe, recipe.but(guidance=g, steps=s), progress=False) for g in (1, 4) for s in (1, 2, 3)]


def test_two_knobs_make_rows_and_columns(runs):
    figure = sdlab.knob_grid(runs)
    assert set(texts(figure)) == {"steps", "guidance", "1", "2", "3", "4"}
    assert len(figure.axes) == 6
    assert figure.alt == "a lion on the beach, cartoon: 6 pictures over steps 1, 2, 3 and guidance 1, 4"


def test_the_knobs_can_be_chosen_and_an_empty_place_stays_empty(runs):
    figure = sdlab.knob_grid(runs[:-1], rows="guidance", columns="steps")
    assert "5 pictures over guidance 1, 4 and steps 1, 2, 3" in figure.alt
    last = figure.axes[-1].images[0].get_array()
    assert (last == 255).all()
    first = figure.axes[1].images[0].get_array()  # guidance 1, steps 2
    assert (first == fit(runs[1].image, len(first))).all()


def test_one_knob_makes_one_row_and_a_batch_varies_its_seed(pipe, recipe, runs):
    assert "3 pictures over steps 1, 2, 3" in sdlab.knob_grid(runs[:3]).alt
    batch = sdlab.generate(pipe, recipe.but(images=2, steps=1), progress=False)
    assert sdlab.knob_grid([batch]).alt.endswith("2 pictures over seed 7, 8")


def test_no_label_lies_outside_of_the_figure(runs):
    figure = sdlab.knob_grid(runs, title="A title")
    figure.canvas.draw()
    for text in [*figure.texts, *(t for axis in figure.axes for t in (axis.title, *axis.texts) if t.get_text())]:
        box = text.get_window_extent().transformed(figure.transFigure.inverted())
        assert box.x0 >= -0.01 and box.x1 <= 1.01 and box.y0 >= -0.01 and box.y1 <= 1.01, text


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda runs: sdlab.knob_grid(runs[0]), "give a list of generations, as in sdlab.knob_grid([run, another])"),
        (lambda runs: sdlab.knob_grid([]), "runs is empty"),
        (lambda runs: sdlab.knob_grid([runs[0].image]), "it takes generations"),
        (lambda runs: sdlab.knob_grid(runs, rows="colour"), "'colour' is no knob of a recipe: these generations differ in steps, guidance"),
        (lambda runs: sdlab.knob_grid([*runs, runs[0]]), "two pictures have the same steps 1, guidance 1.0"),
        (lambda runs: sdlab.knob_grid(runs, rows="seed"), "differ in steps, guidance: a grid has two knobs"),
    ],
)
def test_wrong_calls_are_told_in_one_sentence(runs, call, said):
    with pytest.raises((TypeError, ValueError)) as caught:
        call(runs)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)

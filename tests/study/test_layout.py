"""Rules that look at a picture, on pictures of which the answer is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from sdlab.study import layout


def discs(places, colours=("red",), side=96, ground="white", radius=0.09):
    """Discs at places (x, y), 0…1, on an even ground."""
    made = Image.new("RGB", (side, side), ground)
    pen = ImageDraw.Draw(made)
    for (x, y), colour in zip(places, colours * len(places), strict=False):
        box = [(value + sign * radius) * side for sign in (-1, 1) for value in (x, y)]
        pen.ellipse(box, fill=layout.COLOURS[colour])
    return made


@settings(max_examples=20, deadline=None)
@given(x=st.floats(0.15, 0.85), y=st.floats(0.15, 0.85))
def test_a_things_centre_is_where_it_was_drawn(x, y):
    assert np.abs(layout.thing_centres(discs([(x, y)]))[0] - (x, y)).max() < 0.02


@pytest.mark.parametrize("ground", ["white", (60, 140, 70), (30, 30, 35)])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 4])
def test_separate_things_are_counted_and_specks_are_not(count, ground):
    picture = discs([(0.2, 0.2), (0.7, 0.25), (0.25, 0.75), (0.75, 0.7)][:count], ("red", "yellow"), ground=ground)
    picture.putpixel((50, 50), (128, 0, 128))
    assert layout.count_things(picture).tolist() == [count]


def test_each_colour_is_found_at_its_own_place():
    picture = discs([(0.3, 0.2), (0.6, 0.8)], ("red", "blue"))
    assert np.abs(layout.colour_centres(picture, "red")[0] - (0.3, 0.2)).max() < 0.02
    assert np.abs(layout.colour_centres(picture, "blue")[0] - (0.6, 0.8)).max() < 0.02
    assert np.isnan(layout.colour_centres(picture, "green")).all()
    with pytest.raises(ValueError, match="colour is 'crimson': it must be one of red"):
        layout.colour_centres(picture, "crimson")


@pytest.mark.parametrize("colour", [name for name in layout.COLOURS if name != "white"])
def test_the_main_colour_is_that_of_the_thing_and_not_of_the_ground(colour):
    assert layout.main_colours([discs([(0.5, 0.5)], (colour,)), Image.new("RGB", (96, 96), "white")]) == [colour, None]


@pytest.mark.parametrize(("ink", "ground"), [("black", "white"), ("white", "black"), ((200, 30, 30), (240, 230, 120))])
def test_a_written_word_fits_and_others_do_not(ink, ground):
    picture = Image.new("RGB", (128, 128), ground)
    mask = layout.write_word("LOVE", 77).point(lambda value: 255 - value)
    picture.paste(ink, (20, 40), mask)
    fits, other = (layout.word_match(picture, word)[0] for word in ("LOVE", "SALE"))
    assert fits > 0.95 > other + 0.2
    assert layout.word_match(discs([(0.4, 0.4)], side=128), "LOVE")[0] < 0.7

"""The canvas without a browser: what strokes make of the paper, what it begins with, what it keeps, and what it refuses."""

import math
import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from traitlets import TraitError

import sdlab
from pocket.shipping import sketches
from sdlab.display.widgets.beginning import DRAWINGS
from sdlab.display.widgets.strokes import paint

WIDTH, HEIGHT = 48, 32
DASH = {"kind": "paint", "points": [[5.0, 5.0, 2.0], [20.0, 5.0, 2.0]]}
RUB = {"kind": "erase", "points": [[12.0, 5.0, 3.0]]}
CLEAR = {"kind": "clear", "points": []}


@pytest.fixture(scope="module")
def scribble(pipe):
    return sdlab.load("pocket-scribble", device="cpu", base=pipe)


@pytest.fixture
def photo():
    rng = np.random.default_rng(0)
    return Image.fromarray(rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8))


@pytest.fixture
def canvas(photo):
    return sdlab.canvas(photo)


def lit(picture):
    return np.asarray(picture.convert("L")) > 0


def hear(canvas, **state):
    """What the browser sends."""
    canvas.set_state(state)


def distances(points, width, height):
    """How far each pixel's centre lies outside a stroke (H, W); inside it is negative. From the geometry alone, without PIL."""
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    found = [np.hypot(x - px, y - py) - radius for px, py, radius in points]
    for (ax, ay, radius), (bx, by, _) in pairwise(points):
        length = math.hypot(bx - ax, by - ay)
        if length:
            t = np.clip(((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length**2, 0, 1)
            found.append(np.hypot(x - ax - t * (bx - ax), y - ay - t * (by - ay)) - radius)
    return np.min(found, 0)


places = st.tuples(st.floats(-WIDTH / 2, 1.5 * WIDTH), st.floats(-HEIGHT / 2, 1.5 * HEIGHT))
lines = st.builds(lambda pairs, radius: [[x, y, radius] for x, y in pairs], st.lists(places, min_size=1, max_size=5), st.floats(0.5, 12))
strokes = st.one_of(
    st.just(CLEAR), st.builds(lambda kind, points: {"kind": kind, "points": points}, st.sampled_from(("paint", "erase")), lines)
)


@settings(max_examples=100, deadline=None)
@given(lines, st.sampled_from(("paint", "erase")))
def test_a_stroke_changes_the_pixels_that_it_covers_and_no_others(points, kind):
    """A pixel that is half covered may go either way: its centre lies within 0.8 pixels of the edge."""
    before = Image.new("L", (WIDTH, HEIGHT), 0 if kind == "paint" else 255)
    changed = np.asarray(paint(before, [{"kind": kind, "points": points}])) != np.asarray(before)
    distance = distances(points, WIDTH, HEIGHT)
    assert changed[distance < -0.8].all()
    assert not changed[distance > 0.8].any()


@settings(max_examples=50, deadline=None)
@given(st.lists(strokes, max_size=6))
def test_a_paper_knows_two_colours_and_strokes_come_one_after_the_other(drawn):
    paper = Image.new("L", (WIDTH, HEIGHT))
    whole = paint(paper, drawn)
    assert set(np.unique(whole)) <= {0, 255}
    for stroke in drawn:
        paper = paint(paper, [stroke])
    assert whole == paper


@settings(max_examples=50, deadline=None)
@given(st.lists(st.one_of(strokes, st.sampled_from(("undo", "redo"))), max_size=12))
def test_undo_and_redo_are_as_in_every_editor(deeds):
    """Held against the plainest model: a list of all papers there were, and where in it we stand."""
    canvas = sdlab.canvas(Image.new("RGB", (WIDTH, HEIGHT)))
    papers, at = [canvas.mask], 0
    for deed in deeds:
        if deed == "undo":
            canvas.undo()
            at = max(0, at - 1)
        elif deed == "redo":
            canvas.redo()
            at = min(len(papers) - 1, at + 1)
        else:
            canvas._add(deed)
            papers[at + 1 :] = [paint(papers[at], [deed])]
            at += 1
        assert canvas.mask == papers[at]


@pytest.mark.parametrize("at", [10, 10.25, 10.5, 10.75])
@pytest.mark.parametrize("slope", [0, 0.3, 1])
def test_the_thinnest_line_has_no_gap(at, slope):
    drawn = lit(paint(Image.new("L", (40, 60)), [{"kind": "paint", "points": [[2, at, 0.5], [38, at + 36 * slope, 0.5]]}]))
    assert drawn[:, 3:37].any(0).all()


def test_a_press_in_between_makes_a_line_that_swells():
    drawn = lit(paint(Image.new("L", (40, 20)), [{"kind": "paint", "points": [[5, 10, 1], [35, 10, 6]]}]))
    assert list(drawn.sum(0)[[6, 20, 34]]) == sorted(drawn.sum(0)[[6, 20, 34]]) and drawn[:, 20].sum() == pytest.approx(7, abs=1)


def test_a_large_picture_is_painted_at_its_own_size():
    drawn = lit(paint(Image.new("L", (4096, 64)), [{"kind": "paint", "points": [[100, 32, 10], [4000, 32, 10]]}]))
    assert drawn[:, 2000].sum() == pytest.approx(20, abs=1)


def test_a_mask_has_the_size_of_its_picture_whose_pixels_stay(canvas, photo):
    assert canvas.mask.mode == "L" and canvas.mask.size == (WIDTH, HEIGHT) and not lit(canvas.mask).any()
    assert canvas.image == photo
    canvas.stroke([(10, 10), (30, 10)], size=6)
    assert lit(canvas.mask)[7:13, 10:30].all() and not lit(canvas.mask)[:6].any()
    assert canvas.image == photo


def test_a_sketch_has_the_native_side_and_is_white_on_black(scribble):
    canvas = sdlab.canvas(scribble)
    side = sdlab.native_side(scribble)
    assert canvas.sketch.mode == "RGB" and canvas.sketch.size == (side, side) == sdlab.canvas().sketch.size
    canvas.stroke([(2, side / 2), (side - 2, side / 2)])
    assert canvas.sketch.getpixel((side // 2, side // 2)) == (255, 255, 255)
    assert lit(canvas.sketch)[:, side // 2].sum() == canvas.brush == side / 32


def test_what_the_browser_sends_is_what_python_draws(canvas):
    hear(canvas, strokes=[DASH, RUB], undone=[])
    drawn = lit(canvas.mask)
    assert drawn[4, 6] and not drawn[4, 12] and drawn[4, 18]
    hear(canvas, strokes=[DASH], undone=[RUB])
    assert lit(canvas.mask)[4, 12]
    canvas.redo()
    assert (lit(canvas.mask) == drawn).all()
    assert canvas.heard == 2


def test_a_message_that_makes_no_sense_changes_nothing(canvas):
    hear(canvas, strokes=[DASH])
    before = canvas.mask
    for broken in ([{"kind": "paint"}], [DASH | {"points": [[1, 2, math.nan]]}], [DASH | {"points": [[1, 2, -1]]}], [3]):
        with pytest.raises(TraitError, match="stroke"):
            hear(canvas, strokes=broken)
        assert canvas.mask == before and canvas.strokes == [DASH]


def test_clear_empties_the_paper_and_undo_brings_it_back():
    canvas = sdlab.canvas(start="fish")
    fish = canvas.sketch
    canvas.stroke([(10, 10)], size=5)
    canvas.clear()
    assert not lit(canvas.sketch).any()
    canvas.stroke([(20, 20)], size=5)
    assert lit(canvas.sketch).sum() == pytest.approx(math.pi * 2.5**2, abs=4)
    for _ in range(3):
        canvas.undo()
    assert canvas.sketch == fish and len(canvas.undone) == 3
    canvas.undo()
    canvas.stroke([(10, 10)])
    assert canvas.undone == []  # what was undone is gone once something else is drawn
    canvas.redo()


def test_without_a_stroke_it_is_what_it_began_with(tmp_path, photo):
    drawing = Image.new("L", (WIDTH, HEIGHT))
    drawing.paste(255, (5, 5, 20, 15))
    drawing.save(tmp_path / "mask.png")
    for start in (tmp_path / "mask.png", str(tmp_path / "mask.png"), drawing, np.asarray(drawing)):
        assert sdlab.canvas(photo, start=start).mask == drawing
    grey = drawing.point(lambda value: 140 if value else 100)
    assert sdlab.canvas(photo, start=grey).mask == drawing  # a mask knows two colours
    wide = sdlab.canvas(start=drawing).sketch  # and is fitted in, between two black bars
    assert lit(wide).any() and not lit(wide)[: wide.height // 8].any()


def test_a_sketch_on_white_paper_is_told_of():
    with pytest.warns(UserWarning, match="start is mostly white") as told:
        sdlab.canvas(start=Image.new("L", (64, 64), 255))
    assert told[0].filename == __file__


def test_an_eraser_takes_from_the_start_too():
    canvas = sdlab.canvas(start="house")
    side = canvas.sketch.width
    canvas.stroke([(0, side / 2), (side, side / 2)], size=side, erase=True)
    assert not lit(canvas.sketch)[side // 4 : -side // 4].any()


@pytest.mark.parametrize("name", sketches.SKETCHES)
def test_every_drawing_that_ships_is_our_own_and_small(name):
    file = DRAWINGS[name]
    assert Image.open(file).copy() == sketches.draw(name) and file.stat().st_size < 10_000
    assert 0.05 < np.mean(np.asarray(sdlab.canvas(start=name).sketch) > 127) < 0.3
    assert set(DRAWINGS) == set(sketches.SKETCHES)


def test_what_is_drawn_is_kept_and_nothing_is_overwritten(canvas, photo, tmp_path):
    canvas.stroke([(10, 10)])
    file = canvas.save(tmp_path / "new" / "mask.png")
    assert file == tmp_path / "new" / "mask.png" and sdlab.canvas(photo, start=file).mask == canvas.mask
    assert canvas.save(file) == file  # it is there already
    canvas.stroke([(30, 10)])
    assert canvas.save(str(file)) == file.with_name("mask-2.png")
    (tmp_path / "notes.png").write_text("no picture", encoding="utf-8")
    assert canvas.save(tmp_path / "notes.png").name == "notes-2.png"
    assert sorted(path.name for path in tmp_path.rglob("*.*")) == ["mask-2.png", "mask.png", "notes-2.png", "notes.png"]


def test_a_place_that_takes_no_file_is_told_of(canvas, tmp_path):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(OSError, match=r"cannot be made .*: choose another folder"):
        canvas.save(tmp_path / "file" / "mask.png")


def test_a_sketch_and_a_mask_are_ingredients_of_a_picture(pipe, scribble, recipe):
    drawn = sdlab.canvas(scribble, start="cat")
    drawn.stroke([(5, 5), (20, 5)])
    run = sdlab.generate(scribble, "a cat, cartoon", sketch=drawn.sketch, steps=2, seed=3, progress=False)
    assert run.recipe.sketch.picture == drawn.sketch
    begun = sdlab.generate(pipe, recipe, progress=False)
    over = sdlab.canvas(begun)
    with pytest.raises(ValueError, match="mask is black everywhere"):
        sdlab.generate(pipe, recipe, image=over.image, mask=over.mask, progress=False)
    over.stroke([(over.mask.width / 2, over.mask.height / 2)], size=20)
    run = sdlab.generate(pipe, recipe, image=over.image, mask=over.mask, steps=2, seed=4, progress=False)
    changed = (np.asarray(run.image) != np.asarray(begun.image)).any(-1)
    assert changed[lit(over.mask)].any()
    assert not changed[:16, :16].any()


def test_a_page_gets_the_drawing_as_it_is_now_and_loads_nothing(canvas):
    class Handle:
        def update(self, data, raw):
            self.html = data["text/html"]

    handle = Handle()
    canvas._stills.append(handle)
    hear(canvas, strokes=[DASH, CLEAR, DASH, RUB])
    data, _ = canvas._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data and data["text/plain"] == canvas.alt == "a mask"
    for page in (data["text/html"], handle.html):
        assert "mask of 48×32 pixels · 2 strokes" in page and "<script" not in page
        assert not re.search(r"https?:|src=(?!\"data:)|@import|url\(", page)
    assert canvas.still() != sdlab.canvas(canvas.image).still()
    assert "a mask with nothing on it yet" in sdlab.canvas(canvas.image).still()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda c: sdlab.canvas(3), "source is 3: give a pipeline to draw a sketch, or a picture to draw a mask over"),
        (lambda c: sdlab.canvas("nowhere.png"), "source is 'nowhere.png', and there is no such file"),
        (lambda c: sdlab.canvas(c.image, start="dog"), "start is 'dog': no drawing ships under this name; choose one of cat, fish, house"),
        (lambda c: sdlab.canvas(start="dog.png"), "start is 'dog.png', and there is no such file"),
        (lambda c: sdlab.canvas(start=3), "start is 3: give a file"),
        (lambda c: c.sketch, "canvas.sketch was asked for, and a mask is drawn here: give mask=canvas.mask"),
        (lambda c: sdlab.canvas().mask, "canvas.mask was asked for, and a sketch is drawn here: give sketch=canvas.sketch"),
        (lambda c: sdlab.canvas().image, "canvas.image was asked for, and a sketch is drawn here: give sketch=canvas.sketch"),
        (lambda c: c.stroke([1, 2]), "points is [1, 2] and size None: give pairs of numbers"),
        (lambda c: c.stroke([(1, 2)], size="thick"), "size 'thick': give pairs of numbers and a number"),
        (lambda c: c.stroke([]), "give one or more to paint and to erase"),
        (lambda c: c.stroke([(1, 2)], size=0), "a stroke has the radius 0: it must be above 0 and at most 48"),
        (lambda c: c.stroke([(1, 2000)]), "a stroke goes to (1, 2000), far outside the picture of 48×32 pixels"),
        (lambda c: c.stroke([(1, math.inf)]), "it must be three finite numbers"),
        (lambda c: c.save("mask.jpg"), "path is 'mask.jpg': it must end in .png"),
        (lambda c: c.save(".png"), "path is '.png': it must end in .png"),
        (lambda c: c.save(3), "path is 3: give the name of a file"),
    ],
)
def test_wrong_calls_are_told_in_one_sentence(canvas, call, said):
    with pytest.raises((TypeError, ValueError, OSError, AttributeError)) as caught:
        call(canvas)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)

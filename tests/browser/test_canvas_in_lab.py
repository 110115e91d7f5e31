"""The canvas in a real JupyterLab: drawn on by mouse, pen and finger, undone and cleared; and what the kernel has of it."""

import re
import shutil

import nbformat
import pytest

from tests.browser.conftest import PATIENCE, open_in_lab, save

pytestmark = [pytest.mark.slow, pytest.mark.browser]

CELLS = (
    """import numpy as np
from IPython.display import display
import sdlab
pipe = sdlab.load("pocket-scribble", device="cpu")
base = sdlab.load("pocket", device="cpu")
begun = sdlab.generate(base, "a lion on the beach, cartoon", seed=3, steps=4, progress=False)
lit = lambda picture: round(100 * float((np.asarray(picture.convert("L")) > 127).mean()), 1)""",
    "drawn = sdlab.canvas(pipe)\ndrawn",
    "over = sdlab.canvas(begun)\nover",
    "fish = sdlab.canvas(pipe, start='fish')\nfish",
    "print('all cells ' + 'have run')",
)
PAPER = ".sdlab-canvas:visible"


@pytest.fixture(scope="module")
def lab_page(lab, browser):
    """A notebook with a sketch, a mask and a fish, open in JupyterLab and run."""
    folder, address = lab
    cells = [nbformat.v4.new_code_cell(cell) for cell in CELLS]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    file = folder / "canvas.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), file)
    page = open_in_lab(browser, address, file)
    page.set_viewport_size({"width": 1280, "height": 720})
    page.evaluate("void jupyterapp.commands.execute('notebook:run-all-cells')")
    page.wait_for_selector("text=all cells have run", state="attached")
    yield page, file
    page.close()


@pytest.fixture
def page(lab_page):
    return lab_page[0]


@pytest.fixture
def sketch(page):
    return fresh(page, 0)


@pytest.fixture
def mask(page):
    return fresh(page, 1)


@pytest.fixture
def fish(page):
    return fresh(page, 2)


def fresh(page, number):
    """One of the three canvases in sight, with every stroke undone."""
    canvas = page.locator(PAPER).nth(number)
    canvas.scroll_into_view_if_needed()
    press(canvas, "Brush")
    while canvas.get_by_role("button", name="Undo").get_attribute("aria-disabled") == "false":
        press(canvas, "Undo")
    return canvas


def press(canvas, name):
    canvas.get_by_role("button", name=name, exact=True).click()


def at(canvas, x, y):
    """Where a point of the paper, in shares of its sides, is on the page."""
    box = canvas.locator(".sdlab-paper").bounding_box()
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def drag(page, canvas, *points):
    """Draw a line with the mouse."""
    page.mouse.move(*at(canvas, *points[0]))
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*at(canvas, *point), steps=8)
    page.mouse.up()


def ask(page, code):
    """What the kernel says to an expression, once it has heard of every stroke."""
    said = page.evaluate(
        """async (code) => {
          const said = [], kernel = jupyterapp.shell.currentWidget.sessionContext.session.kernel;
          const asked = kernel.requestExecute({ code: `print(${code})`, store_history: false });
          asked.onIOPub = ({ content }) => said.push(content.text ?? content.evalue ?? "");
          await asked.done;
          return said.join("");
        }""",
        code,
    )
    return said.strip()


def result(canvas, strokes):
    """What the kernel makes of so many strokes, as the canvas shows it beside the paper."""
    canvas.locator("figcaption").filter(has_text=re.compile(rf"\b{strokes} strokes?$")).wait_for()
    canvas.locator(".sdlab-result img:not(.sdlab-late)").wait_for()
    return canvas.locator(".sdlab-result img").get_attribute("src")


def is_on(canvas, name):
    return canvas.get_by_role("button", name=name, exact=True).get_attribute("aria-disabled") == "false"


def seen(canvas, x, y):
    """How much ink the paper shows there, 0 to 255."""
    return canvas.locator(".sdlab-paper canvas").evaluate(
        """(layer, [x, y]) => layer.getContext("2d").getImageData(x * layer.width, y * layer.height, 1, 1).data[3]""", [x, y]
    )


def test_a_sketch_is_drawn_undone_redone_and_cleared(page, sketch, look):
    empty = result(sketch, 0)
    assert sketch.get_by_text("draw here").is_visible() and not is_on(sketch, "Undo") and not is_on(sketch, "Clear")
    drag(page, sketch, (0.1, 0.5), (0.9, 0.5))
    one = result(sketch, 1)
    assert one != empty and not sketch.get_by_text("draw here").is_visible()
    drag(page, sketch, (0.5, 0.1), (0.5, 0.9))
    two = result(sketch, 2)
    side = int(ask(page, "drawn.sketch.width"))
    pixel = "drawn.sketch.getpixel((drawn.sketch.width * {} // 8, drawn.sketch.height * {} // 8))"
    assert ask(page, pixel.format(2, 4)) == ask(page, pixel.format(4, 2)) == "(255, 255, 255)"
    assert ask(page, pixel.format(2, 2)) == "(0, 0, 0)"
    assert float(ask(page, "lit(drawn.sketch)")) == pytest.approx(100 * 1.6 / 32, abs=1)  # two lines of 0.8 sides, each a 32nd thick
    press(sketch, "Undo")
    assert result(sketch, 1) == one and ask(page, pixel.format(4, 2)) == "(0, 0, 0)"
    press(sketch, "Redo")
    assert result(sketch, 2) == two and not is_on(sketch, "Redo")
    press(sketch, "Clear")
    assert result(sketch, 0) == empty and ask(page, "lit(drawn.sketch)") == "0.0" and seen(sketch, 0.25, 0.5) == 0
    press(sketch, "Undo")
    assert result(sketch, 2) == two and seen(sketch, 0.25, 0.5) == 255
    assert (side, side) == tuple(map(int, re.findall(r"\d+", sketch.locator("figcaption").inner_text())[:2]))
    look(page, "canvas-sketch")


def test_the_eraser_and_the_size_of_the_brush(page, sketch):
    drag(page, sketch, (0.1, 0.5), (0.9, 0.5))
    thin = float(ask(page, "lit(drawn.sketch)"))
    sketch.get_by_label("brush size").focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    drag(page, sketch, (0.1, 0.2), (0.9, 0.2))
    assert float(ask(page, "lit(drawn.sketch)")) > 2.4 * thin
    press(sketch, "Eraser")
    drag(page, sketch, (0.5, 0.1), (0.5, 0.9))
    result(sketch, 3)
    assert seen(sketch, 0.5, 0.5) == 0 and seen(sketch, 0.25, 0.5) == 255
    middle = "[drawn.sketch.getpixel((drawn.sketch.width // n, drawn.sketch.height // 2))[0] for n in (2, 4)]"
    assert ask(page, middle) == "[0, 255]"


def test_the_keyboard_reaches_everything_and_lab_does_not_take_its_keys(page, sketch):
    drag(page, sketch, (0.2, 0.2), (0.8, 0.8))
    cells = page.evaluate("jupyterapp.shell.currentWidget.content.widgets.length")
    page.keyboard.press("Control+z")  # the paper has the focus since it was drawn on
    result(sketch, 0)
    page.keyboard.press("Control+Shift+Z")
    result(sketch, 1)
    before = sketch.locator("label span").inner_text()
    page.keyboard.press("]")
    assert sketch.locator("label span").inner_text() != before
    page.keyboard.press("[")
    assert sketch.locator("label span").inner_text() == before
    names = []
    for _ in range(6):
        page.keyboard.press("Tab")
        names.append(page.evaluate("document.activeElement.name"))
    assert names == ["brush", "eraser", "size", "undo", "redo", "clear"]
    page.keyboard.press("Enter")
    result(sketch, 0)
    assert page.evaluate("jupyterapp.shell.currentWidget.content.widgets.length") == cells


def test_a_pen_that_presses_draws_a_thicker_line_and_its_other_end_erases(page, sketch):
    devices = page.context.new_cdp_session(page)

    def draw(y, force):
        for kind, x in (("mousePressed", 0.2), *(("mouseMoved", 0.2 + 0.05 * step) for step in range(1, 13)), ("mouseReleased", 0.8)):
            left, top = at(sketch, x, y)
            pen = {"pointerType": "pen", "force": force, "button": "left", "buttons": int(kind != "mouseReleased"), "clickCount": 1}
            devices.send("Input.dispatchMouseEvent", {"type": kind, "x": left, "y": top, **pen})

    draw(0.3, 0.1)
    result(sketch, 1)
    draw(0.6, 1.0)
    result(sketch, 2)
    radii = ask(page, "[max(point[2] for point in stroke['points'][:-1]) / drawn.brush for stroke in drawn.strokes]")
    assert [round(float(radius), 1) for radius in re.findall(r"[\d.]+", radii)] == [0.3, 0.8]


def test_a_finger_draws_and_does_not_scroll(page, sketch):
    devices = page.context.new_cdp_session(page)
    top = at(sketch, 0, 0)

    def touch(kind, *points):
        spots = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
        devices.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": spots})

    touch("touchStart", at(sketch, 0.5, 0.8))
    for step in range(1, 9):
        touch("touchMove", at(sketch, 0.5, 0.8 - 0.075 * step))
    touch("touchMove", at(sketch, 0.5, 0.2), at(sketch, 0.1, 0.1))  # a second finger is not part of it
    touch("touchEnd")
    result(sketch, 1)
    assert at(sketch, 0, 0) == top
    assert seen(sketch, 0.5, 0.5) == 255 and seen(sketch, 0.3, 0.15) == 0
    assert 7 <= int(ask(page, "len(drawn.strokes[0]['points'])")) <= 11


def test_a_mask_lies_over_its_picture_and_is_drawn_anew(page, mask, look):
    mask.get_by_label("brush size").fill("24")
    drag(page, mask, (0.3, 0.35), (0.7, 0.35), (0.3, 0.55), (0.7, 0.55))
    result(mask, 1)
    assert ask(page, "over.mask.mode, over.mask.size == begun.image.size") == "L True"
    assert 15 < float(ask(page, "lit(over.mask)")) < 45
    made = "sdlab.generate(base, 'a fox on the beach, cartoon', image=over.image, mask=over.mask, steps=2, progress=False).image"
    changed = f"(np.asarray({made}) != np.asarray(begun.image)).any(-1)"
    assert ask(page, f"(lambda new: (bool(new[np.asarray(over.mask) > 0].any()), bool(new[-8:].any())))({changed})") == "(True, False)"
    look(page, "canvas-mask")


def test_a_sketch_becomes_a_picture(page, fish, look):
    result(fish, 0)
    assert not fish.get_by_text("draw here").is_visible()
    before = float(ask(page, "lit(fish.sketch)"))
    drag(page, fish, (0.1, 0.9), (0.9, 0.9))
    result(fish, 1)
    assert float(ask(page, "lit(fish.sketch)")) > before > 3
    made = "sdlab.generate(pipe, 'a fish, cartoon', sketch=fish.sketch, steps=2, progress=False)"
    assert (
        ask(page, f"(lambda run: (run.image.size == fish.sketch.size, run.recipe.sketch.picture == fish.sketch))({made})") == "(True, True)"
    )
    look(page, "canvas-fish")


def test_in_the_dark_theme_the_paper_is_dark(page, fish, look):
    filters = "canvas => getComputedStyle(canvas).filter"
    assert fish.locator("canvas").evaluate(filters) == "invert(1)"
    page.evaluate("jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})")
    page.wait_for_selector("body[data-jp-theme-light=false]", state="attached")
    page.wait_for_selector("#jupyterlab-splash", state="detached")
    assert fish.locator("canvas").evaluate(filters) == "none"
    drag(page, fish, (0.1, 0.9), (0.9, 0.9))
    look(page, "canvas-fish-dark")
    page.locator(PAPER).nth(1).scroll_into_view_if_needed()
    look(page, "canvas-mask-dark")
    page.evaluate("jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Light'})")
    page.wait_for_selector("body[data-jp-theme-light=true]", state="attached")


def test_on_a_fine_screen_the_paper_has_its_pixels(page, sketch):
    drag(page, sketch, (0.2, 0.2), (0.8, 0.2))
    wide = "layer => layer.width / layer.clientWidth"
    devices = page.context.new_cdp_session(page)
    devices.send("Emulation.setDeviceMetricsOverride", {"width": 1280, "height": 720, "deviceScaleFactor": 2, "mobile": False})
    page.mouse.move(*at(sketch, 0.5, 1.2))
    page.mouse.move(*at(sketch, 0.5, 0.5))
    page.wait_for_function("document.querySelector('.sdlab-paper canvas').width > 600")
    assert sketch.locator("canvas").evaluate(wide) == pytest.approx(2, abs=0.01) and seen(sketch, 0.5, 0.2) == 255
    devices.send("Emulation.clearDeviceMetricsOverride")


def test_a_notebook_that_is_opened_again_can_undo_without_its_kernel(lab_page, lab, browser, fish):
    """With JupyterLab's setting to save the state of widgets."""
    page, file = lab_page
    drag(page, fish, (0.1, 0.9), (0.9, 0.9))
    result(fish, 1)
    keeping = "void jupyterapp.commands.execute('@jupyter-widgets/jupyterlab-manager:saveWidgetState')"
    page.evaluate(keeping)
    page.wait_for_timeout(1000)
    save(page)
    opened = open_in_lab(browser, lab[1], shutil.copy(file, file.with_name("reopened canvas.ipynb")))
    page.evaluate(keeping)
    again = opened.locator(PAPER).nth(2)
    again.locator("figcaption").filter(has_text="1 stroke").wait_for(timeout=PATIENCE)
    again.scroll_into_view_if_needed()
    opened.wait_for_function("document.querySelectorAll('.sdlab-paper canvas')[2].width > 300")
    assert seen(again, 0.5, 0.9) == 255
    press(again, "Undo")
    again.locator("figcaption").filter(has_text="0 strokes").wait_for()
    assert seen(again, 0.5, 0.9) == 0 and is_on(again, "Redo")
    opened.close()


def test_an_exported_page_and_a_notebook_without_state_show_the_drawing(lab_page, lab, browser, sketch, tmp_path, look):
    from docs.tools.publish import STYLE, make_exporter

    page, file = lab_page
    drag(page, sketch, (0.1, 0.5), (0.9, 0.5), (0.5, 0.1))
    result(sketch, 1)
    save(page)
    body, _ = make_exporter().from_filename(str(file))
    head = f'<!doctype html><meta charset="utf-8"><style>{STYLE}</style>'
    (tmp_path / "page.html").write_text(f"{head}<main>{body}</main>", encoding="utf-8")
    opened = browser.new_page(viewport={"width": 1280, "height": 720})
    opened.goto((tmp_path / "page.html").as_uri())
    stills = opened.locator(".sdlab-drawing:visible")
    assert stills.count() == 3
    assert re.fullmatch(r"sketch of \d+×\d+ pixels · 1 stroke", stills.nth(0).locator("figcaption").inner_text())
    assert stills.nth(0).locator("img").get_attribute("alt") == "a sketch"
    stills.nth(0).scroll_into_view_if_needed()
    look(opened, "canvas-exported")
    opened.close()

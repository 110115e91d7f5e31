"""The widgets in a real JupyterLab: knobs are turned, buttons pressed, pictures seen; and the page that is exported from it."""

import re

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.browser]


@pytest.fixture
def lab_page(notebook):
    return notebook[0]


@pytest.fixture
def panel(lab_page):
    panel = lab_page.locator("form.sdlab-panel")
    panel.locator("[name=draw][aria-disabled=false]").wait_for()
    return panel


def expect(locator, said):
    """Wait until the text of what is located matches."""
    locator.filter(has_text=re.compile(said)).wait_for()


def draw(panel, **knobs):
    """Set knobs by their names, press the button, wait for the picture: its source."""
    for name, value in knobs.items():
        panel.locator(f"[name={name}]").fill(str(value))
    before = panel.locator(".sdlab-made button").count()
    panel.get_by_role("button", name="Draw").click()
    panel.locator(".sdlab-made button").nth(before).wait_for()
    panel.locator("[name=draw][aria-disabled=false]").wait_for()
    return panel.locator(".sdlab-pictures img").get_attribute("src")


def test_a_knob_is_turned_and_another_picture_comes(panel, lab_page, look):
    first = draw(panel, guidance=4, steps=4, seed=7)
    slider = panel.get_by_label("guidance", exact=True)
    slider.focus()
    for _ in range(4):
        lab_page.keyboard.press("ArrowRight")
    assert panel.locator("[name=guidance]").input_value() == "6"  # by half a unit a press
    second = draw(panel)
    assert second != first
    expect(panel.locator("figcaption"), "4 steps · guidance 6 · seed 7")
    assert panel.locator(".sdlab-pictures img").get_attribute("alt") == "a lion on the beach, cartoon"
    look(panel, "panel")
    look(lab_page, "panel-in-lab")


def test_the_arrow_keys_belong_to_the_slider_and_not_to_the_notebook(panel, lab_page):
    active = "jupyterapp.shell.currentWidget.content.activeCellIndex"
    slider = panel.get_by_label("steps", exact=True)
    slider.click()
    before, value = lab_page.evaluate(active), slider.input_value()
    lab_page.keyboard.press("ArrowDown")
    lab_page.keyboard.press("ArrowDown")
    assert lab_page.evaluate(active) == before
    assert slider.input_value() != value


def test_a_picture_that_was_made_comes_back_with_its_knobs(panel):
    first = draw(panel, steps=3, seed=11)
    second = draw(panel, steps=2, seed=12)
    assert second != first
    panel.locator(".sdlab-made button").nth(-2).click()
    expect(panel.locator("figcaption"), "3 steps .* seed 11")
    assert panel.locator(".sdlab-pictures img").get_attribute("src") == first
    assert panel.locator("[name=seed]").input_value() == "11"


def test_the_stop_button_stops(panel, look):
    made = panel.locator(".sdlab-made button").count()
    panel.locator("[name=steps]").fill("1000")
    panel.get_by_role("button", name="Draw").click()
    expect(panel.locator("figcaption"), "on its way")  # a look at the unfinished picture
    look(panel, "panel-drawing")
    panel.get_by_role("button", name="Stop").click()
    expect(panel.locator("[role=status]"), r"stopped after step \d+ of 1000")
    expect(panel.locator("figcaption"), "unfinished: stopped after step")
    assert panel.locator(".sdlab-made button").count() == made
    draw(panel, steps=2)  # and it draws again


def test_what_is_wrong_is_said_in_the_panel_and_the_picture_stays(panel, look):
    last = draw(panel, steps=2)
    panel.locator("[name=seed]").fill("seven")
    panel.get_by_role("button", name="Draw").click()
    expect(panel.locator("[role=alert]"), "^Seed is 'seven': it must be a whole number")
    assert panel.locator(".sdlab-pictures img").get_attribute("src") == last
    look(panel, "panel-error")
    draw(panel, seed=7)
    assert panel.locator("[role=alert]").inner_text() == ""


def leaf_through(page, film, seen="img:not([hidden])"):
    """Press the arrow key until the first frame: the captions on the way, and how many different pictures there were."""
    slider, captions, sources = film.get_by_role("slider"), [], set()
    slider.focus()
    page.keyboard.press("End")
    for _ in range(int(slider.get_attribute("max")) + 1):
        captions.append(film.locator("figcaption").inner_text())
        sources.add(film.locator(seen).get_attribute("src"))
        page.keyboard.press("ArrowLeft")
    return captions, len(sources)


STEPS, GUIDANCE = [f"step {i} of 4" for i in (4, 3, 2, 1)], ["guidance 9", "guidance 4", "guidance 1"]


def test_films_are_leafed_through_and_played(lab_page, look):
    film, sweep = lab_page.locator(".sdlab-scrub:visible").all()
    assert leaf_through(lab_page, film) == (STEPS, 4)
    assert leaf_through(lab_page, sweep) == (GUIDANCE, 3)
    film.get_by_role("button", name="play").click()
    expect(film.locator("figcaption"), "step 4 of 4")
    film.locator("button[aria-pressed=false]").wait_for()
    look(film, "scrub-film")
    look(sweep, "scrub-sweep")


def uncovered(pair):
    """The share of the width, in per cent, that shows the first picture."""
    return pair.locator(".sdlab-stage").evaluate("stage => parseFloat(getComputedStyle(stage).getPropertyValue('--at'))")


def test_two_pictures_are_compared_by_pointer_and_by_keys(lab_page, look):
    pair = lab_page.locator(".sdlab-compare:visible")
    pair.scroll_into_view_if_needed()
    box = pair.locator(".sdlab-stage").bounding_box()
    lab_page.mouse.click(box["x"] + 0.2 * box["width"], box["y"] + 20)
    assert abs(uncovered(pair) - 20) < 6
    before = uncovered(pair)
    lab_page.keyboard.press("ArrowRight")
    assert uncovered(pair) == before + 1
    look(pair, "compare")


def test_a_figure_has_an_alt_text_in_jupyterlab(lab_page):
    shown = lab_page.locator("img.sdlab-figure")
    assert shown.get_attribute("alt") == "a lion on the beach, cartoon: 3 pictures: guidance 1; guidance 4; guidance 9"


def works_without_a_kernel(page, panel):
    """Every widget on the page works as it can; of the panel there is the last picture."""
    film, sweep = page.locator(".sdlab-scrub:visible").all()
    assert leaf_through(page, film) == (STEPS, 4)
    assert leaf_through(page, sweep) == (GUIDANCE, 3)
    pair = page.locator(".sdlab-compare")
    pair.get_by_role("slider").press("ArrowLeft")
    assert uncovered(pair) == 49
    [still] = page.locator(".sdlab-drawn").all()
    assert still.locator("img").get_attribute("src") == panel.locator(".sdlab-pictures img").get_attribute("src")
    assert still.locator("figcaption").inner_text() == panel.locator("figcaption").inner_text()


def test_the_exported_page_needs_no_kernel(panel, exported, look):
    works_without_a_kernel(exported, panel)
    for kind in (".sdlab-drawn", ".sdlab-scrub >> nth=1", ".sdlab-figure"):
        exported.locator(kind).scroll_into_view_if_needed()
        look(exported, f"exported{kind.partition(' ')[0].replace('.sdlab', '')}")


def test_a_notebook_that_is_opened_again_needs_no_kernel(panel, reopened, look):
    works_without_a_kernel(reopened, panel)
    look(reopened, "reopened")


def test_in_the_dark_theme_letters_stay_light(panel, lab_page, look):
    lab_page.evaluate("jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})")
    lab_page.wait_for_selector("body[data-jp-theme-light=false]", state="attached")
    lab_page.wait_for_selector("#jupyterlab-splash", state="detached")
    ink = panel.evaluate("form => getComputedStyle(form).color").replace(" ", "")
    assert min(map(float, re.findall(r"[\d.]+", ink)[:3])) > 180, ink
    for kind in ("panel", "compare"):
        lab_page.locator(f".sdlab-{kind}:visible").scroll_into_view_if_needed()
        look(lab_page, f"{kind}-dark")
    lab_page.evaluate("jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Light'})")
    lab_page.wait_for_selector("body[data-jp-theme-light=true]", state="attached")

"""The panel without a browser: its messages, its thread, its stop."""

import _thread
import signal
import threading
import time

import numpy as np
import pytest

import sdlab
from sdlab.display.widgets.drawing import Drawing, Stopped

LONG = 60  # seconds to wait for what takes one


@pytest.fixture
def panel(pipe, recipe):
    return sdlab.panel(pipe, recipe.but(steps=2))


def press(panel, kind, **knobs):
    """What the browser sends when a button is pressed."""
    values = {name: getattr(panel, name) for name in ("prompt", "negative_prompt", "guidance", "steps", "seed", "sampler")}
    panel._hear(panel, {"kind": kind, "values": values | knobs}, [])


def wait_for(condition):
    end = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def test_with_a_recipe_its_picture_is_there_at_once(panel, pipe, recipe):
    [run] = panel.generations
    assert (np.asarray(run.image) == np.asarray(sdlab.generate(pipe, recipe.but(steps=2), progress=False).image)).all()
    assert panel.alt == recipe.prompt and panel.caption.startswith(f"{recipe.prompt} · 2 steps · guidance 4 · seed 7 · DDIM")
    assert panel.pictures[0] in panel.still() and panel.caption in panel.still()
    assert panel.status.startswith("done in")


def test_without_a_recipe_it_waits(pipe):
    panel = sdlab.panel(pipe)
    assert panel.generations == [] and panel.pictures == [] and not panel.drawing
    assert "No picture yet" in panel.still()
    assert panel.recipe.prompt and panel.recipe.steps == 25  # where the knobs stand


def test_the_button_draws_what_the_knobs_say_and_every_picture_stays(panel):
    press(panel, "draw", guidance=1, seed="123456789012345678", sampler="Euler", negative_prompt="blurry")
    panel.wait()
    made = panel.generations[1].recipe
    assert (made.guidance, made.seed, made.sampler, made.negative_prompt) == (1, 123456789012345678, "Euler", "blurry")
    assert len(panel.generations) == len(panel.made) == 2 and panel.shown == 1
    panel._hear(panel, {"kind": "recall", "index": 0}, [])
    assert panel.shown == 0 and panel.recipe.but(model=None) == panel.generations[0].recipe.but(model=None)
    panel._hear(panel, {"kind": "recall", "index": 99}, [])
    assert panel.shown == 0


def test_a_knob_that_is_turned_is_known_before_the_button_is_pressed(panel):
    press(panel, "set", steps=None, guidance=2.5)
    assert panel.recipe.steps is None and panel.recipe.guidance == 2.5
    assert len(panel.generations) == 1


def test_stop_stops_after_a_step_and_says_so(panel, pipe):
    own = pipe.scheduler
    press(panel, "draw", steps=1000, sampler="Euler")
    wait_for(lambda: panel.step >= 2 and panel.caption == "on its way …")
    press(panel, "draw", seed="9")  # the button is deaf while a picture is made
    press(panel, "stop")
    panel.wait(LONG)
    assert not panel.drawing and panel.step < 900
    assert panel.status == f"stopped after step {panel.step} of 1000"
    assert panel.caption.startswith("unfinished") and len(panel.pictures) == 1
    assert len(panel.generations) == 1 and pipe.scheduler is own
    press(panel, "draw", steps=2)
    panel.wait()
    assert len(panel.generations) == 2


def test_an_interrupt_of_the_cell_stops_the_picture(panel):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a program started in the background is deaf to it
    try:
        panel.steps = 1000
        panel.draw()
        wait_for(lambda: panel.step)
        threading.Timer(0.2, _thread.interrupt_main).start()
        panel.wait()
    finally:
        signal.signal(signal.SIGINT, before)
    assert panel.status.startswith("stopped after step")


@pytest.mark.parametrize(
    ("knobs", "said"),
    [
        ({"seed": "seven"}, "Seed is 'seven': it must be a whole number"),
        ({"seed": ""}, "Seed is '': it must be a whole number"),
        ({"prompt": " "}, "Prompt is ' ': it must say what to draw"),
        ({"steps": 2.5}, "Steps is 2.5: it must be a whole number"),
        ({"prompt": "lion " * 200}, "Prompt is longer than 75 tokens"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence_and_the_picture_stays(panel, knobs, said):
    before = panel.pictures
    press(panel, "draw", **knobs)
    panel.wait()
    assert panel.error.startswith(said) and "\n" not in panel.error
    assert not panel.drawing and panel.pictures == before
    with pytest.raises((TypeError, ValueError)):
        raise panel.failure
    press(panel, "draw", prompt="a fox", steps=1, seed="1")
    panel.wait()
    assert panel.error == "" and panel.failure is None


def test_what_breaks_on_the_way_is_said_too(panel, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("out of memory\nwith a long report")

    monkeypatch.setattr("sdlab.display.widgets.drawing.generate", fail)
    panel.draw()
    panel.wait()
    assert panel.error == "Out of memory" and not panel.drawing


def test_the_still_follows_the_picture(panel):
    class Handle:
        def update(self, data, raw):
            self.html = data["text/html"]

    handle = Handle()
    panel._stills.append(handle)
    press(panel, "draw", seed="8")
    panel.wait()
    assert panel.pictures[0] in handle.html and "seed 8" in handle.html


def test_a_panel_and_a_cell_take_turns(panel, pipe, recipe):
    """Both draw with one pipeline, whose sampler each of them changes."""
    alone = sdlab.generate(pipe, recipe.but(sampler="Euler"), progress=False)
    press(panel, "draw", steps=20, sampler="DPM++ 2M")
    wait_for(lambda: panel.step)
    beside = sdlab.generate(pipe, recipe.but(sampler="Euler"), progress=False)
    assert sdlab.generate(pipe, "a fox", steps=1, progress=False).recipe.sampler == "DDIM"  # the pipeline's own
    panel.wait()
    assert (np.asarray(beside.image) == np.asarray(alone.image)).all()
    assert panel.generations[-1].recipe.sampler == "DPM++ 2M"


def test_looks_take_a_small_share_of_the_time(pipe, recipe):
    looks, ends = [], []
    drawing = Drawing(pipe, recipe.but(steps=40), lambda step, image: looks.append(image), lambda *end: ends.append(end))
    drawing.start()
    drawing.wait(LONG)
    [(run, error)] = ends
    assert error is None and run.recipe.steps == 40
    assert len(looks) == 40 and 1 <= sum(image is not None for image in looks) < 20


def test_a_stop_before_the_first_step_is_heard(pipe, recipe):
    ends = []
    drawing = Drawing(pipe, recipe.but(steps=500), lambda *_: None, lambda *end: ends.append(end))
    drawing.stop()
    drawing.start()
    drawing.wait(LONG)
    assert ends[0][0] is None and isinstance(ends[0][1], Stopped)

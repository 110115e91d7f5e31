"""Knobs, a button and the picture they make: `sdlab.panel(pipe)`."""

import html
import threading

from traitlets import Any, Bool, Int, List, Unicode

from sdlab.display import showing
from sdlab.display.widgets.drawing import Drawing, Stopped
from sdlab.display.widgets.look import LOOK, picture_url
from sdlab.display.widgets.panel_page import CSS, RENDER
from sdlab.display.widgets.shown import Shown
from sdlab.pipes import models
from sdlab.pipes.generation import as_recipe, complete, split_pair
from sdlab.pipes.recipe import Recipe
from sdlab.pipes.samplers import SAMPLERS
from sdlab.system.calls import check_call

FIRST = Recipe("a lion on the beach, cartoon", seed=3)
KNOBS = ("prompt", "negative_prompt", "guidance", "steps", "seed", "sampler")
THUMBNAIL = 112  # pixels


class Panel(Shown):
    """Knobs and the picture they make. `recipe` is what the knobs say, and `generations` holds every picture that was made.

    The browser sends what its knobs say as messages, and only Python sets the traits; so a picture never misses a knob that was
    turned just before the button was pressed.
    """

    prompt, negative_prompt, seed, sampler = (Unicode().tag(sync=True) for _ in range(4))  # a seed may exceed JavaScript's numbers
    guidance, steps = Any(None).tag(sync=True), Any(None).tag(sync=True)  # as the browser says; the Recipe checks them
    samplers, pictures, made = (List().tag(sync=True) for _ in range(3))
    caption, status, error, alt = (Unicode().tag(sync=True) for _ in range(4))
    drawing = Bool(False).tag(sync=True)
    step, steps_to_do, shown = Int(0).tag(sync=True), Int(0).tag(sync=True), Int(-1).tag(sync=True)
    render = RENDER
    _css = LOOK + CSS

    def __init__(self, pipe, recipe):
        base, refiner = split_pair(pipe)
        self.pipe, self._base, self.generations, self.failure = pipe, complete(base, recipe, refiner), [], None
        self._lock, self._work = threading.RLock(), None
        super().__init__(samplers=list(dict.fromkeys([*SAMPLERS, self._base.sampler])))
        self._turn(self._base)
        self.on_msg(self._hear)

    @property
    def recipe(self):
        """What the knobs say.

        Raises:
            TypeError: a knob says something of the wrong kind.
            ValueError: a knob says something out of range.
        """
        seed = self.seed.strip()
        knobs = {name: getattr(self, name) for name in KNOBS}
        return self._base.but(**knobs | {"seed": int(seed) if seed.isdecimal() else self.seed})

    def draw(self):
        """Begin the picture that the knobs ask for, in a thread of its own. What is wrong with the knobs is said in the panel."""
        with self._lock:
            if self.drawing:
                return
            self.error, self.status, self.failure, self.step = "", "", None, 0
            try:
                recipe = self.recipe
            except (TypeError, ValueError) as error:
                self._fail(error)
                return
            self.steps_to_do = recipe.steps or models.recommend(split_pair(self.pipe)[0])[0]
            self.status, self.drawing = "drawing …", True
            self._work = Drawing(self.pipe, recipe, self._look, self._end)
            self._work.start()

    def stop(self):
        """Stop the picture that is being made, after the step that is being computed."""
        with self._lock:
            if self.drawing:
                self.status = "stopping …"
                self._work.stop()

    def wait(self, seconds=None):
        """Wait until nothing is being made, or so many seconds. An interrupt of the cell stops the picture."""
        if self._work:
            try:
                self._work.wait(seconds)
            except KeyboardInterrupt:
                self.stop()
                self._work.wait()

    def recall(self, index):
        """Show a picture that was made before, and turn the knobs back to its recipe."""
        with self._lock:
            if not self.drawing and 0 <= index < len(self.generations):
                self._turn(self.generations[index].recipe)
                self._show(index)

    def still(self):
        """The picture that is shown, with what made it, as HTML that needs no kernel."""
        pictures = "".join(f'<img alt="{html.escape(self.alt)}" src="{url}">' for url in self.pictures)
        said = html.escape(self.caption) or "No picture yet: run this cell in a notebook, and press Draw."
        return (
            f'<style>{LOOK}{CSS}</style><figure class="sdlab sdlab-drawn">'
            f'<div class="sdlab-pictures">{pictures}</div><figcaption>{said}</figcaption></figure>'
        )

    def _hear(self, _, message, __):
        """What the browser says."""
        kind = message.get("kind")
        if kind in ("set", "draw"):
            with self._lock:
                for name in KNOBS:
                    setattr(self, name, message["values"][name])
        if kind == "draw":
            self.draw()
        elif kind == "stop":
            self.stop()
        elif kind == "recall":
            self.recall(message["index"])

    def _turn(self, recipe):
        """Turn the knobs to a recipe."""
        for name in KNOBS:
            value = getattr(recipe, name)
            setattr(self, name, str(value) if name == "seed" else value)

    def _look(self, step, image):
        """After a step, in the drawing's thread."""
        with self._lock:
            self.steps_to_do = max(self.steps_to_do, step)  # some samplers take more than they are told
            self.step = step
            if image is not None:
                self.alt, self.shown = "the unfinished picture", -1
                self.pictures, self.caption = [picture_url(image)], "on its way …"

    def _end(self, run, error):
        """When the picture is made, stopped or failed, in the drawing's thread."""
        with self._lock:
            self.status = ""
            if run:
                self._keep(run)
                self.status = f"done in {run.seconds:.1f} s"
            elif isinstance(error, Stopped):
                self.status = f"stopped after step {self.step} of {self.steps_to_do}"
                if self.pictures and self.shown < 0:
                    self.caption = f"unfinished: stopped after step {self.step} of {self.steps_to_do}"
            else:
                self._fail(error)
            self.drawing = False
            self._renew_stills()

    def _keep(self, run):
        """Put a new picture beside those made before, and show it."""
        self.generations.append(run)
        small = run.image.copy()
        small.thumbnail((THUMBNAIL, THUMBNAIL))
        self.made = [*self.made, (picture_url(small, side=THUMBNAIL), f"{run.recipe.prompt}; {showing.caption(run)}")]
        self._show(len(self.generations) - 1)

    def _show(self, index):
        run = self.generations[index]
        self.alt = run.recipe.prompt
        self.pictures = [picture_url(image) for image in run.images]
        self.caption, self.shown = f"{run.recipe.prompt} · {showing.caption(run)}", index

    def _fail(self, error):
        """Say in the panel what is wrong; `failure` keeps the exception for those who want to see it all."""
        reason = (str(error) or type(error).__name__).splitlines()[0]
        self.failure, self.error = error, f"{reason[:1].upper()}{reason[1:]}"


@check_call("sdlab.panel(pipe) or sdlab.panel(pipe, recipe)")
def panel(pipe, recipe=None):
    """Knobs, a button and the picture they make: prompt, negative prompt, guidance, steps, seed and sampler.

    The picture is made in a thread of its own, so that the kernel hears the stop button, and shows itself while it is on its way. Every
    finished picture stays in the panel, and in its `generations`.

    Args:
        pipe: a text-to-image pipeline, as `load` gives it, or a pair of an SDXL base and its refiner.
        recipe: where the knobs stand at first, or its prompt; its picture is made before the panel appears, so that a page exported
            from the notebook shows it. None makes no picture yet.

    Returns:
        The widget.

    Raises:
        TypeError: no pipeline, or no recipe.
        ValueError: an ingredient out of range.
    """
    split_pair(pipe)
    made = Panel(pipe, as_recipe(FIRST if recipe is None else recipe, {}))
    if recipe is not None:
        made.draw()
        made.wait()
    return made

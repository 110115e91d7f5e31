"""One recipe being drawn in a thread of its own, so that the kernel stays free to hear that it shall stop."""

import math
import threading
import time

from sdlab.pipes.generation import generate, split_pair
from sdlab.pipes.previews import look_at

SHARE = 0.25  # of the time that looks at the unfinished picture may take
PAUSE = 0.2  # seconds between two looks at least


class Stopped(Exception):
    """The drawing was stopped, as was asked for."""


class Drawing:
    """A recipe on its way to a picture.

    Args:
        pipe: the pipeline, or a pair of base and refiner.
        recipe: what to draw.
        on_look: called in the drawing's thread as `on_look(step, image)` after every step, from 1; the image is the unfinished first
            picture, or None where looking would cost too much.
        on_end: called in the drawing's thread as `on_end(generation, error)` when all is over; one of them is None.
    """

    def __init__(self, pipe, recipe, on_look, on_end):
        self.pipe, self.recipe, self.on_look, self.on_end = pipe, recipe, on_look, on_end
        self._base, _ = split_pair(pipe)
        self._next_look = 0.0
        self._stop, self._over = threading.Event(), threading.Event()

    def start(self):
        """Begin, and return at once."""
        threading.Thread(target=self._draw, name="sdlab drawing", daemon=True).start()

    def stop(self):
        """Ask for the end; it comes after the step that is being computed."""
        self._stop.set()

    def wait(self, seconds=None):
        """Wait for the end, or so many seconds."""
        end = time.monotonic() + (math.inf if seconds is None else seconds)
        while not self._over.is_set() and time.monotonic() < end:  # in bits: Windows interrupts no wait, and a join breaks if interrupted
            self._over.wait(0.1)

    def _draw(self):
        run, failure = None, None
        try:
            run = generate(self.pipe, self.recipe, progress=False, on_step=self._look)
        except BaseException as error:  # whatever it is, the panel has to say so: nobody else sees this thread
            failure = error
        try:
            self.on_end(run, failure)
        finally:
            self._over.set()

    def _look(self, step, latents):
        """Between two steps: stop if asked to, and now and then show how far the picture is."""
        if self._stop.is_set():
            raise Stopped
        image, start = None, time.perf_counter()
        if start >= self._next_look:
            image = look_at(self._base, latents[:1])[0]
            end = time.perf_counter()
            self._next_look = end + max(PAUSE, (end - start) * (1 - SHARE) / SHARE)
        self.on_look(step + 1, image)

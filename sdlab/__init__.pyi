"""The public names, and where each lives: `sdlab` loads a name from its room when it is first used."""

from .display.bars import time_bars as time_bars
from .display.curves import curve as curve
from .display.knobs import knob_grid as knob_grid
from .display.plots import animate as animate
from .display.plots import film_strip as film_strip
from .display.plots import grid as grid
from .display.plots import preview as preview
from .display.plots import show as show
from .display.plots import tiles as tiles
from .display.plots import use_style as use_style
from .gallery.listing import Gallery as Gallery
from .gallery.reading import read as read
from .gallery.reproducing import reproduce as reproduce
from .gallery.saving import save as save
from .lesson import exercise as exercise
from .pipes.generation import Generation as Generation
from .pipes.generation import generate as generate
from .pipes.loading import load as load
from .pipes.models import MODELS as MODELS
from .pipes.models import list_models as list_models
from .pipes.models import native_side as native_side
from .pipes.recipe import Recipe as Recipe
from .system.device import describe as describe
from .training.watch import train_for as train_for
from .training.watch import watch as watch

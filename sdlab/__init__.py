"""Stable Diffusion Lab: a small helper for a course that explains diffusion by running it.

Everything a notebook needs is here by name; the heavy libraries are imported when the first of those names is used, so that
`import sdlab` itself takes a moment and no more.
"""

from importlib import import_module

__version__ = "0.1.0"

_MODULES = ("anatomy", "device", "diagrams", "gallery", "models", "plots", "samplers")
_NAMES = {
    "Recipe": "recipe",
    "Generation": "generation",
    "generate": "generation",
    "load": "models",
    "MODELS": "models",
    "show": "plots",
    "grid": "plots",
    "film_strip": "plots",
    "preview": "plots",
    "tiles": "plots",
    "animation": "plots",
    "watch": "live",
    "timed": "live",
    "save": "gallery",
    "read": "gallery",
    "reproduce": "gallery",
    "exercise": "lesson",
}
__all__ = [*_NAMES, *_MODULES]


def __getattr__(name):
    if name in _MODULES:
        return import_module(f"sdlab.{name}")
    if name in _NAMES:
        return getattr(import_module(f"sdlab.{_NAMES[name]}"), name)
    raise AttributeError(f"sdlab has no {name!r}: it has {', '.join(__all__)}")


def __dir__():
    return sorted([*globals(), *__all__])

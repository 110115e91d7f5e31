"""Stable Diffusion Lab: a small helper for a course that explains diffusion by running it.

Everything a notebook needs is here by name; the heavy libraries are imported when the first of those names is used, so that
`import sdlab` itself takes a moment and no more.
"""

from importlib import import_module

__version__ = "0.1.0"

_WHERE = {
    "Recipe": "recipe",
    "Generation": "generate",
    "generate": "generate",
    "load": "models",
    "MODELS": "models",
    "device": "device",
    "anatomy": "anatomy",
    "show": "plots",
    "grid": "plots",
    "film_strip": "plots",
    "save": "gallery",
    "read": "gallery",
    "reproduce": "gallery",
    "exercise": "lesson",
}
__all__ = list(_WHERE)


def __getattr__(name):
    if name not in _WHERE:
        raise AttributeError(f"sdlab has no {name!r}: it has {', '.join(__all__)}")
    module = import_module(f"sdlab.{_WHERE[name]}")
    value = module if name == _WHERE[name] and not hasattr(module, name) else getattr(module, name)
    globals()[name] = value
    return value


def __dir__():
    return sorted([*globals(), *__all__])

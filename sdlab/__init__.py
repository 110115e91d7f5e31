"""Stable Diffusion Lab: a small helper for a course that explains diffusion by running it.

Everything a notebook needs is here by name, listed in `__init__.pyi`; the heavy libraries are imported when the first of those names is
used, so that `import sdlab` itself takes a moment and no more.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

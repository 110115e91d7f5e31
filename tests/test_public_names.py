"""What `sdlab` offers by name: all of it, lazily, and in the stub that editors read."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import sdlab

STUB = ast.parse(Path(sdlab.__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
LISTED = {alias.name: node.module for node in STUB.body if isinstance(node, ast.ImportFrom) for alias in node.names}


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_importing_sdlab_imports_nothing_heavy():
    heavy = "{'torch', 'numpy', 'PIL', 'matplotlib', 'diffusers', 'transformers', 'IPython'}"
    assert run(f"import sys, sdlab; print(sorted({heavy} & set(sys.modules)))").strip() == "[]"


@pytest.mark.parametrize("name", LISTED)
def test_every_name_of_the_stub_is_there(name):
    assert getattr(sdlab, name) is getattr(import_module(f"sdlab.{LISTED[name]}"), name)
    assert name in dir(sdlab) and name in sdlab.__all__


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        getattr(sdlab, "nothing_of_the_kind")  # noqa: B009


def test_a_room_can_be_imported_first_in_a_fresh_process():
    """No room needs another to have been imported before it."""
    rooms = sorted(p.parent.name for p in Path(sdlab.__file__).parent.glob("*/__init__.py"))
    assert {"system", "pipes", "gallery", "study", "display", "scratch", "training"} <= set(rooms)
    said = run(
        "from sdlab.scratch import ddpm; import sdlab; print(ddpm.linear(4).steps, sdlab.Recipe('a lion').seed, sdlab.show.__name__)"
    )
    assert said.split() == ["4", "0", "show"]


CALLABLE = [name for name in LISTED if callable(getattr(sdlab, name))]


@pytest.mark.parametrize("name", CALLABLE)
def test_a_call_with_what_it_does_not_take_shows_how_it_is_written(name):
    given = {"recipe": "a lion"} if name == "generate" else {}  # which hands what it does not know on to the recipe
    pipe = [type("Pipe", (), {"unet": 1, "text_encoder": 1})()] if name == "generate" else []
    with pytest.raises(TypeError) as caught:
        getattr(sdlab, name)(*pipe, **given, nonsense=1)
    assert "nonsense" in str(caught.value) or "missing a required argument" in str(caught.value)
    assert "it is called as sdlab." in str(caught.value)
    assert "\n" not in str(caught.value)

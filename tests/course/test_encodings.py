"""Files are read and written as UTF-8 by name: on Windows Python's own choice is another, and a Portuguese word would not survive it."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
ROOMS = ("sdlab", "pocket", "benchmarks", "docs", "tests", "notebooks")
FILES = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]


def unnamed(source):
    """The lines of calls that read or write text without naming the encoding."""
    lines = []
    for call in (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)):
        named = {keyword.arg: keyword.value for keyword in call.keywords}
        called = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        mode = named.get("mode") or next(iter(call.args[1:2]), None)
        binary = isinstance(mode, ast.Constant) and "b" in str(mode.value)
        opens = isinstance(call.func, ast.Name) and called == "open" and not binary
        if (opens or called == "write_text" or (called == "read_text" and not call.args)) and not named.keys() & {"encoding", None}:
            lines.append(call.lineno)
    return lines


@pytest.mark.parametrize("source", ["open(p)", "open(p, 'w')", "p.read_text()", "p.write_text(x)", "open(p, mode='r')"])
def test_text_without_an_encoding_is_found(source):
    assert unnamed(source) == [1]


@pytest.mark.parametrize("source", ["open(p, 'rb')", "open(p, mode='xb')", "Image.open(p)", "p.read_bytes()", "p.read_text(encoding='u8')"])
def test_what_is_right_is_left_alone(source):
    assert not unnamed(source)


def test_every_text_file_is_opened_with_its_encoding():
    assert len(FILES) > 100
    found = {str(path.relative_to(ROOT)): unnamed(path.read_text(encoding="utf-8")) for path in FILES}
    assert not {path: lines for path, lines in found.items() if lines}

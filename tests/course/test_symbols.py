"""The table of symbols is that of the lessons."""

import re

from docs.tools.derive import ROOT, SCRIPTS

TEXTS = {script.stem: script.read_text(encoding="utf-8") for script in sorted(SCRIPTS.glob("[0-9]*.py"))}
ROWS = [line.split("|")[1:-1] for line in (ROOT / "docs" / "symbols.md").read_text(encoding="utf-8").splitlines() if line.startswith("| $")]


def test_every_symbol_of_the_table_is_used_and_first_where_the_table_says():
    for symbols, _, _, first in ROWS:
        for symbol in re.findall(r"\$([^$]+)\$", symbols):
            formulas = {stem: " ".join(re.findall(r"\$([^$]+)\$", text.replace("$$", "$"))) for stem, text in TEXTS.items()}
            assert any(symbol in formula for formula in formulas.values()), symbol
        assert all(any(stem.startswith(number.strip()) for stem in TEXTS) for number in first.split(","))


def test_guidance_has_one_symbol():
    """Wherever a formula goes from one prediction towards another, the number before the bracket is w."""
    found = {
        (stem, factor)
        for stem, text in TEXTS.items()
        for factor in re.findall(r"\+\s*(\\?\w+)\s*\\?,?\s*(?:\\left|\\bigl)?\(\s*(?:v_\{\\text|\\hat [xv](?:_0)?\(c\))", text)
    }
    assert {factor for _, factor in found} == {"w"}
    assert len({stem for stem, _ in found}) >= 4

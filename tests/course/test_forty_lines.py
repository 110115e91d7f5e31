"""DDPM in 40 lines: it is that short, needs `sdlab.scratch` alone, learns, and draws."""

import ast
import re
from pathlib import Path

import pytest
from PIL import Image

from docs import ddpm_in_40_lines

SOURCE = Path(ddpm_in_40_lines.__file__).read_text(encoding="utf-8")


def test_it_is_that_short_and_stands_on_scratch_alone():
    assert len(SOURCE.splitlines()) <= 40
    modules = {node.module for node in ast.walk(ast.parse(SOURCE)) if isinstance(node, ast.ImportFrom)}
    assert {name for name in modules if name.startswith("sdlab")} == {"sdlab.scratch", "sdlab.scratch.muon", "sdlab.scratch.unet"}


@pytest.mark.slow
def test_it_learns_and_draws(tmp_path, capsys):
    ddpm_in_40_lines.main(steps=200, into=str(tmp_path / "drawings.png"))
    first, second = (float(loss) for loss in re.findall(r"loss (\d\.\d+)", capsys.readouterr().out))
    assert second < first < 0.6  # 1 is the loss of a network that always answers 0
    picture = Image.open(tmp_path / "drawings.png")
    assert picture.size == (512, 512)
    assert len(picture.getcolors(1 << 18)) > 100

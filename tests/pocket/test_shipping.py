"""What ships, and that the old model stays until the new one is whole."""

import itertools
import json
import re

import pytest

from pocket.reports.results import round_numbers, write_results
from pocket.shipping.base import BASE
from pocket.shipping.scribble import SCRIBBLE
from pocket.shipping.ship import Shipment, clean_settings, load_shipped, refuse_worse, ship
from pocket.shipping.xl import REFINER, XL
from sdlab.assets import ASSETS


@pytest.fixture
def shipment(tmp_path):
    return Shipment("tiny model", "base", tmp_path / "assets" / "tiny", 100, lambda results: results["score"])


def put(shipment, word, score=1.0, judge="eye"):
    """Ship a model whose every file holds a word."""

    def fill(folder):
        (folder / "unet").mkdir(parents=True)
        (folder / "unet" / "model.safetensors").write_text(word, encoding="utf-8")

    ship(shipment, fill, {"score": score, "judge": judge}, word)


def read(folder):
    return [(folder / name).read_text(encoding="utf-8") for name in ("unet/model.safetensors", "README.md")]


def test_killed_at_any_moment_the_old_model_or_the_new_one_ships(shipment, kill_at):
    put(shipment, "old")
    for moment in itertools.count():
        before, word = read(shipment.assets), f"new {moment}"
        with kill_at(moment) as kill:
            put(shipment, word, 2.0)
        assert load_shipped(shipment.assets)["score"] in (1.0, 2.0)  # which puts back what stands aside
        assert read(shipment.assets) in (before, [word, word])
        if not kill.done:
            break
    assert moment > 5
    assert read(shipment.assets) == [word, word]
    assert [path.name for path in shipment.assets.parent.iterdir()] == ["tiny"]


def test_a_model_that_is_too_large_leaves_the_old_one(shipment):
    put(shipment, "old")
    with pytest.raises(SystemExit, match="the weights are 0 MB"):
        put(shipment, "far too large" * 10)
    assert read(shipment.assets) == ["old", "old"]


def test_a_worse_model_is_refused_and_the_first_is_not(shipment):
    refuse_worse(shipment, {"score": 0.1, "judge": "eye"})
    put(shipment, "old", score=0.8)
    refuse_worse(shipment, {"score": 0.8, "judge": "eye"})
    with pytest.raises(SystemExit, match=r"the new tiny model scores 0\.700, the shipped one 0\.800: train longer"):
        refuse_worse(shipment, {"score": 0.7, "judge": "eye"})


def test_what_another_judge_measured_is_compared_only_with_what_it_says_of_the_shipped_model(shipment, tmp_path):
    put(shipment, "old", score=0.8)
    with pytest.raises(SystemExit, match=r"by judge eye, the new one by ear, so .*pocket\.reports\.base .* as --shipped-numbers"):
        refuse_worse(shipment, {"score": 0.9, "judge": "ear"})
    heard = tmp_path / "heard.json"
    heard.write_text(json.dumps({"score": 0.6, "judge": "ear"}), encoding="utf-8")
    refuse_worse(shipment, {"score": 0.7, "judge": "ear"}, heard)
    with pytest.raises(SystemExit, match=r"scores 0\.500, the shipped one 0\.600"):
        refuse_worse(shipment, {"score": 0.5, "judge": "ear"}, heard)


@pytest.mark.parametrize("shipped", [BASE, SCRIBBLE, XL, REFINER], ids=lambda shipped: shipped.name)
def test_what_ships_is_as_good_as_itself(shipped):
    refuse_worse(shipped, load_shipped(shipped.assets))
    assert sum(file.stat().st_size for file in shipped.assets.rglob("*.safetensors")) <= shipped.most


def test_settings_are_cleaned_as_json(tmp_path):
    (tmp_path / "text_encoder").mkdir()
    settings = {"_name_or_path": "/somewhere/model", "dtype": "float16", "widths": [1, 2], "note": "olá"}
    settings |= {"is_local": True, "local_files_only": True}
    for name in ("model_index.json", "text_encoder/config.json", "tokenizer_config.json"):
        (tmp_path / name).write_text(json.dumps(settings), encoding="utf-8")  # not laid out as any library does
    clean_settings(tmp_path)
    for name in ("model_index.json", "text_encoder/config.json", "tokenizer_config.json"):
        cleaned = json.loads((tmp_path / name).read_text(encoding="utf-8"))
        assert cleaned == {"dtype": "float32", "widths": [1, 2], "note": "olá"}


def test_numbers_are_rounded_wherever_they_stand(tmp_path):
    found = {"share": 0.123456, "table": [{"ms": 1.00004}], "interval": (0.1, 2 / 3), "steps": 25}
    assert round_numbers(found) == {"share": 0.1235, "table": [{"ms": 1.0}], "interval": [0.1, 0.6667], "steps": 25}
    assert write_results(tmp_path / "found.json", found) == json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))


PLACES = re.compile(r"(?<![\w.:/])/[\w.-]+/[\w./-]+|[A-Za-z]:\\\\|_name_or_path")  # absolute ones, of any system; a URL is none


def test_nothing_that_ships_tells_where_it_was_made():
    files = [file for ending in ("json", "md") for file in ASSETS.rglob(f"*.{ending}") if file.name != "tokenizer.json"]
    assert len(files) > 20
    told = {str(file.relative_to(ASSETS)): PLACES.findall(file.read_text(encoding="utf-8")) for file in files}
    assert not {name: places for name, places in told.items() if places}


def test_a_place_is_recognised():
    for text in ('"/opt/runs/model"', "in /home/me/x", '"C:\\\\Users"', '"_name_or_path": "x"'):
        assert PLACES.search(text), text
    for text in ("https://github.com/a/b", "sdlab/assets/pocket", "and/or", "1/64", "`pocket/data/README.md`"):
        assert not PLACES.search(text), text

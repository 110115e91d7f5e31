"""The report on refining: its measures know what they measure, and what it shares between hand-overs is what the pair draws."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

import sdlab
from pocket.reports import refining
from pocket.ruler.pictures import to_pil

SIDE = 64


@pytest.fixture(scope="module")
def pair():
    base = sdlab.load("pocket-xl")
    return base, sdlab.load("pocket-xl-refiner", base=base)


def _square(left, width=20):
    pixels = np.full((SIDE, SIDE, 3), 255, np.uint8)
    pixels[22:42, max(left, 0) : left + width] = 0
    return Image.fromarray(pixels)


def test_a_thing_is_where_its_edges_are_and_cut_off_where_they_meet_the_border():
    places = [refining.place(_square(left)) for left in (6, 22, 38)]
    centres = [centre for centre, _ in places]
    assert centres == sorted(centres)
    assert centres[1] == pytest.approx(0.5, abs=0.03)
    assert all(border == 0 for _, border in places)
    assert refining.place(_square(-8))[1] > 0.1


def test_fine_power_is_that_of_short_waves():
    column = torch.arange(SIDE)
    stripes = {length: torch.cos(2 * torch.pi * column / length).expand(3, SIDE, SIDE) for length in (2, 16)}
    assert refining.fine(stripes[2] + 0.01 * stripes[16]) > refining.fine(stripes[16] + 0.01 * stripes[2]) + 3
    noise = torch.randn(3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    assert refining.fine(10**0.5 * noise) == pytest.approx(refining.fine(noise) + 1, abs=1e-3)
    coarse, fine = (refining.spectrum(stripes[length][None]) for length in (16, 2))
    assert (np.argmax(coarse), np.argmax(fine)) == (2, refining.BANDS - 1)


def test_smears_are_seen_in_even_areas_and_edges_are_not():
    noise = np.random.default_rng(0).normal(0, 4, (SIDE, SIDE))
    clean = np.asarray(_square(22).convert("L"), float)
    smeared = Image.fromarray((clean + noise - 20).clip(0, 255).astype(np.uint8))
    assert refining.smears(_square(22)) == 0
    assert refining.smears(smeared) == pytest.approx(4, abs=1)


def test_true_pictures_told_smaller_are_softer_and_those_cropped_at_the_left_move_to_the_right(pair):
    side = sdlab.native_side(pair[0])
    _, scenes = refining.invent(6, refining.QUIET)

    def found(*told):
        return {key: np.mean(values) for key, values in refining.measure_told(frames(*told)).items()}

    def frames(*told):
        return refining.true_pictures(refining.frame(scenes, side, *told), side)

    assert found(0.35)["sharpness"] < 0.7 * found(1)["sharpness"]
    left, right = (found(refining.CROPPED, refining.TOP, corner) for corner in (0, 0.5))
    assert left["centre"] > right["centre"] + 0.05
    assert min(left["border"], right["border"]) > found(1)["border"]


def test_the_prompts_are_the_judges_and_their_scenes_show_them():
    asked, scenes = refining.invent(5, refining.QUIET)
    assert [one.background for one in asked] == [scene.background for scene in scenes]
    assert [one.things[0] for one in asked] == [scene.things[0].concept for scene in scenes]


@pytest.mark.slow
@pytest.mark.parametrize("handover", [0.6, 0.8])
def test_what_the_refiner_makes_of_a_walk_is_what_the_pair_draws(pair, handover, monkeypatch):
    monkeypatch.setattr(refining, "STEPS", 10)
    base, refiner = pair
    texts = ["a lion on the beach, cartoon", "a red car at night, oil painting"]
    latents, alone = refining.walk(base, texts)
    shared = refining.finish(base, refiner, texts, latents, handover)
    for seed, text in enumerate(texts):
        recipe = sdlab.Recipe(text, seed=seed, steps=10, guidance=refining.GUIDANCE, handover=handover)
        for ours, theirs in ((shared, sdlab.generate(pair, recipe)), (alone, sdlab.generate(base, recipe.but(handover=None)))):
            assert np.abs(np.asarray(to_pil(ours[seed]), int) - np.asarray(theirs.image, int)).max() <= 2


@pytest.mark.slow
def test_each_expert_is_better_at_its_own_noise(pair):
    asked, scenes = refining.invent(3)
    true = refining.true_pictures(refining.frame(scenes, sdlab.native_side(pair[0])), sdlab.native_side(pair[0]))
    little, much = (refining.errors(*pair, true, [one.prompt for one in asked], t) for t in (50, 600))
    assert np.mean(little["refiner"]) < np.mean(little["base"])
    assert np.mean(much["refiner"]) > np.mean(much["base"])


def test_what_is_kept_is_not_measured_again(tmp_path, monkeypatch):
    measured, file = [], tmp_path / "09.json"

    def tasks(*_):
        return {name: lambda n=name: measured.append(n) or {"sharpness": [0.123456]} for name in ("one", "two")}

    monkeypatch.setattr(refining, "plan", tasks)
    refining.main(pictures=1, told=1, file=file)
    kept = json.loads(file.read_text(encoding="utf-8"))
    assert kept["one"] == {"sharpness": [0.1235]}
    file.write_text(json.dumps({key: value for key, value in kept.items() if key != "two"}), encoding="utf-8")
    refining.main(pictures=1, told=1, file=file)
    assert measured == ["one", "two", "two"]
    refining.main(pictures=2, told=1, file=file)  # another experiment
    assert measured == ["one", "two", "two", "one", "two"]

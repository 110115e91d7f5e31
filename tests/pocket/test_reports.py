"""The measures of behaviour and of copying: on pictures whose answer is known."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter
from scipy.ndimage import sobel

from pocket.reports.behaviour import POOR, SAMPLERS, SCALES, STEPS, STRENGTHS, clipping, saturation, sharpness
from pocket.reports.nearest import edges, fit, nearest_sprites
from pocket.ruler.pictures import contact_sheet, draw_true, to_pil
from pocket.stages.config import CPU
from pocket.world import catalog
from pocket.world.scene import Scene, Thing
from pocket.world.stream import to_unit
from sdlab.assets import ASSETS


def _constant(*rgb):
    return torch.tensor(rgb)[None, :, None, None].expand(2, 3, 8, 8).float()


def test_saturation_is_that_of_hsv():
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (3, 9, 9, 3), dtype=np.uint8)
    ours = saturation(to_unit(torch.from_numpy(pixels).permute(0, 3, 1, 2)))
    pil = np.mean([np.asarray(Image.fromarray(p).convert("HSV"))[..., 1] / 255 for p in pixels])
    assert ours == pytest.approx(pil, abs=0.005)
    assert saturation(_constant(0.3, 0.3, 0.3)) == 0
    assert saturation(_constant(1, -1, -1)) == 1


def test_clipped_counts_what_a_byte_cannot_pass():
    assert clipping(_constant(1, -1, 0)) == pytest.approx(2 / 3)
    assert clipping(_constant(1.7, -0.98, 0.98)) == pytest.approx(1 / 3)


def test_blurring_lowers_sharpness_each_time():
    scenes = [Scene((Thing("lion"),), "cartoon", background) for background in ("beach", "city", "garden")]
    pictures = [to_pil(x) for x in draw_true(scenes, 64, 0)]
    found = [
        sharpness(to_unit(torch.stack([
            torch.from_numpy(np.array(p.filter(ImageFilter.GaussianBlur(radius)))).permute(2, 0, 1) for p in pictures
        ])))
        for radius in (0, 0.5, 1, 2)
    ]  # fmt: skip
    assert found == sorted(found, reverse=True)
    assert found[0] > 2 * found[-1]


def test_a_template_fits_where_it_is_and_its_negative_does_not():
    torch.manual_seed(0)
    sprite, mask = torch.rand(20, 16) * 2 - 1, (torch.rand(20, 16) > 0.3).float()
    picture = torch.rand(3, 40, 40) * 0.4
    picture[0, 7:27, 11:27] = torch.where(mask > 0, 0.5 * sprite + 0.1, picture[0, 7:27, 11:27])  # another contrast and brightness
    picture[1, 7:27, 11:27] = torch.where(mask > 0, -sprite, picture[1, 7:27, 11:27])
    r = fit(picture, sprite, mask)
    assert r[0] == pytest.approx(1, abs=1e-3)
    assert r[1:].max() < 0.5


@pytest.mark.parametrize(("concept", "style"), [("lion", "3d render"), ("house", "flat design"), ("octopus", "pixel art")])
def test_the_nearest_sprite_of_a_true_picture_is_its_own(concept, style):
    config = replace(CPU, mix=replace(CPU.mix, concepts=("lion", "house", "octopus", "pizza", "key")))
    found, emoji_set, r = nearest_sprites(draw_true([Scene((Thing(concept),), style, "plain", "blue")], 64, 3), config)[0]
    assert found == concept
    assert catalog.artists_of(concept, (emoji_set,))
    assert r > 0.5


def test_edges_are_those_of_scipy():
    picture = torch.rand(2, 1, 9, 7)
    theirs = [np.hypot(sobel(x[0], 0, mode="nearest"), sobel(x[0], 1, mode="nearest")) / 8 for x in picture.numpy()]
    assert np.allclose(edges(picture), theirs, atol=1e-6)


def test_a_contact_sheet_holds_every_picture():
    pictures = torch.linspace(-1, 1, 5)[:, None, None, None].expand(5, 3, 4, 4)
    sheet = contact_sheet(pictures, columns=3, scale=2)
    assert sheet.size == (3 * 12 - 4, 2 * 12 - 4)
    assert [sheet.getpixel((x, y))[0] for y in (3, 15) for x in (3, 15, 27)] == [0, 64, 128, 191, 255, 255]


def test_the_kept_behaviour_is_what_the_lessons_say():
    """The shipped evaluation, not a run: every claim of the lessons on guidance, steps, negative prompts and strength."""
    found = json.loads((ASSETS / "pocket" / "evaluation.json").read_text(encoding="utf-8"))["behaviour"]
    assert found["prompts"] >= 64
    guidance = {row["guidance"]: row for row in found["guidance"]["table"]}
    assert tuple(guidance) == SCALES
    assert guidance[1]["object"] < guidance[2]["object"] < guidance[7]["object"]
    assert max(guidance[scale]["object"] for scale in (10, 15)) <= guidance[7]["object"]  # a plateau
    assert guidance[15]["all"] < guidance[3]["all"]  # past it style and background suffer
    for key, falls in (("variety", True), ("saturation", False), ("clipped", False)):
        values = [guidance[scale][key] for scale in (1, 3, 7, 15)]
        assert values == sorted(values, reverse=falls), key

    rows = {sampler: {row["steps"]: row for row in found["steps"] if row["sampler"] == sampler} for sampler in SAMPLERS}
    assert all(tuple(of) == STEPS for of in rows.values())
    enough = {sampler: next(n for n in STEPS if of[n]["all"] > of[75]["all"] - 0.01) for sampler, of in rows.items()}
    assert enough["DPM++ 2M"] <= enough["DDIM"] < enough["PNDM"]
    for of in rows.values():
        assert of[1]["all"] < 0.1
        assert abs(of[50]["all"] - of[75]["all"]) < 0.02
    assert all(rows["DPM++ 2M"][n]["to the last"] < rows[other][n]["to the last"] for other in ("DDIM", "PNDM") for n in STEPS[4:-2])

    against = found["negative"]["quality"]
    assert against[POOR]["sharpness"] > against["nothing"]["sharpness"]
    cartoon = found["negative"]["style"]
    assert cartoon["cartoon"]["cartoon"] < cartoon["nothing"]["cartoon"] / 2

    strengths = found["image to image"]
    assert [row["strength"] for row in strengths] == list(STRENGTHS)
    assert [row["distance"] for row in strengths] == sorted(row["distance"] for row in strengths)

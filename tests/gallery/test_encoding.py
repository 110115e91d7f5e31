from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from sd_parsers import ParserManager

import sdlab
from sdlab.gallery import encoding, reading

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
DESCRIPTION = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}Description"
IPTC = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}"


@pytest.fixture(params=SUFFIXES)
def suffix(request):
    return request.param


def test_each_format_is_what_its_name_says_and_gives_the_recipe_back(run, tmp_path, suffix):
    first, second = sdlab.save(run, tmp_path / f"lion{suffix}")
    assert Image.open(first).format == {".png": "PNG", ".webp": "WEBP"}.get(suffix, "JPEG")
    assert sdlab.read(first) == run.recipe.but(images=1)
    assert sdlab.read(second) == run.recipe.but(images=1, seed=run.recipe.seed + 1)


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_png_and_webp_keep_every_pixel(run, tmp_path, suffix):
    for path, image in zip(sdlab.save(run, tmp_path / f"lion{suffix}"), run.images, strict=True):
        assert (np.asarray(Image.open(path).convert("RGB")) == np.asarray(image)).all()


def test_a_jpeg_keeps_the_picture_nearly(tmp_path, make):
    run = make(side=64)
    ramp = np.linspace(0, 255, 64).astype(np.uint8)
    run.images = [Image.fromarray(np.stack(np.broadcast_arrays(ramp, ramp[:, None], 128), -1).astype(np.uint8))]
    [path] = sdlab.save(run, tmp_path / "lion.jpg")
    assert np.abs(np.asarray(Image.open(path), dtype=int) - np.asarray(run.image, dtype=int)).mean() < 2


def test_other_tools_can_read_the_parameters(run, tmp_path, suffix):
    info = ParserManager().parse(sdlab.save(run, tmp_path / f"lion{suffix}")[0])
    assert info.generator.value == "AUTOMATIC1111"
    assert info.full_prompt == run.recipe.prompt
    assert info.full_negative_prompt == "blurry, ünïcode 🦁"
    [sampler] = info.samplers
    assert sampler.name == run.recipe.sampler
    assert sampler.parameters == {"cfg_scale": "4.0", "seed": "7", "steps": "3"}
    assert (sampler.model.name, sampler.model.hash) == ("pocket", run.model_hash)
    assert info.metadata["Size"] == "16x16"


def test_the_picture_says_that_a_model_made_it(run, tmp_path, suffix):
    info = Image.open(sdlab.save(run, tmp_path / f"lion{suffix}")[0]).info
    packet = info["XML:com.adobe.xmp"] if suffix == ".png" else info["xmp"].decode()
    tree = ElementTree.fromstring(packet[packet.index("<x:") : packet.rindex("<?xpacket")])
    said = next(tree.iter(DESCRIPTION)).attrib
    assert said[f"{IPTC}DigitalSourceType"] == encoding.MADE_BY_A_MODEL
    assert said[f"{IPTC}AIPromptInformation"] == f"{run.recipe.prompt}\nNegative prompt: blurry, ünïcode 🦁"


def test_iptc_is_told_the_system_its_version_and_the_prompt(run, tmp_path, suffix):
    assert reading.read_iptc(sdlab.save(run, tmp_path / f"lion{suffix}")[0]) == {
        "DigitalSourceType": encoding.MADE_BY_A_MODEL,
        "AISystemUsed": "Stable Diffusion Lab, model pocket",
        "AISystemVersionUsed": f"sdlab {sdlab.__version__}, model {run.model_hash}",
        "AIPromptInformation": f"{run.recipe.prompt}\nNegative prompt: {run.recipe.negative_prompt}",
    }


def test_iptc_is_told_no_more_than_is_known(make):
    run = make(negative_prompt="")
    said = encoding.iptc_fields(run.recipe.but(model=None), "")
    assert said["AISystemUsed"] == "Stable Diffusion Lab"
    assert said["AISystemVersionUsed"] == f"sdlab {sdlab.__version__}"
    assert said["AIPromptInformation"] == run.recipe.prompt


def test_a_picture_that_says_nothing_has_no_iptc_fields(run, tmp_path):
    run.image.save(tmp_path / "bare.png")
    assert reading.read_iptc(tmp_path / "bare.png") == {}
    with pytest.raises(FileNotFoundError, match="does not exist"):
        reading.read_iptc(tmp_path / "nothing.png")


def test_iptc_fields_that_another_tool_rewrote_as_elements_are_found():
    inside = f"<d><i:AISystemUsed xmlns:i='{IPTC.strip('{}')}'>another</i:AISystemUsed></d>"
    packet = f"<x:xmpmeta xmlns:x='adobe:ns:meta/'>{inside}</x:xmpmeta>"
    assert encoding.find_iptc({"xmp": packet.encode()}) == {"AISystemUsed": "another"}


@settings(max_examples=60)
@given(prompt=st.text(st.characters(exclude_categories=()), min_size=1).filter(str.strip), suffix=st.sampled_from(SUFFIXES))
@example("half of a \ud83d", ".png")
@example("half of a \ud83d", ".jpg")
def test_any_prompt_travels_through_any_format(tmp_path_factory, make, prompt, suffix):
    """Quotes, angle brackets, zeros, line breaks, half characters: each means something to one of the formats."""
    run = make(prompt, side=8)
    [path] = sdlab.save(run, tmp_path_factory.getbasetemp() / f"any{suffix}")
    assert sdlab.read(path) == run.recipe
    assert reading.read_iptc(path)["DigitalSourceType"] == encoding.MADE_BY_A_MODEL
    path.unlink()


def test_a_story_that_another_tool_rewrote_as_an_element_is_found():
    packet = "<x:xmpmeta xmlns:x='adobe:ns:meta/'><s:story xmlns:s='urn:sdlab:'>{}</s:story></x:xmpmeta>"
    assert encoding.find_story({"xmp": packet.encode()}) == "{}"


@pytest.mark.parametrize("packet", [b"", b"<x:xmpmeta", b"<x:xmpmeta><broken></x:xmpmeta>", b"\xff\xfe", "text"])
def test_a_packet_without_a_story_has_none(packet):
    assert encoding.find_story({"xmp": packet}) is None


def test_an_entity_that_a_packet_declares_is_not_expanded():
    story = "<x:xmpmeta xmlns:x='adobe:ns:meta/'><s:story xmlns:s='urn:sdlab:'>&a;</s:story></x:xmpmeta>"
    assert encoding.find_story({"xmp": f"<!DOCTYPE d [<!ENTITY a 'aaaa'>]>{story}".encode()}) is None
    assert encoding.find_story({"xmp": story.replace("&a;", "aaaa").encode()}) == "aaaa"


def test_a_comma_in_a_models_name_does_not_end_it(make):
    text = encoding.parameters_text(make(model="mine, second try").recipe, "", (16, 16))
    assert 'Model: "mine, second try", Version' in text
    assert "Model hash" not in text  # what is not known is left out, not written as an empty value


def test_a_prompt_too_long_for_a_jpeg_says_where_it_fits(make, tmp_path):
    run = make("lion " * 20_000)
    with pytest.raises(ValueError, match=r"^a picture 16×16 .* does not go into a \.jpg \(.*\): save it as \.png$"):
        sdlab.save(run, tmp_path / "lion.jpg")
    assert list(tmp_path.iterdir()) == []
    assert sdlab.read(sdlab.save(run, tmp_path / "lion.png")[0]) == run.recipe


@pytest.mark.parametrize("mode", ["1", "L", "RGBA", "CMYK", "F"])
def test_a_picture_of_any_mode_can_be_saved_in_any_format(make, tmp_path, mode, suffix):
    run = make()
    run.images = [run.image.convert("L" if mode == "F" else mode).convert(mode)]
    [path] = sdlab.save(run, tmp_path / f"lion{suffix}")
    assert sdlab.read(Path(path)) == run.recipe

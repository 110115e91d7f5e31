import json
import resource
import signal
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin
from sd_parsers import ParserManager

import sdlab
from sdlab.gallery import saving as gallery


@pytest.fixture(scope="module")
def run(pipe, recipe):
    return sdlab.generate(pipe, recipe.but(images=2, negative_prompt="blurry, ünïcode 🦁"), progress=False)


def test_a_saved_picture_can_be_made_again(run, pipe, tmp_path):
    for path, image in zip(sdlab.save(run, tmp_path), run.images, strict=True):
        assert (np.asarray(Image.open(path)) == np.asarray(image)).all()
        twin = sdlab.reproduce(path, pipe).image
        assert np.abs(np.asarray(twin, dtype=int) - np.asarray(image, dtype=int)).max() <= 1  # it was one of a batch of two
    single = sdlab.generate(pipe, run.recipe.but(images=1), progress=False)
    [path] = sdlab.save(single, tmp_path / "single")
    assert (np.asarray(sdlab.reproduce(path).image) == np.asarray(single.image)).all()


def test_read_gives_the_recipe_of_each_image(run, tmp_path):
    first, second = sdlab.save(run, tmp_path)
    assert sdlab.read(first) == run.recipe.but(images=1)
    assert sdlab.read(second) == run.recipe.but(images=1, seed=run.recipe.seed + 1)


def test_other_tools_can_read_the_parameters(run, tmp_path):
    info = ParserManager().parse(sdlab.save(run, tmp_path)[0])
    assert info.generator.value == "AUTOMATIC1111"
    assert info.full_prompt == run.recipe.prompt
    assert info.full_negative_prompt == "blurry, ünïcode 🦁"
    [sampler] = info.samplers
    assert sampler.name == run.recipe.sampler
    assert sampler.parameters == {"cfg_scale": "4.0", "seed": "7", "steps": "3"}
    assert (sampler.model.name, sampler.model.hash) == ("pocket", run.model_hash)
    assert info.metadata["Size"] == f"{run.recipe.width}x{run.recipe.height}"


def test_the_picture_says_that_a_model_made_it(run, tmp_path):
    path = sdlab.save(run, tmp_path)[0]
    packet = Image.open(path).info["XML:com.adobe.xmp"]
    tree = ElementTree.fromstring(packet[packet.index("<x:") : packet.rindex("<?xpacket")])
    attributes = next(tree.iter("{http://www.w3.org/1999/02/22-rdf-syntax-ns#}Description")).attrib
    assert attributes["{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType"] == gallery.MADE_BY_A_MODEL


def test_nothing_is_overwritten(run, tmp_path):
    paths = [path for _ in range(3) for path in sdlab.save(run, tmp_path)]
    assert len(set(paths)) == 6
    assert all(sdlab.read(p).prompt == run.recipe.prompt for p in paths)


@given(st.text())
def test_no_prompt_leaves_its_folder(text):
    name = gallery.slug(text)
    assert name.isascii()
    assert not set(name) & set("/\\. :\0")
    assert 0 < len(name) <= 48


def picture_with(tmp_path, story):
    texts = PngImagePlugin.PngInfo()
    if story is not None:
        texts.add_itxt("sdlab", story)
    path = tmp_path / "picture.png"
    Image.new("RGB", (8, 8)).save(path, pnginfo=texts)
    return path


@pytest.mark.parametrize(
    ("story", "said"),
    [
        (None, "carries no recipe"),
        ("{", "is broken"),
        ("{}", "is broken"),
        (json.dumps({"recipe": {"prompt": "a lion", "steps": -4}}), "steps is -4"),
        (json.dumps({"recipe": {"prompt": "a lion", "cfg": 2}}), "unknown ingredients"),
    ],
)
def test_a_picture_without_a_sound_recipe_is_refused(tmp_path, story, said):
    with pytest.raises(ValueError, match=said):
        sdlab.read(picture_with(tmp_path, story))


def test_files_that_are_no_pictures_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist"):
        sdlab.read(tmp_path / "nothing.png")
    (tmp_path / "text.png").write_text("not a picture")
    with pytest.raises(ValueError, match="not a readable picture"):
        sdlab.read(tmp_path / "text.png")


def test_a_folder_that_cannot_be_made_is_said_at_once(run, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match=r"cannot be made .* choose one you may write to"):
        sdlab.save(run, tmp_path / "file" / "folder")


def test_a_full_disk_leaves_no_half_file(run, tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))  # the kernel refuses to let a file grow past this
    try:
        with pytest.raises(OSError, match=r"could not be written .* free space or choose another folder"):
            sdlab.save(run, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert list(tmp_path.iterdir()) == []

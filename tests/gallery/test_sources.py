"""A picture that began with another one can be made again from its file, for a copy of that one lies beside it."""

import numpy as np
import pytest
from PIL import Image

import sdlab
from sdlab.gallery.sources import place_of


@pytest.fixture(scope="module")
def photo():
    return Image.effect_noise((50, 40), 80).convert("RGB")


@pytest.fixture(scope="module")
def run(pipe, photo):
    with pytest.warns(UserWarning, match="of it is cut off"):
        return sdlab.generate(pipe, "a lion, cartoon", image=photo, strength=0.7, steps=4, seed=5, progress=False)


@pytest.mark.filterwarnings("ignore:image is")
def test_the_file_alone_makes_it_again(pipe, run, tmp_path):
    [file] = sdlab.save(run, tmp_path / "kept")
    assert np.array_equal(sdlab.reproduce(pipe, file).image, run.image)
    assert sdlab.read(file) == run.recipe
    assert "Denoising strength: 0.7" in Image.open(file).text["parameters"]


@pytest.mark.filterwarnings("ignore:image is")
def test_two_of_one_source_keep_one_copy_and_a_gallery_lists_the_pictures_only(pipe, run, tmp_path):
    sdlab.save([run, run], tmp_path)
    assert len(list((tmp_path / "sources").iterdir())) == 1
    assert len(sdlab.Gallery(tmp_path)) == 2 and not sdlab.Gallery(tmp_path).skipped


@pytest.mark.filterwarnings("ignore:image is")
def test_without_the_copy_the_picture_is_asked_for_and_can_be_given(pipe, run, photo, tmp_path):
    [file] = sdlab.save(run, tmp_path)
    place_of(run.recipe.image, tmp_path).unlink()
    with pytest.raises(FileNotFoundError, match="is not here: give it again"):
        sdlab.reproduce(pipe, file)
    again = sdlab.generate(pipe, sdlab.read(file).but(image=photo), progress=False)
    assert np.array_equal(again.image, run.image)


def test_another_picture_in_its_place_is_not_taken(pipe, run, tmp_path):
    [file] = sdlab.save(run, tmp_path)
    Image.new("RGB", (50, 40)).save(place_of(run.recipe.image, tmp_path))
    with pytest.raises(OSError, match=r"is not the picture .* any more"):
        sdlab.reproduce(pipe, file)


@pytest.mark.filterwarnings("ignore:image is")
def test_a_sweep_takes_them_from_its_gallery(pipe, photo, tmp_path):
    recipe = sdlab.Recipe("a lion, cartoon", image=photo, steps=4)
    first = list(sdlab.sweep(pipe, recipe, strength=[0.5, 0.9], gallery=tmp_path, progress=False))
    again = sdlab.sweep(pipe, recipe, strength=[0.5, 0.9], gallery=tmp_path, progress=False)
    assert not again.plan()
    assert all(np.array_equal(a.image, b.image) for a, b in zip(first, again, strict=True))
    batch = sdlab.save_batch(pipe, {"lion": recipe.but(steps=2)}, tmp_path / "batch", progress=False)
    assert np.array_equal(
        sdlab.reproduce(pipe, batch.pictures["lion"][0]).image, sdlab.generate(pipe, recipe.but(steps=2), progress=False).image
    )

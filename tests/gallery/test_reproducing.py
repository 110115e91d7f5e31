import socket

import numpy as np
import pytest

import sdlab
from sdlab.gallery import reproducing


@pytest.fixture(scope="module")
def drawn(pipe, recipe):
    return sdlab.generate(pipe, recipe.but(images=2, steps=2, negative_prompt="blurry"), progress=False)


def test_a_saved_picture_can_be_made_again(drawn, pipe, tmp_path):
    for suffix in ("png", "jpg", "webp"):
        for path, image in zip(sdlab.save(drawn, tmp_path / f"lion.{suffix}"), drawn.images, strict=True):
            twin = sdlab.reproduce(pipe, path).image
            assert np.abs(np.asarray(twin, dtype=int) - np.asarray(image, dtype=int)).max() <= 1  # it was one of a batch of two


def test_the_recipes_model_is_loaded_where_no_pipeline_is_given(drawn, pipe, tmp_path):
    single = sdlab.generate(pipe, drawn.recipe.but(images=1), progress=False)
    [path] = sdlab.save(single, tmp_path)
    for twin in (sdlab.reproduce(path), sdlab.reproduce(file=path), sdlab.reproduce(sdlab.Gallery(tmp_path)[-1])):
        assert twin.image.tobytes() == single.image.tobytes()
        assert twin.recipe == single.recipe


def test_what_a_pair_drew_is_made_again_from_the_file_alone(pair, recipe, tmp_path):
    run = sdlab.generate(pair, recipe.but(steps=3, handover=0.6), progress=False)
    [path] = sdlab.save(run, tmp_path / "refined.webp")
    for twin in (sdlab.reproduce(pair, path), sdlab.reproduce(path)):
        assert twin.recipe == run.recipe
        assert twin.image.tobytes() == run.image.tobytes()


@pytest.fixture
def asked(monkeypatch):
    """Every question for an address on the network."""
    hosts = []

    def refuse(host, *_, **__):
        hosts.append(host)
        raise OSError("no network in this test")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_TELEMETRY", True)  # what the library asks for itself is not a model
    return hosts


def test_a_strangers_file_downloads_nothing(make, tmp_path, monkeypatch, asked):
    sdlab.save(make(model="sd15"), tmp_path / "lion.png")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OSError, match=r"^the recipe names model 'sd15', which is not whole on this machine") as caught:
        sdlab.reproduce("lion.png")
    assert str(caught.value).endswith(
        "and would be a download of 2.7 GB: fetch it with sdlab.reproduce(sdlab.load('sd15'), 'lion.png') or download=True"
    )
    assert caught.value.__cause__ is not None
    assert asked == []


@pytest.mark.parametrize(("download", "local"), [(False, True), (True, False)])
def test_only_download_asks_the_network(make, tmp_path, monkeypatch, download, local):
    calls = []

    def load(name, local_files_only):
        calls.append((name, local_files_only))
        raise OSError("the Hub does not answer")

    monkeypatch.setattr(reproducing, "load", load)
    [path] = sdlab.save(make(model="sdxl"), tmp_path)
    with pytest.raises(OSError, match="the Hub does not answer" if download else r"a download of 6\.9 GB"):
        sdlab.reproduce(path, download=download)
    assert calls == [("sdxl", local)]


def test_a_model_of_the_hub_beside_the_table_is_of_unknown_size(make, tmp_path, monkeypatch):
    def load(name, local_files_only):
        raise OSError("not in the cache")

    monkeypatch.setattr(reproducing, "load", load)
    [path] = sdlab.save(make(model="someone/lions"), tmp_path)
    with pytest.raises(OSError, match=r"'someone/lions', .* unknown size: fetch it with sdlab\.reproduce\(sdlab\.load\('someone/lions'\)"):
        sdlab.reproduce(path)


def test_a_folders_name_asks_for_the_folder(make, tmp_path):
    [path] = sdlab.save(make(model="my-lions"), tmp_path)
    with pytest.raises(
        ValueError, match=r"'my-lions', which cannot be found here: name its folder, sdlab\.reproduce\(sdlab\.load\('folder'"
    ):
        sdlab.reproduce(path)


def test_a_recipe_without_a_model_asks_for_the_pipeline(make, tmp_path):
    [path] = sdlab.save(make(model=None), tmp_path)
    with pytest.raises(ValueError, match=r"names no model: give the pipeline that drew it"):
        sdlab.reproduce(path)


@pytest.mark.parametrize(
    ("call", "kind", "said"),
    [
        (lambda pipe, file: sdlab.reproduce(file, pipe), TypeError, r"before the pipeline: .* sdlab\.reproduce\(pipe, 'lion\.png'\)"),
        (lambda pipe, file: sdlab.reproduce(file, (pipe, pipe)), TypeError, "before the pipeline: the pipeline comes first"),
        (lambda pipe, file: sdlab.reproduce(), TypeError, "got nothing: give the file"),
        (lambda pipe, file: sdlab.reproduce(None), TypeError, "got nothing: give the file"),
        (lambda pipe, file: sdlab.reproduce(pipe), TypeError, "got a StableDiffusionPipeline and no file: give the file"),
        (lambda pipe, file: sdlab.reproduce(pipe, None), TypeError, "got a StableDiffusionPipeline and no file"),
        (lambda pipe, file: sdlab.reproduce("pocket", file), TypeError, "got 'pocket' where the pipeline belongs: load one first"),
        (lambda pipe, file: sdlab.reproduce(3, file), TypeError, r"got 3 \(int\) and not a pipeline"),
        (lambda pipe, file: sdlab.reproduce((), file), TypeError, r"got \(\) \(tuple\) and not a pipeline"),
        (lambda pipe, file: sdlab.reproduce(pipe.unet, file), TypeError, r"\(UNet2DConditionModel\) and not a pipeline"),
        (lambda pipe, file: sdlab.reproduce(pipe, [file]), TypeError, r"\(list\) and not a path: give one file"),
        (lambda pipe, file: sdlab.reproduce([file]), TypeError, "got a list and no file"),
        (lambda pipe, file: sdlab.reproduce(pipe, "none.png"), FileNotFoundError, "'none.png' does not exist"),
        (lambda pipe, file: sdlab.reproduce("none.png"), FileNotFoundError, "'none.png' does not exist"),
        (lambda pipe, file: sdlab.reproduce(file, download="yes"), TypeError, "download is 'yes': it must be True or False"),
    ],
)
def test_a_wrong_call_is_one_sentence(pipe, make, tmp_path, call, kind, said):
    [file] = sdlab.save(make(), tmp_path)
    with pytest.raises(kind, match=said) as caught:
        call(pipe, file)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500

"""The gallery that is asked first: it gives what was kept, to the last pixel, or nothing and a warning."""

import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sdlab
from sdlab.gallery.cache import Cache

KEY = "0123456789abcdef"


@pytest.fixture(scope="module")
def kept(make, tmp_path_factory):
    """A cache with one picture, that picture, and the bytes of its file."""
    run, cache = make(), Cache(tmp_path_factory.mktemp("cache"))
    cache.check()
    cache.keep(KEY, run)
    return cache, run, cache.file(KEY, run.recipe).read_bytes()


def test_what_was_kept_is_found_whole(kept):
    cache, run, _ = kept
    assert cache.has(KEY, run.recipe)
    assert cache.find(KEY, run.recipe) == run
    assert cache.find(KEY[::-1], run.recipe) is None
    assert sdlab.read(cache.file(KEY, run.recipe)) == run.recipe  # a picture like any other of a gallery
    assert [path.name for path in cache.folder.iterdir()] == ["a-lion-on-the-beach-cartoon-7-0123456789abcdef.png"]


def test_keeping_twice_leaves_one_file(kept):
    cache, run, _ = kept
    cache.keep(KEY, run)
    assert cache.find(KEY, run.recipe) == run
    assert len(list(cache.folder.glob("*.png"))) == 1


@settings(deadline=None)
@given(st.data())
def test_damage_anywhere_is_noticed_or_did_no_harm(kept, data):
    cache, run, content = kept
    at, bits = data.draw(st.integers(0, len(content) - 1)), data.draw(st.integers(1, 255))
    end = data.draw(st.just(len(content)) | st.integers(0, len(content) - 1))
    damaged = bytearray(content)
    damaged[at] ^= bits
    cache.file(KEY, run.recipe).write_bytes(bytes(damaged)[:end])
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = cache.find(KEY, run.recipe)
    if found is None:
        assert any("is damaged: it is set aside" in str(warning.message) for warning in told)
        assert not cache.has(KEY, run.recipe)
    else:
        assert found.image == run.image and found.recipe == run.recipe
    cache.keep(KEY, run)
    assert cache.find(KEY, run.recipe) == run

import os
import shutil
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from PIL import Image

import sdlab
from sdlab.gallery import listing, saving


@pytest.fixture
def save_at(make, monkeypatch):
    """Save a picture as if it were so many seconds after a certain hour."""

    def save(to, seconds, **recipe):
        class Clock(datetime):
            @classmethod
            def now(cls, tz=None):
                return datetime(2026, 3, 1, 12, tzinfo=timezone.utc) + timedelta(seconds=seconds)

        monkeypatch.setattr(saving, "datetime", Clock)
        return sdlab.save(make(**recipe), to)[0]

    return save


@pytest.fixture
def folder(save_at, tmp_path):
    """Four pictures, neither the names nor the files' own times in the order in which they were made."""
    files = [
        save_at(tmp_path / "d.png", 0, seed=3, guidance=4.0),
        save_at(tmp_path / "a.webp", 9, seed=3, guidance=8.0),
        save_at(tmp_path / "c.jpg", 5, seed=5, guidance=4.0),
        save_at(tmp_path / "b.png", 7, seed=3, guidance=4.0, sampler="Euler"),
    ]
    for age, file in enumerate(files):
        os.utime(file, (1000 - age, 1000 - age))
    return tmp_path


def named(gallery):
    return [picture.file.name for picture in gallery]


def test_it_lists_what_is_there_newest_last(folder, monkeypatch):
    gallery = sdlab.Gallery(folder)
    assert named(gallery) == ["d.png", "c.jpg", "b.png", "a.webp"]
    assert gallery[0].made == datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
    assert gallery[0].recipe == sdlab.read(folder / "d.png")
    monkeypatch.chdir(folder)
    assert named(sdlab.Gallery(".")) == named(gallery)
    shutil.copytree(folder, folder / "outputs")
    assert named(sdlab.Gallery()) == named(gallery)


def test_a_copy_lists_in_the_same_order(folder, tmp_path):
    for file in sorted(folder.iterdir()):
        (tmp_path / "copy").mkdir(exist_ok=True)
        (tmp_path / "copy" / file.name).write_bytes(file.read_bytes())
    assert named(sdlab.Gallery(tmp_path / "copy")) == ["d.png", "c.jpg", "b.png", "a.webp"]


def test_within_one_second_the_number_decides(save_at, tmp_path):
    for _ in range(11):
        os.utime(save_at(tmp_path / "lion.png", 0), (1000, 1000))
    assert named(sdlab.Gallery(tmp_path)) == ["lion.png", *(f"lion-{n}.png" for n in range(2, 12))]


@pytest.mark.parametrize("made", [None, "yesterday", 12, "9999-99-99"])
def test_a_picture_that_does_not_say_when_has_its_files_time(tmp_path, make, monkeypatch, made):
    whole = saving._tell

    def tell(recipe, generation):
        story = saving.json.loads(whole(recipe, generation)) | {"made": made}
        return saving.json.dumps({key: value for key, value in story.items() if value is not None})

    monkeypatch.setattr(saving, "_tell", tell)
    os.utime(sdlab.save(make(), tmp_path)[0], (86400, 86400))
    assert sdlab.Gallery(tmp_path)[0].made == datetime(1970, 1, 2, tzinfo=timezone.utc)


def test_times_of_other_zones_and_of_none_are_compared(tmp_path, make, monkeypatch):
    for made in ("2026-03-01T11:00:00-03:00", "2026-03-01T13:00:00+00:00", "2026-02-01T13:00:00"):
        story = saving.json.dumps({"recipe": make().recipe.to_dict(), "made": made})
        monkeypatch.setattr(saving, "_tell", lambda recipe, generation, story=story: story)
        sdlab.save(make(), tmp_path / "lion.png")
    assert named(sdlab.Gallery(tmp_path)) == ["lion-3.png", "lion-2.png", "lion.png"]


def test_length_index_and_slice_are_a_lists(folder):
    gallery = sdlab.Gallery(folder)
    assert len(gallery) == 4
    assert gallery[-1].file == folder / "a.webp"
    assert isinstance(gallery[1:], sdlab.Gallery)
    assert named(gallery[-2:]) == ["b.png", "a.webp"]
    assert named(gallery[::-1][:1]) == ["a.webp"]


def test_filter_finds_by_any_ingredient(folder):
    gallery = sdlab.Gallery(folder)
    assert named(gallery.filter(seed=3)) == ["d.png", "b.png", "a.webp"]
    assert named(gallery.filter(seed=3, guidance=4)) == ["d.png", "b.png"]
    assert named(gallery.filter(seed=3).filter(sampler="Euler")) == ["b.png"]
    assert named(gallery.filter(prompt="a lion on the beach, cartoon", model="pocket")) == named(gallery)
    assert named(gallery.filter(seed=4)) == []
    for name, value in gallery[0].recipe.to_dict().items():
        assert "d.png" in named(gallery.filter(**{name: value}))


def test_what_is_damaged_or_carries_no_recipe_stops_nothing(folder):
    (folder / "empty.png").touch()
    (folder / "text.jpg").write_text("not a picture", encoding="utf-8")
    (folder / "half.png").write_bytes((folder / "d.png").read_bytes()[:-60])
    Image.new("RGB", (8, 8)).save(folder / "photo.webp")
    Image.new("RGB", (8, 8)).save(folder / "moving.gif")
    (folder / "notes.txt").touch()
    (folder / ".hidden.png").touch()
    (folder / "inner.png").mkdir()
    gallery = sdlab.Gallery(folder)
    assert named(gallery) == ["d.png", "c.jpg", "b.png", "a.webp"]
    reasons = {file.name: reason for file, reason in gallery.skipped.items()}
    assert sorted(reasons) == ["empty.png", "half.png", "moving.gif", "photo.webp", "text.jpg"]
    assert "empty" in reasons["empty.png"]
    assert "truncated" in reasons["half.png"]
    assert "carries no recipe" in reasons["photo.webp"]
    assert "carries no recipe" in reasons["moving.gif"]
    assert "not a readable picture" in reasons["text.jpg"]


def test_a_picture_stands_wherever_a_file_does(folder):
    newest = sdlab.Gallery(folder)[-1]
    assert sdlab.read(newest) == newest.recipe
    assert newest.image.size == (16, 16)
    assert Image.open(newest).format == "WEBP"
    assert Path(newest) == newest.file


def titles(figure):
    return [axis.get_title() for axis in figure.axes if axis.get_title()]


def test_a_contact_sheet_says_what_differs(folder, save_at, tmp_path):
    gallery = sdlab.Gallery(folder)
    figure = gallery.show(title="four lions")
    assert titles(figure) == [
        "guidance 4\nseed 3\nDDIM",
        "guidance 4\nseed 5\nDDIM",
        "guidance 4\nseed 3\nEuler",
        "guidance 8\nseed 3\nDDIM",
    ]
    assert figure.get_suptitle() == "four lions"
    assert titles(gallery[:1].show()) == ["d.png"]


def test_a_large_picture_is_shown_small(make, tmp_path):
    sdlab.save(make(side=1024), tmp_path)
    [image] = sdlab.Gallery(tmp_path).show().axes[0].images
    assert max(image.get_array().shape) <= 512


def test_its_repr_says_what_it_holds(folder):
    (folder / "empty.png").touch()
    lines = repr(sdlab.Gallery(folder)).splitlines()
    assert lines[0] == f"Gallery('{folder}'): 4 pictures, 1 skipped"
    assert lines[-1] == "  a.webp: 'a lion on the beach, cartoon', seed 3, pocket"
    assert repr(sdlab.Gallery(folder)[:1]).splitlines()[0].endswith("1 picture, 1 skipped")


def test_its_repr_is_short_however_many_there_are(make, tmp_path):
    sdlab.save([make("long words " * 40)] * 8, tmp_path)
    lines = repr(sdlab.Gallery(tmp_path)).splitlines()
    assert len(lines) == 7
    assert lines[1] == "  … 3 older"
    assert max(map(len, lines)) < 250


def test_an_empty_folder_is_an_empty_gallery(tmp_path):
    gallery = sdlab.Gallery(tmp_path)
    assert not gallery
    assert repr(gallery) == f"Gallery('{tmp_path}'): 0 pictures"


def test_to_list_pictures_takes_no_model():
    """A gallery opens in a moment: neither torch nor diffusers is imported for it, nor for reading a recipe."""
    program = "import sys, sdlab; sdlab.Gallery; sdlab.read; print({'torch', 'diffusers', 'matplotlib'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", program], cwd=Path(sdlab.__file__).parents[1], capture_output=True, encoding="utf-8")
    assert run.stdout.strip() == "set()", run.stderr


@pytest.mark.parametrize(
    ("call", "kind", "said"),
    [
        (lambda gallery: sdlab.Gallery("no such folder"), FileNotFoundError, "'no such folder' does not exist: save a picture"),
        (lambda gallery: sdlab.Gallery(gallery[0].file), NotADirectoryError, "is a file: read its recipe with sdlab.read"),
        (lambda gallery: sdlab.Gallery("l" * 5000), OSError, "cannot be listed"),
        (lambda gallery: sdlab.Gallery(None), TypeError, r"got None \(NoneType\) and not a path: give the folder"),
        (lambda gallery: sdlab.Gallery([gallery[0]]), TypeError, r"\(list\) and not a path"),
        (lambda gallery: sdlab.Gallery(""), ValueError, "can name no file"),
        (lambda gallery: gallery["d.png"], TypeError, "index is 'd.png': give a whole number or a slice"),
        (lambda gallery: gallery[1.0], TypeError, r"index is 1\.0"),
        (lambda gallery: gallery[4], IndexError, "index is 4: this gallery has from 0 to 3"),
        (lambda gallery: gallery[:0][0], IndexError, "index is 0: this gallery has nothing"),
        (lambda gallery: gallery.filter("a lion"), TypeError, "got 'a lion' without a name: name the ingredient"),
        (lambda gallery: gallery.filter({"seed": 3}), TypeError, "without a name"),
        (lambda gallery: gallery.filter(sede=3), TypeError, "a Recipe has no 'sede' to filter by: did you mean 'seed'?"),
        (lambda gallery: gallery.filter(cfg=3), TypeError, "a Recipe has no 'cfg' to filter by: choose from prompt, .*"),
        (lambda gallery: gallery.filter(seed="3"), TypeError, "seed is '3': it must be"),
        (lambda gallery: gallery.filter(seed=-3), ValueError, "seed is -3: it must"),
        (lambda gallery: gallery.filter(sampler="Eular"), ValueError, "sampler is 'Eular': choose"),
        (lambda gallery: gallery[:0].show(), ValueError, "has 0 pictures, .*: save some first"),
    ],
)
def test_a_wrong_call_is_one_sentence(folder, call, kind, said):
    with pytest.raises(kind, match=said) as caught:
        call(sdlab.Gallery(folder))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_sheet_too_large_says_how_to_show_a_part(make, tmp_path, monkeypatch):
    monkeypatch.setattr(listing, "LARGEST_SHEET", 2)
    sdlab.save([make()] * 3, tmp_path)
    with pytest.raises(ValueError, match=r"has 3 pictures, and a sheet holds 1 to 2: show a part, such as gallery\[-2:\]\.show\(\)"):
        sdlab.Gallery(tmp_path).show()


def test_a_picture_lost_since_the_listing_says_so(folder):
    gallery = sdlab.Gallery(folder)
    (folder / "a.webp").unlink()
    with pytest.raises(FileNotFoundError, match=r"a\.webp' does not exist"):
        gallery.show()

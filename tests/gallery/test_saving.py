import builtins
import errno
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import sdlab
from sdlab.gallery import saving
from sdlab.pipes.generation import Generation


def names(folder):
    return sorted(path.name for path in folder.iterdir())


# Where it goes


def test_a_name_that_ends_as_a_picture_is_a_file_and_any_other_a_folder(make, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = make()
    assert sdlab.save(run, "lion.png") == [Path("lion.png")]
    assert sdlab.save(run, "deep/er/lion.JPG") == [Path("deep/er/lion.JPG")]
    assert sdlab.save(run, to=Path("lion.webp")) == [Path("lion.webp")]
    assert sdlab.save(run, "version.2") == [Path("version.2/a-lion-on-the-beach-cartoon-7.png")]
    assert sdlab.save(run) == [Path("outputs/a-lion-on-the-beach-cartoon-7.png")]
    assert names(tmp_path) == ["deep", "lion.png", "lion.webp", "outputs", "version.2"]


def test_several_images_under_one_name_are_numbered(make, tmp_path):
    saved = sdlab.save(make(images=3), tmp_path / "lion.webp")
    assert [path.name for path in saved] == ["lion.webp", "lion-2.webp", "lion-3.webp"]
    assert [sdlab.read(path).seed for path in saved] == [7, 8, 9]


def test_several_generations_are_saved_as_show_shows_them(make, tmp_path):
    a, b, c = make(seed=1), make(seed=2, images=2), make(seed=4)
    in_a_list, one_by_one, mixed = sdlab.save([a, b], tmp_path), sdlab.save(a, b, tmp_path), sdlab.save((a, b), c, to=tmp_path)
    assert [sdlab.read(path).seed for path in in_a_list] == [1, 2, 3]
    assert [sdlab.read(path).seed for path in one_by_one] == [1, 2, 3]
    assert [sdlab.read(path).seed for path in mixed] == [1, 2, 3, 4]
    assert [path.name for path in sdlab.save([a, c], tmp_path / "both.png")] == ["both.png", "both-2.png"]


def test_nothing_is_overwritten(run, tmp_path):
    (tmp_path / "lion.png").mkdir()
    paths = [path for to in (tmp_path, tmp_path, tmp_path / "lion.png", tmp_path / "lion.png") for path in sdlab.save(run, to)]
    assert len(set(paths)) == 8
    assert [path.name for path in paths[4:]] == ["lion-2.png", "lion-3.png", "lion-4.png", "lion-5.png"]
    assert all(sdlab.read(path).prompt == run.recipe.prompt for path in paths)


def test_a_name_that_a_folder_has_is_taken_whatever_the_system_calls_it(make, tmp_path, monkeypatch):
    """Windows says "access denied" where Linux says "exists"."""
    (tmp_path / "lion.png").mkdir()
    opened = builtins.open

    def open_as_windows(file, *rest, **more):
        if Path(file).is_dir():
            raise PermissionError(errno.EACCES, "Access is denied")
        return opened(file, *rest, **more)

    monkeypatch.setattr(builtins, "open", open_as_windows)
    assert sdlab.save(make(), tmp_path / "lion.png") == [tmp_path / "lion-2.png"]


@given(st.text() | st.sampled_from(sorted(saving.DEVICES)) | st.text("a. ", min_size=60))
def test_no_prompt_leaves_its_folder(text):
    name = saving.slug(text)
    assert name.isascii()
    assert not set(name) & set('/\\. :\0<>"|?*')
    assert 0 < len(name) <= 48
    assert name[-1] not in "-. "
    assert f"{name}-7" not in saving.DEVICES  # Windows opens a device by such a name; the seed behind it makes it another


def test_a_prompt_that_names_a_device_is_only_a_prompt(make, tmp_path):
    assert [sdlab.save(make(name), tmp_path)[0].name for name in ("con", "NUL.", "aux . ")] == ["con-7.png", "nul-7.png", "aux-7.png"]


def test_a_name_as_long_as_the_system_takes_is_taken(make, tmp_path):
    name = "l" * 251 + ".png"
    assert sdlab.save(make(), tmp_path / name)[0].name == name


# What is in it


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_no_path_of_this_machine_gets_into_a_file(make, tmp_path, suffix):
    folder = tmp_path / "my-model"
    folder.mkdir()
    [file] = sdlab.save(make(model=str(folder)), tmp_path / "out" / f"lion.{suffix}")
    content = file.read_bytes()
    for place in (tmp_path, Path.home(), Path.cwd(), Path(sdlab.__file__).parent, Path(sys.prefix)):
        for encoding in ("utf-8", "utf-16-be", "utf-16-le"):
            assert str(place).encode(encoding) not in content
    assert sdlab.read(file).model == "my-model"


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("pocket", "pocket"),
        ("stabilityai/sd-turbo", "stabilityai/sd-turbo"),
        ("/home/student/models/lions/", "lions"),
        ("C:\\Users\\student\\lions", "lions"),
        ("./lions", "lions"),
        ("~/lions", "lions"),
        ("models/mine/lions", "lions"),
        ("/mnt/weights/lions.safetensors", "lions.safetensors"),
        ("lions", "lions"),
        ("/", "a folder"),
    ],
)
def test_a_model_is_saved_by_its_name(model, name):
    assert saving.hide_path(model) == name


def test_a_folder_of_two_words_is_no_name_of_the_hub(tmp_path, monkeypatch):
    (tmp_path / "trained" / "lions").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert saving.hide_path("trained/lions") == "lions"
    assert saving.hide_path(".") == tmp_path.name


# What the disk does to it


@pytest.mark.parametrize("error", [PermissionError(errno.EPERM, "Operation not permitted"), OSError(errno.ENOTSUP, "not supported")])
def test_a_file_system_without_links_is_good_enough(make, tmp_path, monkeypatch, error):
    """A Drive mount, exFAT, many network disks."""

    def refuse(*_, **__):
        raise error

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(os, "symlink", refuse)
    run = make()
    assert sdlab.read(sdlab.save(run, tmp_path)[0]) == run.recipe


def fail_with(number):
    def fail(*_, **__):
        raise OSError(number, os.strerror(number))

    return fail


def fail_to_write(monkeypatch, number):
    """A disk that refuses a file's content, and not its name."""
    opened = builtins.open

    def open_for_nothing(file, mode="r", *rest, **more):
        made = opened(file, mode, *rest, **more)
        if str(file).endswith(".partial"):
            made.close()
            fail_with(number)()
        return made

    monkeypatch.setattr(builtins, "open", open_for_nothing)


@pytest.mark.parametrize("step", ["open", "fsync", "replace"])
@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "free space or choose another folder"),
        (errno.EACCES, "choose a folder you may write to"),
        (errno.EROFS, "choose a folder you may write to"),
        (errno.EIO, "choose another folder"),
    ],
)
def test_a_failure_says_its_cause_and_leaves_nothing(make, tmp_path, monkeypatch, step, number, remedy):
    if step == "open":
        fail_to_write(monkeypatch, number)
    else:
        monkeypatch.setattr(os, step, fail_with(number))
    with pytest.raises(OSError, match=rf"lion\.png' could not be written \({re.escape(os.strerror(number))}\): {remedy}$") as caught:
        sdlab.save(make(), tmp_path / "lion.png")
    assert caught.value.__cause__.errno == number
    monkeypatch.undo()
    assert names(tmp_path) == []


def test_a_full_disk_leaves_no_half_file(run, tmp_path):
    """Not a patch but the kernel, which refuses to let a file grow past the limit."""
    resource, signal = pytest.importorskip("resource"), pytest.importorskip("signal")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, before[1]))
    try:
        with pytest.raises(OSError, match=r"could not be written \(File too large\): choose another folder"):
            sdlab.save(run, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert names(tmp_path) == []


def test_an_interrupt_leaves_nothing(make, tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        sdlab.save(make(), tmp_path)
    assert names(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_said_at_once(run, tmp_path):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    for folder in (tmp_path / "file", tmp_path / "file" / "folder"):
        with pytest.raises(OSError, match=r"^folder '.*' cannot be made \(.+\): choose another folder$"):
            sdlab.save(run, folder)


SAVER = """
import os, sys, time
from PIL import Image
import sdlab
from sdlab.pipes.generation import Generation

folder, seed, starter = sys.argv[1], int(sys.argv[2]), sys.argv[3]
recipe = sdlab.Recipe("a lion", seed=7, steps=3, guidance=float(seed), width=8, height=8)
run = Generation(recipe, [Image.new("RGB", (8, 8), (seed, seed, seed))], 0.1, "cpu", "float32", 0, "")
if starter == "dies":
    os.replace = lambda *_: os._exit(9)  # as a kill does: nothing behind this line runs, no `finally` either
    sdlab.save(run, folder)
open(os.path.join(starter, str(seed)), "x").close()
while not os.path.exists(os.path.join(starter, "go")):
    time.sleep(0.001)
for _ in range(25):
    sdlab.save(run, folder)
"""


def start(folder, seed, starter):
    return subprocess.Popen([sys.executable, "-c", SAVER, str(folder), str(seed), str(starter)], cwd=Path(sdlab.__file__).parents[1])


def test_a_kill_leaves_nothing_that_is_taken_for_a_picture(make, tmp_path):
    assert start(tmp_path, 1, "dies").wait(120) == 9
    claimed = tmp_path / "a-lion-7.png"
    assert claimed.stat().st_size == 0
    run = make("a lion")
    assert sdlab.save(run, tmp_path)[0].name == "a-lion-7-2.png"
    gallery = sdlab.Gallery(tmp_path)
    assert [picture.recipe for picture in gallery] == [run.recipe]
    assert "empty" in gallery.skipped[claimed]
    with pytest.raises(ValueError, match="empty"):
        sdlab.read(claimed)


def all_whole(paths, recipes):
    """Each recipe as often as it was saved, and no file of which a part is another's."""
    read = [sdlab.read(path) for path in paths]
    return len(set(paths)) == len(paths) and all(read.count(recipe) == len(paths) // len(recipes) for recipe in recipes)


def test_threads_that_save_the_same_picture_keep_them_all(make, tmp_path):
    runs = [make(guidance=float(i)) for i in range(8)]  # one prompt and one seed, so one name
    saved, errors, together = [], [], threading.Barrier(len(runs))

    def work(run):
        together.wait()
        try:
            for _ in range(10):
                saved.extend(sdlab.save(run, tmp_path))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(run,)) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted(path.name for path in saved) == names(tmp_path)
    assert len(saved) == 80
    assert all_whole(saved, [run.recipe for run in runs])


def test_processes_that_save_the_same_picture_keep_them_all(tmp_path):
    folder, starter = tmp_path / "outputs", tmp_path / "starter"
    starter.mkdir()
    savers = [start(folder, seed, starter) for seed in (1, 2, 3)]
    while len(names(starter)) < 3 and all(saver.poll() is None for saver in savers):
        time.sleep(0.01)
    (starter / "go").touch()  # all have imported what they need: now they save at once
    assert [saver.wait(120) for saver in savers] == [0, 0, 0]
    recipes = [sdlab.Recipe("a lion", seed=7, steps=3, guidance=float(seed), width=8, height=8) for seed in (1, 2, 3)]
    saved = list(folder.iterdir())
    assert len(saved) == 75
    assert all_whole(saved, recipes)


# What is refused


class Broken:
    def __repr__(self):
        raise RuntimeError("no repr")


@pytest.mark.parametrize(
    ("call", "kind", "said"),
    [
        (lambda run: sdlab.save(), ValueError, "got no Generation"),
        (lambda run: sdlab.save([]), ValueError, "got no Generation"),
        (lambda run: sdlab.save([], "lion.png"), ValueError, "got no Generation"),
        (lambda run: sdlab.save("outputs"), ValueError, "got no Generation"),
        (lambda run: sdlab.save("outputs", run), TypeError, r"got 'outputs' \(str\) and not a Generation"),
        (lambda run: sdlab.save(run.image), TypeError, "not a Generation"),
        (lambda run: sdlab.save([run, None]), TypeError, r"got None \(NoneType\)"),
        (lambda run: sdlab.save(run.recipe, "lion.png"), TypeError, r"\(Recipe\) and not a Generation"),
        (lambda run: sdlab.save(Broken()), TypeError, r"\(Broken\) and not a Generation"),
        (lambda run: sdlab.save(run, 3), TypeError, r"got 3 \(int\) and not a Generation"),
        (lambda run: sdlab.save(run, None), TypeError, "got None"),
        (lambda run: sdlab.save(run, to=3), TypeError, r"got 3 \(int\) and not a path"),
        (lambda run: sdlab.save(run, to=b"outputs"), TypeError, r"\(bytes\) and not a path"),
        (lambda run: sdlab.save(run, "one", to="two"), TypeError, "two places, 'one' and 'two'"),
        (lambda run: sdlab.save(run, ""), ValueError, "which can name no file"),
        (lambda run: sdlab.save(run, "a\0b.png"), ValueError, "which can name no file"),
        (lambda run: sdlab.save(run, "half \ud83d.png"), ValueError, "which can name no file"),
        (lambda run: sdlab.save(run, "lion.gif"), ValueError, r"'lion.gif' ends in \.gif: .* \.png, \.jpg, \.jpeg, \.webp"),
        (lambda run: sdlab.save(run, "lion.TIFF"), ValueError, r"ends in \.tiff"),
        (lambda run: sdlab.save(run, ".png"), ValueError, "no name before its ending"),
        (lambda run: sdlab.save(run, "what?.png"), ValueError, "'what.*' has a name that Windows cannot write: choose"),
        (lambda run: sdlab.save(run, "one: two.jpg"), ValueError, "Windows cannot write"),
        (lambda run: sdlab.save(run, "AUX.png"), ValueError, "Windows cannot write"),
        (lambda run: sdlab.save(run, "nul.two.webp"), ValueError, "Windows cannot write"),
        (lambda run: sdlab.save(run, "l" * 5000), OSError, r"cannot be made \(.+\): choose a shorter name"),
        (lambda run: sdlab.save(run, "l" * 300 + ".png"), OSError, r"could not be written \(.+\): choose a shorter name"),
        (lambda run: sdlab.save(Generation(None, run.images, 1.0, "cpu", "", 0, "")), TypeError, "recipe is None"),
        (lambda run: sdlab.save(Generation(run.recipe, [], 1.0, "cpu", "", 0, "")), TypeError, r"images are \[\]"),
        (lambda run: sdlab.save(Generation(run.recipe, [None], 1.0, "cpu", "", 0, "")), TypeError, r"images are \[None\]"),
        (lambda run: sdlab.save(Generation(run.recipe, run.image, 1.0, "cpu", "", 0, "")), TypeError, "images are <PIL"),
    ],
)
def test_a_wrong_call_is_one_sentence(make, tmp_path, monkeypatch, call, kind, said):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(kind, match=said) as caught:
        call(make())
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 500
    assert re.search(r": \S", message)  # what is wrong, a colon, what to do
    assert names(tmp_path) == []  # refused before anything was written

"""A run: killed at any moment, resumed with the same settings or refused, and on a clock that counts training only."""

import itertools
import json
from contextlib import ExitStack
from types import SimpleNamespace

import pytest
import torch
from accelerate import Accelerator

from sdlab.system import device
from sdlab.training import precision as choosing
from sdlab.training import run as running
from sdlab.training.in_part import TRAINED
from sdlab.training.run import Run
from sdlab.training.settings import SETTINGS, OtherSettings


class Square(torch.nn.Module):
    """The smallest module whose forward is a loss."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))

    def forward(self):
        return self.weight.square().sum()


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """A clock that stands still unless a test moves it."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(running, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def begin(folder, settings=None, **changed):
    run = Run("tiny", folder, **{"minutes": 1, "lr": 0.01, "precision": "no", **changed})
    module = Square()
    return run, *run.begin(module, torch.optim.SGD(module.parameters(), lr=0.01), settings)


def train(folder, clock, seconds=30, **changed):
    """Steps of `seconds` each until the minutes are spent."""
    run, model, optimizer, _ = begin(folder, **changed)
    for _ in run.steps(optimizer, batch=4):
        run.update(model())
        clock.now += seconds
    return run


def test_a_run_resumes_where_it_was(tmp_path, clock):
    assert train(tmp_path, clock).step == 2
    run = train(tmp_path, clock, minutes=2)
    assert (run.step, run.samples, run.spent) == (4, 16, pytest.approx(2))


@pytest.mark.parametrize("precisions", [("no", "bf16"), ("bf16", "no")])
def test_a_second_training_in_a_process_has_a_precision_of_its_own(tmp_path, clock, precisions, monkeypatch):
    monkeypatch.setattr(running, "has_bf16", lambda device: True)
    for precision in precisions:
        run = train(tmp_path / precision, clock, precision=precision, device="cpu")
        assert run.step == 2
        assert run.accelerator.mixed_precision == precision


def test_killed_at_any_moment_of_a_save_it_resumes_and_saves_again(tmp_path, clock, kill_at):
    train(tmp_path, clock)
    for moment in itertools.count():
        run, *_ = begin(tmp_path)
        before, run.step = run.step, run.step + 1
        with kill_at(moment) as kill:
            run.save()
        again, *_ = begin(tmp_path)
        assert again.step in (before, before + 1)
        again.save()
        assert again.step == begin(tmp_path)[0].step
        if not kill.done:
            break
    assert moment > 8  # two renames, and every file of the old checkpoint
    assert again.step == before + 1


def test_only_one_process_puts_a_checkpoint_back_and_the_others_wait(tmp_path, clock, monkeypatch):
    aside = train(tmp_path, clock).checkpoint.rename(tmp_path / "tiny" / "checkpoint.old")

    def put_back(_):  # what the main process does meanwhile
        if aside.exists():
            aside.rename(tmp_path / "tiny" / "checkpoint")

    monkeypatch.setattr(Accelerator, "is_main_process", False)
    monkeypatch.setattr(Accelerator, "wait_for_everyone", lambda _: None)
    assert begin(tmp_path)[0].step == 0  # this process left it where it was
    monkeypatch.setattr(Accelerator, "wait_for_everyone", put_back)
    assert begin(tmp_path)[0].step == 2


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"lr": 0.02}, r"lr was 0\.01 and is now 0\.02"),
        ({"seed": 5}, r"seed was 0 and is now 5"),
        ({"decay": "linear"}, r"decay was 'cosine' and is now 'linear'"),
        ({"settings": {"batch": 8, "mix": {"flaw": 0.1}}}, r"batch was 4 and is now 8"),
        ({"settings": {"batch": 4, "mix": {"flaw": 0.2}}}, r"mix\.flaw was 0\.1 and is now 0\.2"),
        ({"settings": {"batch": 4, "mix": {"flaw": 0.1}, "images": "a"}}, r"images was None and is now 'a'"),
    ],
)
def test_other_settings_are_refused_with_both_values(tmp_path, clock, changed, message):
    asked = {"batch": 4, "mix": {"flaw": 0.1}}
    train(tmp_path, clock, settings=asked)
    with pytest.raises(OtherSettings, match=message) as caught:
        begin(tmp_path, **{"settings": asked, **changed})
    assert "choose another folder" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_same_settings_and_more_minutes_are_taken(tmp_path, clock):
    train(tmp_path, clock, settings={"widths": (1, 2)})  # a tuple, which JSON gives back as a list
    assert begin(tmp_path, {"widths": (1, 2)}, minutes=9, save_minutes=1)[0].step == 2


def test_a_checkpoint_that_tells_of_no_settings_is_taken_as_it_is(tmp_path, clock):
    run = train(tmp_path, clock)
    (run.checkpoint / SETTINGS).unlink()
    assert begin(tmp_path, lr=0.5)[0].step == 2


def test_steps_count_whole_and_looks_and_checkpoints_do_not(tmp_path, clock, monkeypatch):
    run, model, optimizer, _ = begin(tmp_path, save_minutes=0.5)
    saved = []

    def save():
        clock.now += 500
        run._saved = run.spent
        saved.append(run.step)

    monkeypatch.setattr(run, "save", save)
    for step in run.steps(optimizer, batch=4):
        run.update(model())
        clock.now += 15  # longer than what a look used to be cut to
        if step == 1:
            with run.pause():
                clock.now += 300
    assert (run.step, run.spent) == (4, pytest.approx(1))
    assert saved == [3, 4]


def test_a_pause_ends_with_its_block_whatever_happens_there(tmp_path, clock):
    run, _, optimizer, _ = begin(tmp_path)
    for _ in run.steps(optimizer, batch=4):
        with ExitStack() as stack, pytest.raises(RuntimeError):
            stack.enter_context(run.pause())
            clock.now += 300
            raise RuntimeError
        clock.now += 30
    assert run.step == 2


def test_a_pause_waits_for_the_device_before_the_clock_stops(tmp_path, clock, monkeypatch):
    run, _, optimizer, _ = begin(tmp_path)
    pending = []

    def synchronize(_):
        while pending:
            clock.now += pending.pop()

    monkeypatch.setattr(running, "synchronize", synchronize)
    for _ in run.steps(optimizer, batch=4):
        pending.append(30)  # the device works while Python is through already
        with run.pause():
            pending.append(500)
    assert run.step == 2


def test_a_sleep_of_the_machine_is_not_training(tmp_path, clock):
    assert train(tmp_path, clock, seconds=8 * 3600, minutes=2).spent == pytest.approx(2)


@pytest.mark.parametrize(("capability", "precision"), [((7, 5), "no"), ((8, 0), "bf16")])
def test_bf16_is_taken_only_where_a_gpu_computes_in_it(tmp_path, monkeypatch, capability, precision):
    asked = {}

    class Fake:
        process_index = 0

        def __init__(self, **named):
            asked.update(named)

        def init_trackers(self, name):
            pass

    monkeypatch.setattr(choosing, "Accelerator", Fake)
    monkeypatch.setattr(running, "set_seed", lambda *_, **__: None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda *_, **__: True)  # says torch also of those that imitate it
    Run("tiny", tmp_path, 1, 0.01)
    assert asked["mixed_precision"] == precision
    assert device.has_bf16("cuda") == (precision == "bf16")


def test_the_settings_are_readable(tmp_path, clock):
    run = train(tmp_path, clock, settings={"batch": 4})
    kept = json.loads((run.checkpoint / SETTINGS).read_text(encoding="utf-8"))
    assert kept == {"lr": 0.01, "decay": "cosine", "seed": 0, "processes": 1, "batch": 4}


def take(run, optimizer, update, count=None):
    """Steps until the run ends, or so many."""
    for taken, _ in enumerate(run.steps(optimizer, batch=4), 1):
        update()
        if taken == count:
            return


def test_a_run_counts_steps_and_keeps_the_last_checkpoints(tmp_path, clock):
    settings = {"minutes": None, "limit": 7, "save_steps": 2, "keep": 2}
    run, model, optimizer, _ = begin(tmp_path, **settings)
    rates = []
    take(run, optimizer, lambda: (run.update(model()), rates.append(optimizer.param_groups[0]["lr"])))
    assert run.step == 7 and run.progress == 1 and rates == sorted(rates, reverse=True) and rates[0] == pytest.approx(0.01)
    assert sorted(place.name for place in run.folder.glob("checkpoint*")) == ["checkpoint-000006", "checkpoint-000007"]
    more = begin(tmp_path, **settings | {"limit": 9})[0]
    assert more.step == 7 and more.checkpoint.name == "checkpoint-000007"


def test_minutes_or_steps_whichever_end_first(tmp_path, clock):
    run, model, optimizer, _ = begin(tmp_path, minutes=1, limit=100)
    for _ in run.steps(optimizer, batch=4):
        run.update(model())
        clock.now += 15
    assert run.step == 4


def test_killed_at_any_moment_while_several_are_kept_it_resumes(tmp_path, clock, kill_at):
    settings = {"minutes": None, "limit": 1000, "save_steps": 1000, "keep": 2}
    run, *_ = begin(tmp_path, **settings)
    for run.step in (1, 2):
        run.save()
    for moment in itertools.count():
        run, *_ = begin(tmp_path, **settings)
        before, run.step = run.step, run.step + 1
        with kill_at(moment) as kill:
            run.save()
        again, *_ = begin(tmp_path, **settings)
        assert again.step in (before, before + 1)
        if not kill.done:
            break
    assert moment > 6 and again.step == before + 1  # a rename, the oldest one's, and every file of that
    assert [place.name for place in again._kept()] == [f"checkpoint-{step:06d}" for step in (before, before + 1)]


def test_a_part_is_trained_and_alone_is_in_the_checkpoint(tmp_path, clock):
    from safetensors.torch import load_file

    def start():
        run = Run("part", tmp_path, None, 0.1, precision="no", limit=3)
        module = torch.nn.Sequential(torch.nn.Linear(3, 3, bias=False), torch.nn.Linear(3, 1)).requires_grad_(False)
        module[1].requires_grad_(True)
        optimizer = torch.optim.SGD(module[1].parameters(), lr=0.1)
        model, optimizer, average = run.begin(module, optimizer, in_part=True)
        assert average is None
        return run, module, model, optimizer

    run, module, model, optimizer = start()
    frozen = module[0].weight.clone()
    take(run, optimizer, lambda: run.update(model(torch.ones(2, 3)).square().mean()))
    kept = load_file(run.checkpoint / TRAINED)
    assert kept.keys() == {"1.weight", "1.bias"} and torch.equal(kept["1.weight"], module[1].weight)
    assert torch.equal(frozen, module[0].weight) and not list(run.checkpoint.glob("model*"))
    again, module, *_ = start()
    assert again.step == 3 and torch.equal(kept["1.weight"], module[1].weight)


def test_parts_of_a_batch_are_one_update(tmp_path, clock):
    ends = []
    for name, parts in (("whole", 1), ("parts", 4)):
        run, model, optimizer, _ = begin(tmp_path / name, minutes=None, limit=2)
        factors = torch.tensor([1.0, 2.0, 3.0, 6.0]).split(4 // parts)
        take(run, optimizer, lambda: run.update_in_parts((model() * part.mean() for part in factors), parts))  # noqa: B023
        ends.append(run._training[0].weight.item())
    assert ends[0] == pytest.approx(ends[1]) and ends[0] != 1


def test_what_is_trained_once_more_stands_in_the_log_once(tmp_path, clock):
    settings = {"minutes": None, "limit": 8, "save_steps": 4, "log_steps": 3}
    run, model, optimizer, _ = begin(tmp_path / "whole", **settings)
    take(run, optimizer, lambda: run.update(model()))
    whole = (run.folder / "log.jsonl").read_text(encoding="utf-8")
    run, model, optimizer, _ = begin(tmp_path / "killed", **settings)
    take(run, optimizer, lambda: run.update(model()), count=7)
    with open(run.folder / "log.jsonl", "a", encoding="utf-8") as log:
        log.write('{"step": 7, "lo')  # torn by the kill
    run, model, optimizer, _ = begin(tmp_path / "killed", **settings)
    assert run.step == 4
    take(run, optimizer, lambda: run.update(model()))
    assert (run.folder / "log.jsonl").read_text(encoding="utf-8") == whole and whole.count("\n") == 3

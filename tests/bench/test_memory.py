"""Memory: counted where the device counts, looked at where it does not."""

import threading

import torch

from sdlab.bench.memory import watch_memory


def test_on_a_cpu_a_passing_tensor_is_in_the_peak_and_not_in_the_end():
    with watch_memory("cpu", pause=0.001) as held:
        looked = held.looks
        large = torch.ones(50_000_000)  # 200 MB
        while held.looks < looked + 20:
            pass
        del large
    assert held.looks > 20
    assert held.peak - held.before > 150e6
    assert held.after < held.peak - 150e6


def test_on_a_mac_it_is_looked_at_while_the_work_runs(monkeypatch):
    """The driver holds most in the middle, and nobody would know of it from before and after."""
    order, now, looked = [], [100], threading.Event()

    def allocated():
        order.append("look")
        looked.set()
        return now[0]

    monkeypatch.setattr(torch.mps, "synchronize", lambda: order.append("wait"))
    monkeypatch.setattr(torch.mps, "driver_allocated_memory", allocated)
    with watch_memory("mps", pause=0.001) as held:
        for size in (900, 200):
            now[0] = size
            for _ in range(2):  # the look that was on its way may still have seen the size before
                looked.clear()
                assert looked.wait(10)
    assert (held.before, held.peak, held.after) == (100, 900, 200)
    assert order[:2] == ["wait", "look"]
    last = len(order) - 1 - order[::-1].index("wait")
    assert "look" in order[2:last] and "look" in order[last:]


def test_cuda_counts_by_itself(monkeypatch):
    calls, held_now = [], iter((10, 30))
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: calls.append("wait"))
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda device: calls.append("reset"))
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: next(held_now))
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: 70)
    with watch_memory("cuda") as held:
        calls.append("work")
    assert calls == ["wait", "reset", "work", "wait"]
    assert (held.before, held.peak, held.after, held.looks) == (10, 70, 30, 0)


def test_watching_ends_with_the_work_also_if_that_fails():
    before = threading.active_count()
    try:
        with watch_memory("cpu", pause=0.001):
            raise KeyError("the work")
    except KeyError:
        pass
    assert threading.active_count() == before

"""What lesson 15 reads is there: the files that `sdlab bench` wrote, and in them what its cells and its words need."""

from sdlab.bench import results
from sdlab.lesson import RESULTS


def test_the_kept_file_holds_what_the_lesson_draws():
    kept = results.read(RESULTS / "15-pocket.json")
    assert kept.done and kept.asked["model"] == "pocket" and kept.machine["device"] == "cpu"
    batches = [kept.entries[f"batch {size}"] for size in (2, 4, 8)]
    assert {len(entry.samples) for entry in batches} == {kept.asked["repeats"]}
    assert kept.entries["sliced attention"].ratio


def test_no_kept_setting_that_only_computes_otherwise_draws_another_picture():
    """Those whose pictures may differ: fewer bits, tiles with edges, other steps, another sampler, another size."""
    kept = results.read(RESULTS / "15-pocket.json")
    for name in ("sliced attention", "plain attention", "channels_last", "batch 2", "batch 8", "words encoded once"):
        assert kept.entries[name].pixels <= 2, name


def test_the_table_has_a_row_of_a_model_of_true_size():
    large = [results.read(file) for file in RESULTS.glob("15-*.json")]
    assert any(file.asked["model"] == "sd15" and file.done for file in large)

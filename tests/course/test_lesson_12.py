"""What notebook 12 says of its long run, without a number, is in the kept results."""

from benchmarks import latents
from sdlab.lesson import read_results


def test_its_results_are_whole():
    kept = read_results("12")
    assert [row["way"] for row in kept["ways"]] == list(latents.WAYS)
    assert len({len(row["numbers"]) for row in kept["ways"]}) == 1


def test_in_latents_it_sees_more_pictures_and_draws_faster():
    numbers = {row["way"]: row["numbers"] for row in read_results("12")["ways"]}
    for ours, theirs in zip(numbers["latents"], numbers["pixels"], strict=True):
        assert ours["pictures"] > 2 * theirs["pictures"]
        assert ours["ms"] < theirs["ms"] / 2

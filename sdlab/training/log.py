"""The log of a run: a line of JSON for each entry, where the documentation's curves come from."""

import json
import os


def append_entry(file, entry):
    """Add an entry to a log, a `Path`."""
    with open(file, "a", encoding="utf-8") as opened:
        opened.write(json.dumps(entry) + "\n")


def forget_later_losses(file, entries):
    """Take from a log what was trained after a checkpoint, and is trained once more now.

    Args:
        file: the log, a `Path`.
        entries: how many it had when the checkpoint was written. Later ones without a loss, such as accuracies, stay.
    """
    if not file.exists():
        return
    whole = [line for line in file.read_text(encoding="utf-8").splitlines() if line.endswith("}")]  # a kill may cut the last
    kept = [line for number, line in enumerate(whole) if number < entries or "loss" not in json.loads(line)]
    partial = file.with_suffix(".partial")
    partial.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
    os.replace(partial, file)

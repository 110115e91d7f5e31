"""What all cards share: how they begin, how a run is told, and tables."""

HEAD = """---
license: mit
library_name: diffusers
pipeline_tag: {task}
---
# {title}

"""
RUN = "{minutes:.0f} min with {samples:,} samples"


def write_runs(runs):
    """The runs of a stage one after the other, and how many samples they were together."""
    parts = [RUN.format(**run) for run in runs]
    return ", then ".join(parts) + (f", {sum(run['samples'] for run in runs):,} in all" if len(runs) > 1 else "")


def fill_table(rows):
    """Rows of a table in Markdown; each is a list of texts."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def write_share(share, interval):
    """A share with its interval, in percent: `97% (95–99)`."""
    low, high = interval
    return f"{share:.0%} ({100 * low:.0f}–{100 * high:.0f})"

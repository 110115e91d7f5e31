"""What all cards share: how they begin, how a run is told, and tables."""

HEAD = """---
license: mit
library_name: diffusers
pipeline_tag: {task}
---
# {title}

"""
RUN = "{minutes:.0f} min with {samples:,} samples"


def fill_table(rows):
    """Rows of a table in Markdown; each is a list of texts."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def write_share(share, interval):
    """A share with its interval, in percent: `97% (95–99)`."""
    low, high = interval
    return f"{share:.0%} ({100 * low:.0f}–{100 * high:.0f})"

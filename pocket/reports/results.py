"""The numbers of a report, as a file that people read too."""

import json


def round_numbers(results):
    """What JSON can hold, its decimals rounded to four digits."""
    return json.loads(json.dumps(results), parse_float=lambda number: round(float(number), 4))


def write_lines(path, results):
    """Write long results as JSON, rounded: one line for each entry, and for each entry of a list; the old file stays until then."""
    parts = {
        name: "[\n  " + ",\n  ".join(json.dumps(one, ensure_ascii=False) for one in entry) + "\n ]"
        if isinstance(entry, list) else json.dumps(entry, ensure_ascii=False)
        for name, entry in round_numbers(results).items()
    }  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    lines = ",\n".join(f" {json.dumps(name)}: {text}" for name, text in parts.items())
    partial.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")
    partial.replace(path)


def write_results(path, results):
    """Write numbers as JSON, rounded; returns them as they were written."""
    results = round_numbers(results)
    path.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    return results

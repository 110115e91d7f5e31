"""The numbers of a report, as a file that people read too."""

import json


def round_numbers(results):
    """What JSON can hold, its decimals rounded to four digits."""
    return json.loads(json.dumps(results), parse_float=lambda number: round(float(number), 4))


def write_results(path, results):
    """Write numbers as JSON, rounded; returns them as they were written."""
    results = round_numbers(results)
    path.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    return results

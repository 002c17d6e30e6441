"""Writes the tables of `docs/performance.md` from the JSON lines of benchmarks.

`python -m benchmarks.forest | python -m benchmarks.performance forest` replaces what stands between the markers
`<!-- forest -->` and `<!-- /forest -->`; the rest of the page is written by hand. Lines of `benchmarks.fidelity`,
`benchmarks.tradeoff` and `benchmarks.soak` go to the sections of these names in the same way.

With `--keep` only the rows of the cases that were measured are replaced: a hundred thousand entities are not measured
each time a thousand are.
"""

import argparse
import json
import platform
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.section import read_section, replace_section

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"


HEADING = ("| what | ours (range) | peer | theirs (range) | ratio | load |", "|---|---|---|---|---|---|")


def table(lines: Iterable[dict[str, Any]]) -> str:
    """Return a Markdown table, one row a measurement."""
    return "\n".join((*HEADING, *measured(lines)))


def measured(lines: Iterable[dict[str, Any]]) -> list[str]:
    """Return the rows of that table."""
    rows = []
    for line in lines:
        own = f"{number(line['ours'])} {line['unit']}"
        if line["low"] != line["high"]:
            own += f" ({number(line['low'])} to {number(line['high'])})"
        theirs = ratio = ""
        if "peer" in line:
            theirs = (
                f"{number(line['theirs'])} ({number(line['theirs_low'])} to {number(line['theirs_high'])})"
            )
            ratio = f"{line['ratio']:.3g}"
        what = f"{line['case']}: {line['metric'].replace('_', ' ')}"
        rows.append(f"| {what} | {own} | {line.get('peer', '')} | {theirs} | {ratio} | {line['load']} |")
    return rows


def case_of(row: str) -> str:
    """Return the case that a row of that table is about."""
    return row.removeprefix("| ").rpartition(": ")[0] if ": " in row else row


def merged(old: Sequence[str], new: Sequence[str]) -> list[str]:
    """Return old rows with those of the new ones' cases replaced where they stood, and new cases after them."""
    by_case: dict[str, list[str]] = {}
    for row in new:
        by_case.setdefault(case_of(row), []).append(row)
    left = dict(by_case)
    rows = []
    for row in old:
        case = case_of(row)
        if case in left:
            rows += left.pop(case)
        elif case not in by_case:
            rows.append(row)
    return rows + [row for own in left.values() for row in own]


def spread(lines: Iterable[dict[str, Any]]) -> str:
    """Return a Markdown table of score statistics by seed, and of the range of correlations."""
    rows = [
        "| case | forests | mean by seed | 99th percentile by seed | correlation |",
        "|---|---|---|---|---|",
    ]
    for line in lines:
        name = line.get("forest") or line["pair"]
        cells = [", ".join(map(str, line.get(key, ()))) for key in ("mean", "p99")]
        rows.append(
            f"| {line['case']} | {name} | {' | '.join(cells)} | {' to '.join(map(str, line.get('correlation', ())))} |"
        )
    return "\n".join(rows)


TRADEOFF = {
    "bytes": "forest_bytes",
    "cold points/s, of the default's": "cold_points_per_second",
    "NAB": "nab_standard_fixed",
    "windows hit": "nab_windows_hit",
    "false flags": "nab_false_flags",
    "taxi false days": "taxi_false_days",
    "cosine: precision": "cosine_1_precision",
    "recall": "cosine_1_recall",
    "of the score": "cosine_1_average_precision",
    "shingle 8: of the score": "cosine_1_shingle_8_average_precision",
    "3 metrics: of the score": "cosine_3_average_precision",
}
"""Heading to metric of the table of trees and samples."""


def grid(lines: Iterable[dict[str, Any]]) -> str:
    """Return a Markdown table, one row a number of trees and samples."""
    cases: dict[str, dict[str, dict[str, Any]]] = {}
    for line in lines:
        cases.setdefault(line["case"], {})[line["metric"]] = line
    rows = [f"| trees x samples | {' | '.join(TRADEOFF)} |", "|---" * (len(TRADEOFF) + 1) + "|"]
    for case, found in cases.items():
        cells = []
        for metric in TRADEOFF.values():
            line = found[metric]
            value = number(line.get("ratio", line["ours"]))
            is_ranged = metric.startswith(("nab", "taxi")) and line["low"] != line["high"]
            cells.append(f"{value} ({number(line['low'])} to {number(line['high'])})" if is_ranged else value)
        rows.append(f"| {case} | {' | '.join(cells)} |")
    return "\n".join(rows)


def plain(lines: Iterable[dict[str, Any]]) -> str:
    """Return a Markdown table with a column a field, one row a line."""
    every = [{name: value for name, value in line.items() if name != "benchmark"} for line in lines]
    rows = [f"| {' | '.join(name.replace('_', ' ') for name in every[0])} |", "|---" * len(every[0]) + "|"]
    rows += [f"| {' | '.join(number(value) for value in line.values())} |" for line in every]
    return "\n".join(rows)


TABLES = {
    "forest": table,
    "model": table,
    "pipeline": table,
    "fidelity": spread,
    "tradeoff": grid,
    "soak": plain,
}


def number(value: float) -> str:
    """Return a number with thousands separated."""
    return f"{value:,}"


def main() -> None:
    """Replace a section of the page by a table of the lines on standard input."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("section", choices=list(TABLES))
    parser.add_argument(
        "--keep", action="store_true", help="keep the rows of cases that are not among the lines"
    )
    options = parser.parse_args()
    name = options.section
    if options.keep and TABLES[name] is not table:
        parser.error(f"--keep is for tables with a row a measurement, not for {name}")
    lines = [json.loads(text) for text in sys.stdin if text.startswith("{")]
    if not lines:
        sys.exit(f"no measurements for {name!r} on standard input; the page stays as it is")
    machine = f"Measured with Python {platform.python_version()} on {platform.machine()}."
    text = TABLES[name](lines)
    if options.keep:
        kept = [row for row in read_section(PAGE, name) if row.startswith("|") and row not in HEADING]
        text = "\n".join((*HEADING, *merged(kept, measured(lines))))
    replace_section(PAGE, name, f"{machine}\n\n{text}")


if __name__ == "__main__":
    main()

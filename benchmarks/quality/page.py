"""Writes the tables and curves of `docs/quality.md` from the benchmark's JSON lines.

`python -m benchmarks.quality --nab DIR | python -m benchmarks.quality.page` replaces what stands between markers like
`<!-- seasonal -->` and `<!-- /seasonal -->`, in those sections of which there are lines; the rest of the page is
written by hand. Curves need matplotlib, which comes with the extra `bench`.
"""

import json
import platform
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.quality.bars import bounds, judged
from benchmarks.quality.pictures import Curve, curves_picture
from benchmarks.section import replace_section

PAGE = Path(__file__).parents[2] / "docs" / "quality.md"
PICTURES = PAGE.parent / "quality"

Lines = Sequence[dict[str, Any]]
"""What the benchmark printed."""


def bars(lines: Lines) -> str:
    """Return the table of what has to be reached."""
    rows = ["| what | measured (lowest to highest seed) | must | aim | |", "|---|---|---|---|---|"]
    words = {"aim": "aim reached", "must": "met", "not met": "**not met**"}
    rows += [
        f"| {bar.what} | {_cell(line)} | {bounds(bar.must)} | {bounds(bar.aim)} | {words[verdict]} |"
        for bar, line, verdict in judged(lines)
    ]
    return "\n".join(rows) if len(rows) > 2 else ""


def pivot(first: str, cases: str, *metrics: str) -> Callable[[Lines], str]:
    """Return what makes a table: a row each case that `cases` matches as a whole, a column each metric measured."""

    def table(lines: Lines) -> str:
        chosen = [line for line in lines if re.fullmatch(cases, line["case"]) and line["metric"] in metrics]
        cells = {(line["case"], line["metric"]): _cell(line) for line in chosen}
        shown = [metric for metric in metrics if any(name == metric for _, name in cells)]
        rows = [[first, *(metric.replace("_", " ") for metric in shown)], ["---"] * (1 + len(shown))]
        rows += [
            [case, *(cells.get((case, metric), "") for metric in shown)]
            for case in dict.fromkeys(line["case"] for line in chosen)
        ]
        return "\n".join(f"| {' | '.join(row)} |" for row in rows) if chosen else ""

    return table


OF_CHANGES = ("standard_fixed", "low_fp_fixed", "recall", "false_per_week", "alarms_in_4_weeks")

SECTIONS: dict[str, Callable[[Lines], str]] = {
    "bars": bars,
    "nab": pivot(
        "series", "nab( [^,]*)?", "standard_fixed", "standard_swept", "low_fp_fixed", "low_fn_fixed"
    ),
    "taxi": pivot("series", "taxi", "windows_hit", "events_hit", "false_flags", "false_days"),
    "series": pivot("series", ".*/.*|nab|cloudwatch.*", "windows_hit", "false_flags"),
    "seasonal": pivot(
        "streams", "seasonal(, noise .*)?", "recall", "precision", "false_per_week", "median_delay"
    ),
    "events": pivot("event", "seasonal, (?!noise|history|week|alarms).*", "recall"),
    "weeks": pivot("streams", "seasonal, week .*", "false_per_week"),
    "cosine": pivot("streams", "cosine .*", "precision", "recall"),
    "noise": pivot(
        "noise", "clean noise.*", "alarms_in_4_weeks", *(f"alarms_in_week_{week}" for week in (1, 2, 3, 4))
    ),
    "band": pivot("values", "band.*", "coverage"),
    "history": pivot("streams", ".*, history .*", "recall", "false_per_week"),
    "confidence": pivot("alarms", ".*, alarms by confidence, .*", "confidence", "share_in_windows"),
    "knobs": pivot("setting", "knob, .*", *OF_CHANGES),
    "folders": pivot("folder", "folder left out, .*", "ours", "chosen_elsewhere", "chosen_here"),
    "ablation": pivot("without", "ablation, .*", *OF_CHANGES),
}
"""Section of the page to what makes its table; an empty table leaves the section as it is."""


def curves(lines: Lines) -> Iterator[tuple[str, bytes]]:
    """Yield name and SVG of each picture of which there are lines."""
    by_history = {
        metric: _curves(lines, r"(?P<source>\w+), history (?P<x>\d+)", metric)
        for metric in ("recall", "false_per_week")
    }
    for metric, label in (("recall", "share of anomalies found"), ("false_per_week", "false alarms a week")):
        if by_history[metric]:
            picture = curves_picture(
                f"After so much history: {label}",
                "windows of history",
                label,
                by_history[metric],
                is_log=True,
            )
            yield f"history-{metric.partition('_')[0]}.svg", picture
    confidence = _curves(lines, r"(?P<source>\w+), alarms by confidence, fifth (?P<x>\d)", "share_in_windows")
    if confidence:
        title = "Alarms by confidence: share that is right"
        yield (
            "confidence.svg",
            curves_picture(title, "fifth of the alarms, by ascending confidence", "share", confidence),
        )


def _curves(lines: Lines, cases: str, metric: str) -> dict[str, Curve]:
    """Collect source to x, y, and lowest and highest y."""
    found: dict[str, list[tuple[float, ...]]] = {}
    for line in lines:
        match = re.fullmatch(cases, line["case"])
        if match and line["metric"] == metric:
            point = (float(match["x"]), line["ours"], line["low"], line["high"])
            found.setdefault(match["source"], []).append(point)
    return {source: Curve(*zip(*points, strict=True)) for source, points in found.items()}


def _cell(line: dict[str, Any]) -> str:
    """Return mean, unit and, where seeds differ, their range."""
    text = f"{line['ours']:.4g}"
    unit = "" if line["unit"] in ("", "1") else f" {line['unit']}"
    return (
        f"{text}{unit}"
        if line["low"] == line["high"]
        else f"{text}{unit} ({line['low']:.4g} to {line['high']:.4g})"
    )


def write(lines: Lines) -> None:
    """Replace the sections and pictures of which there are lines."""
    machine = f"Measured with Python {platform.python_version()} on {platform.machine()}."
    for name, make in SECTIONS.items():
        table = make(lines)
        if table:
            replace_section(PAGE, name, f"{machine}\n\n{table}" if name == "bars" else table)
    PICTURES.mkdir(exist_ok=True)
    for name, picture in curves(lines):
        (PICTURES / name).write_bytes(picture)


def main() -> None:
    """Read lines from standard input and write the page."""
    lines = [json.loads(text) for text in sys.stdin if text.startswith("{")]
    if not lines:
        sys.exit("no measurements on standard input; the page stays as it is")
    write(lines)


if __name__ == "__main__":
    main()

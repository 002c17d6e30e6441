"""One HTML page, complete in itself: what was reached, tables, and a picture a series.

Needs matplotlib, which comes with the extra `bench`.
"""

import base64
import html
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from benchmarks.nab import hits_and_false_flags
from benchmarks.quality.bars import bounds, judged
from benchmarks.quality.detection import detect
from benchmarks.quality.generated import StreamsRun
from benchmarks.quality.labelled import SeriesRun
from benchmarks.quality.pictures import Stream, stream_picture

N_GENERATED = 6
"""Pictures of seasonal streams: two of each noise level."""

SHOWN = ("realKnownCause/nyc_taxi", "realAWSCloudwatch/ec2_cpu_utilization_5f5533")
"""Labelled series with a picture in the documentation."""

PAGE = Template((Path(__file__).parent / "report.html").read_text(encoding="utf-8"))

Table = tuple[Sequence[str], Sequence[Sequence[str]]]
"""Header, and rows of cells that are HTML."""


def write_report(
    folder: Path,
    lines: Sequence[dict[str, Any]],
    labelled: Sequence[SeriesRun],
    seasonal: Sequence[StreamsRun],
    configuration: str,
) -> Path:
    """Write `index.html` into a folder that is made if need be; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = [_section("What was reached", _html_table(*_bars(lines)))]
    if labelled:
        parts.append(_section("Labelled series", _html_table(*_series(labelled))))
    parts.append(_section("All measurements", _details(_html_table(*_everything(lines)))))
    if labelled:
        parts.append(
            _section("Labelled series, one by one", *(_figure(one) for one in series_streams(labelled)))
        )
    if seasonal:
        chosen = seasonal_streams(seasonal[0], range(N_GENERATED))
        parts.append(_section("Generated traffic", *(_figure(one) for one in chosen)))
    path = folder / "index.html"
    text = PAGE.substitute(configuration=html.escape(configuration), body="\n".join(parts))
    path.write_text(text, encoding="utf-8")
    return path


def write_pictures(folder: Path, labelled: Sequence[SeriesRun], seasonal: Sequence[StreamsRun]) -> None:
    """Write the pictures of the documentation: some labelled series that are there, and a generated stream."""
    folder.mkdir(parents=True, exist_ok=True)
    chosen = [one for one in labelled if one.series.name in SHOWN]
    for one, stream in zip(chosen, series_streams(chosen), strict=True):
        (folder / f"{one.series.name.rpartition('/')[2]}.svg").write_bytes(stream_picture(stream))
    for stream in seasonal_streams(seasonal[0], [N_GENERATED - 1]):
        (folder / "seasonal.svg").write_bytes(stream_picture(stream))


def series_streams(runs: Sequence[SeriesRun], seed: int = 0) -> Iterator[Stream]:
    """Yield what is drawn of labelled series: the verdicts of one seed."""
    for one in runs:
        series, scored = one.series, one.run.scored
        hits, false = hits_and_false_flags(one.flags(seed), series)
        yield Stream(
            f"{series.name}: {hits} of {len(series.windows)} windows hit, {_count(false, 'false flag')}",
            series.times_ms,
            series.values,
            scored.lower[:, seed, 0],
            scored.upper[:, seed, 0],
            scored.grade[:, seed],
            tuple((start, end, "") for start, end in series.windows),
            int(series.times_ms[series.probation]),
        )


def seasonal_streams(run: StreamsRun, chosen: Iterable[int]) -> Iterator[Stream]:
    """Yield what is drawn of generated streams."""
    streams, scored = run.streams, run.run.scored
    times = streams.end_times_ms - streams.interval_ms
    for stream in chosen:
        found = detect(run.run.flags[:, [stream]], streams.select([stream]))
        detected = f"{found.found.total()} of {found.planted.total()} events detected"
        name = f"seasonal traffic {stream + 1}, {streams.labels[stream]}"
        yield Stream(
            f"{name}: {detected}, {_count(found.false_flags, 'false flag')}",
            times,
            streams.values[:, stream, 0],
            scored.lower[:, stream, 0],
            scored.upper[:, stream, 0],
            scored.grade[:, stream],
            tuple(
                (int(times[event.first]), int(times[event.last]), event.kind)
                for event in streams.events[stream]
            ),
            int(times[0]),
        )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _bars(lines: Sequence[dict[str, Any]]) -> Table:
    header = ("", "measured", "lowest to highest seed", "must", "aim", "")
    marks = {"aim": ("good", "aim reached"), "must": ("fair", "met"), "not met": ("bad", "not met")}
    rows = []
    for bar, line, verdict in judged(lines):
        kind, words = marks[verdict]
        rows.append(
            (
                html.escape(bar.what),
                f"<b>{line['ours']:.4g}</b>",
                f"{line['low']:.4g} to {line['high']:.4g}",
                bounds(bar.must),
                bounds(bar.aim),
                f'<span class="{kind}">{words}</span>',
            )
        )
    return header, rows


def _series(runs: Sequence[SeriesRun]) -> Table:
    rows = []
    for one in runs:
        n_seeds = one.run.flags.shape[1]
        counts = [hits_and_false_flags(one.flags(seed), one.series) for seed in range(n_seeds)]
        hits, false = np.mean(counts, axis=0)
        of = len(one.series.windows)
        kind = "" if hits == of else "fair" if hits else "bad"
        rows.append(
            (
                f'<a href="#{_anchor(one.series.name)}">{html.escape(one.series.name)}</a>',
                f"{len(one.series.values):,}",
                f'<span class="{kind}">{hits:.1f}</span> of {of}' if of else "",
                f"{false:.1f}",
            )
        )
    return ("series", "rows", "windows hit", "false flags"), rows


def _everything(lines: Sequence[dict[str, Any]]) -> Table:
    rows = [
        (
            html.escape(str(line["case"])),
            html.escape(line["metric"].replace("_", " ")),
            f"{line['ours']:,.4g}",
            f"{line['low']:,.4g} to {line['high']:,.4g}",
            html.escape("" if line["unit"] == "1" else line["unit"]),
        )
        for line in lines
    ]
    return ("case", "metric", "mean", "lowest to highest seed", "unit"), rows


def _anchor(title: str) -> str:
    """Return the name of a picture's place: its title up to the colon."""
    return html.escape(re.sub(r"[^\w.]+", "-", title.partition(":")[0]), quote=True)


def _figure(stream: Stream) -> str:
    picture = base64.b64encode(stream_picture(stream)).decode("ascii")
    title = html.escape(stream.title, quote=True)
    return (
        f'<figure id="{_anchor(stream.title)}">'
        f'<img loading="lazy" alt="{title}" src="data:image/svg+xml;base64,{picture}"></figure>'
    )


def _html_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{cell}</th>" for cell in header)
    body = "\n".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table>"


def _details(content: str) -> str:
    return f"<details><summary>Show</summary>{content}</details>"


def _section(title: str, *content: str) -> str:
    return "\n".join([f"<section><h2>{html.escape(title)}</h2>", *content, "</section>"])

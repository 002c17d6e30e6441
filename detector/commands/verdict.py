"""Verdict: everything that was found out about one file, and how it is printed."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from detector.check.finding import Finding, Level, error, ok
from detector.configuration.config import DetectorConfig
from detector.configuration.json_text import Position
from detector.configuration.problem import Problem, path_text

STYLES = {Level.OK: "green", Level.WARNING: "yellow", Level.ERROR: "bold red"}


class Remark(NamedTuple):
    """A finding, and its place in the file where it has one."""

    finding: Finding
    position: Position | None


class Verdict(NamedTuple):
    """What was found out about one file.

    Parameters
    ----------
    file
        The file.
    detector
        Name of the detector in it, None if it cannot be read.
    remarks
        All findings, in the order in which they were made.
    """

    file: Path | None
    detector: str | None
    remarks: tuple[Remark, ...]

    @property
    def has_error(self) -> bool:
        """Whether something must be mended."""
        return any(remark.finding.level is Level.ERROR for remark in self.remarks)

    def with_findings(self, findings: Sequence[Finding]) -> "Verdict":
        """Return the verdict with more findings at its end."""
        return self._replace(remarks=(*self.remarks, *(Remark(finding, None) for finding in findings)))


def verdicts_of(detectors: Mapping[Path, DetectorConfig], problems: Sequence[Problem]) -> list[Verdict]:
    """Return a verdict for each file from what reading it gave, in the order of the files' names."""
    files = sorted({*detectors, *(problem.file for problem in problems if problem.file is not None)})
    verdicts = []
    for file in files:
        remarks = [
            Remark(error(problem.path, problem.message), problem.position)
            for problem in problems
            if problem.file == file
        ]
        name = detectors[file].name if file in detectors else None
        well = [] if remarks else [Remark(ok((), "the file is well formed"), None)]
        verdicts.append(Verdict(file, name, tuple(remarks or well)))
    return verdicts


def print_json(verdicts: Sequence[Verdict]) -> None:
    """Print one JSON object: `ok`, and `findings`, a list of flat objects."""
    findings = [_as_json(verdict, remark) for verdict in verdicts for remark in verdict.remarks]
    is_ok = not any(verdict.has_error for verdict in verdicts)
    click.echo(json.dumps({"ok": is_ok, "findings": findings}, indent=2, ensure_ascii=False))


def print_text(verdicts: Sequence[Verdict]) -> None:
    """Print a table for each file, and a line that sums up."""
    console = Console(highlight=False, soft_wrap=False)
    for verdict in verdicts:
        title = Text(str(verdict.file), style="bold")
        title.append(f"  {verdict.detector or ''}", style="not bold dim")
        console.print(title)
        console.print(findings_table(verdict.remarks))
        console.print()
    levels = [remark.finding.level for verdict in verdicts for remark in verdict.remarks]
    console.print(summary_text(levels, f"all well: {_counted(len(verdicts), 'file')}"))


def _as_json(verdict: Verdict, remark: Remark) -> dict[str, Any]:
    line, column = remark.position or (None, None)
    return {
        "level": remark.finding.level.value,
        "file": str(verdict.file),
        "detector": verdict.detector,
        "path": path_text(remark.finding.path),
        "line": line,
        "column": column,
        "message": remark.finding.message,
    }


def findings_table(remarks: Sequence[tuple[Finding, Position | None]]) -> Table:
    """Return findings as a table: level, where, what."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding, position in remarks:
        what = Text()
        if position is not None:
            what.append(f"line {position.line}, column {position.column}: ", style="dim")
        if finding.path:
            what.append(f"{path_text(finding.path)} ", style="cyan")
        what.append(finding.message)
        table.add_row(Text(f"  {finding.level}", style=STYLES[finding.level]), what)
    return table


def summary_text(levels: Sequence[Level], well: str) -> Text:
    """Return the line that sums up; `well` is what it says when there is nothing to mend."""
    n_errors, n_warnings = levels.count(Level.ERROR), levels.count(Level.WARNING)
    if n_errors:
        return Text(f"{_counted(n_errors, 'error')}, {_counted(n_warnings, 'warning')}", style="bold red")
    if n_warnings:
        return Text(f"no errors, {_counted(n_warnings, 'warning')}", style="bold yellow")
    return Text(well, style="bold green")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"

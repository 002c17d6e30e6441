"""The tables of docs/performance.md: what a command writes, and what it leaves."""

import io
import json

import pytest

from benchmarks import performance
from benchmarks.section import read_section

OLD = ["| live 10: tick seconds | 1 s |", "| live 10: late | 0 |", "| cold 10: tick seconds | 2 s |"]


def line_of(case: str, ours: float) -> dict[str, object]:
    """Return a measurement as benchmarks print it."""
    return {
        "case": case,
        "metric": "tick_seconds",
        "unit": "s",
        "ours": ours,
        "low": ours,
        "high": ours,
        "load": 1,
    }


@pytest.fixture
def page(monkeypatch, tmp_path):
    """Give a page with a section, which commands write to."""
    path = tmp_path / "page.md"
    path.write_text("before\n<!-- pipeline -->\n" + "\n".join(OLD) + "\n<!-- /pipeline -->\nafter\n")
    monkeypatch.setattr(performance, "PAGE", path)
    return path


def write(monkeypatch, *arguments, lines):
    """Call the command."""
    monkeypatch.setattr("sys.argv", ["performance", *arguments])
    monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{json.dumps(line)}\n" for line in lines)))
    performance.main()


def test_cases_that_were_not_measured_stay(monkeypatch, page):
    """With --keep; a case that was is replaced where it stood, with all its rows, and a new one comes last."""
    write(monkeypatch, "pipeline", "--keep", lines=[line_of("new 10", 4), line_of("live 10", 3)])
    assert read_section(page, "pipeline")[-3:] == [
        "| live 10: tick seconds | 3 s |  |  |  | 1 |",
        OLD[2],
        "| new 10: tick seconds | 4 s |  |  |  | 1 |",
    ]
    assert page.read_text().startswith("before\n")
    assert page.read_text().endswith("\nafter\n")


def test_without_the_flag_nothing_old_stays(monkeypatch, page):
    """A run of everything is the whole table."""
    write(monkeypatch, "pipeline", lines=[line_of("live 10", 3)])
    rows = [row for row in read_section(page, "pipeline") if row.startswith("| ")]
    assert rows[1:] == ["| live 10: tick seconds | 3 s |  |  |  | 1 |"]


def test_no_measurement_changes_nothing(monkeypatch, page):
    """A benchmark that failed must not empty the table."""
    before = page.read_text()
    with pytest.raises(SystemExit, match="the page stays as it is"):
        write(monkeypatch, "pipeline", "--keep", lines=[])
    assert page.read_text() == before


@pytest.mark.usefixtures("page")
def test_tables_that_are_no_list_of_measurements_cannot_be_kept(monkeypatch, capsys):
    """A row of them has no case of its own."""
    with pytest.raises(SystemExit):
        write(monkeypatch, "fidelity", "--keep", lines=[])
    assert "--keep is for tables with a row a measurement, not for fidelity" in capsys.readouterr().err


def test_every_row_of_the_page_has_a_case():
    """Otherwise --keep would keep what it should replace."""
    for name in ("forest", "model", "pipeline"):
        rows = [row for row in read_section(performance.PAGE, name) if row.startswith("| ")][1:]
        assert len(rows) > 10
        assert all(performance.case_of(row) != row for row in rows)

"""The quality benchmark's page, report and tables: what was measured stands in them, and stands out where it should."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from labelled import write_nab_folder

from benchmarks.nab import PROFILES, Series, hits_and_false_flags
from benchmarks.quality import page
from benchmarks.quality.__main__ import CASES, LABELLED_CASES, Bench, main
from benchmarks.quality.bars import BARS, bounds, judged
from benchmarks.quality.drive import model_seeds, run_series, run_streams
from benchmarks.quality.folders import Candidate, grid, rows_of
from benchmarks.quality.generated import StreamsRun
from benchmarks.quality.generators import MINUTE_MS, NOISE_KINDS, seasonal
from benchmarks.quality.labelled import SeriesRun
from benchmarks.quality.report import write_report
from benchmarks.quality.rows import row
from benchmarks.section import replace_section
from detector.model.bars import DEFAULT_BARS
from detector.model.fleet import ModelSettings

LINES = [
    row("nab", "standard_fixed", "", [72.0, 76.0]),
    row("taxi", "false_days", "1", [0.0, 0.0]),
    row("seasonal", "recall", "1", [0.4, 0.5]),
    row("seasonal, dip", "recall", "1", [0.1, 0.2]),
    *(row(f"seasonal, history {n}", "recall", "1", [share, share]) for n, share in ((40, 0.3), (1000, 0.6))),
]


def settings_of(n_features, interval_ms):
    return ModelSettings(n_features=n_features, interval_ms=interval_ms, n_trees=5)


@pytest.fixture(scope="module")
def labelled():
    """Run a series with two windows: one with a spike, which is found, and one with nothing in it."""
    values = np.random.default_rng(0).normal(size=1200)
    values[700:703] += 40
    windows = ((690 * MINUTE_MS, 720 * MINUTE_MS), (1000 * MINUTE_MS, 1020 * MINUTE_MS))
    series = Series("made/up", np.arange(1200, dtype=np.int64) * MINUTE_MS, values, windows)
    return [SeriesRun(series, run_series(series, model_seeds(2), settings_of))]


def test_bars_say_what_was_reached():
    """Must and aim are bounds of the mean; what was not measured is not judged."""
    said = {bar.what: verdict for bar, _, verdict in judged(LINES)}
    assert said == {
        "NAB, standard profile": "must",
        "New York taxi, false days": "aim",
        "seasonal traffic, recall": "not met",
    }
    assert [bounds(span) for span in ((73, float("inf")), (0.0, 1.5), (93, 97))] == [
        "at least 73",
        "at most 1.5",
        "93 to 97",
    ]
    assert all(bar.must[0] <= bar.aim[0] and bar.aim[1] <= bar.must[1] for bar in BARS)


def test_tables_hold_the_rows_of_their_section_only():
    """A row each case, a column each metric that was measured, the range where seeds differ."""
    assert page.SECTIONS["seasonal"](LINES).splitlines()[2:] == ["| seasonal | 0.45 (0.4 to 0.5) |"]
    assert page.SECTIONS["events"](LINES).splitlines()[2:] == ["| seasonal, dip | 0.15 (0.1 to 0.2) |"]
    assert "| seasonal, history 40 | 0.3 |" in page.SECTIONS["history"](LINES)
    assert page.SECTIONS["noise"](LINES) == ""


def test_the_page_has_a_place_for_every_section(monkeypatch, tmp_path):
    """Writing replaces sections of which there are lines, keeps the others, and draws the curves."""
    copy = tmp_path / "quality.md"
    copy.write_text(page.PAGE.read_text())
    replace_section(copy, "noise", "kept")
    monkeypatch.setattr(page, "PAGE", copy)
    monkeypatch.setattr(page, "PICTURES", tmp_path / "quality")
    page.write(LINES)
    text = copy.read_text()
    assert "<!-- noise -->\nkept\n<!-- /noise -->" in text
    assert "| NAB, standard profile | 74 (72 to 76) | at least 73 | at least 78 | met |" in text
    assert [path.name for path in (tmp_path / "quality").iterdir()] == ["history-recall.svg"]
    for name in page.SECTIONS:
        replace_section(copy, name, "once")


def test_pictures_of_the_page_exist():
    """Every one, and not too heavy for a clone."""
    pictures = re.findall(r"\]\((quality/[^)]+)\)", page.PAGE.read_text())
    assert pictures
    sizes = [(page.PAGE.parent / picture).stat().st_size for picture in pictures]
    assert sum(sizes) < 500_000


def test_a_page_without_the_section_is_not_touched(tmp_path):
    """The message names the file and the markers."""
    path = tmp_path / "page.md"
    path.write_text("<!-- a -->\n<!-- /a -->")
    with pytest.raises(SystemExit, match="expected the markers `<!-- b -->` and `<!-- /b -->` once, found 0"):
        replace_section(path, "b", "text")
    assert path.read_text() == "<!-- a -->\n<!-- /a -->"


def test_the_report_is_one_file_with_a_picture_a_series(labelled, tmp_path):
    """Self-contained; titles say what was hit and what was missed."""
    made = seasonal(6, np.random.default_rng(0))
    generated = [StreamsRun(made, run_streams(made, model_seeds(6), settings_of))]
    path = write_report(tmp_path / "new", LINES, labelled, generated, "5 trees & 2 seeds")
    text = path.read_text(encoding="utf-8")
    assert [child.name for child in (tmp_path / "new").iterdir()] == ["index.html"]
    assert text.count('src="data:image/svg+xml;base64,') == 1 + 6
    assert re.search(r'href="#made-up">made/up</a>', text)
    hits, false = hits_and_false_flags(labelled[0].flags(0), labelled[0].series)
    assert (
        f'<figure id="made-up"><img loading="lazy" alt="made/up: {hits} of 2 windows hit, {false} false'
        in text
    )
    assert "5 trees &amp; 2 seeds" in text
    assert not re.search(r'(src|href)="(?!#|data:)', text)
    assert json.dumps("not met")[1:-1] in text
    assert Path(path).stat().st_size < 2_000_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--nab", "/nowhere"],
            "--nab /nowhere: expected a folder with data/ and labels/combined_windows.json",
        ),
        (["--cases", "nab"], "the case `nab` needs labelled series: give their folder with --nab DIR"),
        (
            ["--cases", "folders"],
            "the case `folders` needs labelled series: give their folder with --nab DIR",
        ),
        (["--seeds", "0"], "--seeds must be at least 1, got 0"),
    ],
)
def test_a_call_that_cannot_be_answered_says_why(monkeypatch, capsys, arguments, message):
    """On standard error, before anything is measured."""
    monkeypatch.setattr("sys.argv", ["quality", *arguments])
    with pytest.raises(SystemExit):
        main()
    output = capsys.readouterr()
    assert message in output.err
    assert output.out == ""


def test_the_command_prints_rows_with_the_names_that_are_agreed_upon(monkeypatch, capsys, tmp_path):
    """JSON lines and nothing else: NAB's three profiles fixed and swept, hits, false flags, days, and the band."""
    nab = write_nab_folder(tmp_path, "nyc-taxi")
    options = ["--nab", str(nab), "--cases", "nab", "--seeds", "2", "--scores", str(tmp_path / "scores")]
    monkeypatch.setattr("sys.argv", ["quality", *options])
    main()
    lines = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    assert all(
        line["benchmark"] == "quality" and line["low"] <= line["ours"] <= line["high"] for line in lines
    )
    assert {(line["case"], line["metric"]) for line in lines} >= {
        *(("nab", f"{profile}_{how}") for profile in PROFILES for how in ("fixed", "swept")),
        *((case, metric) for case in ("nab", "taxi") for metric in ("windows_hit", "false_flags")),
        ("taxi", "false_days"),
        ("band", "coverage"),
    }
    (fixed,) = (line["ours"] for line in lines if (line["case"], line["metric"]) == ("nab", "standard_fixed"))
    assert fixed > 20
    (path,) = (tmp_path / "scores").rglob("*.csv")
    assert len(path.read_text().splitlines()) == 10_321


def test_the_generated_cases_yield_the_rows_of_their_tables():
    """Seasonal traffic, cosines, history, confidence, noise and settings, small: every table of the page has rows."""
    bench = Bench(
        None, 1, 2, lambda n_features, interval_ms: ModelSettings(n_features, interval_ms, n_trees=2)
    )
    with pytest.MonkeyPatch.context() as patch:
        for module in ("generated.N_SEASONAL", "history.N_STREAMS"):
            patch.setattr(f"benchmarks.quality.{module}", 6)
        patch.setattr("benchmarks.quality.__main__.KNOB_ENTITIES", 1)
        lines = list(bench.rows([case for case in CASES if case not in LABELLED_CASES]))
    for name in ("seasonal", "events", "weeks", "cosine", "noise", "band", "history", "confidence", "knobs"):
        assert page.SECTIONS[name](lines), name
    measured = {(line["case"], line["metric"]): line["ours"] for line in lines}
    by_kind = [
        measured[case, metric]
        for case, metric in measured
        if case.startswith("clean noise, ") and metric == "alarms_in_4_weeks"
    ]
    assert len(by_kind) == 2 * len(NOISE_KINDS)
    assert measured["clean noise", "alarms_in_4_weeks"] == pytest.approx(np.mean(by_kind), abs=0.001)
    assert measured["clean noise", "alarms_in_4_weeks_worst_kind"] == max(by_kind)


def test_a_folder_left_out_is_scored_with_bars_chosen_on_the_others():
    """Two bars, each the better one on the other's folder; a third that noise rules out is never chosen."""
    windows = ((6_000_000, 6_600_000),)
    times, values = np.arange(200, dtype=np.int64) * MINUTE_MS, np.zeros(200)
    every = [Series(f"{folder}/one", times, values, windows) for folder in ("a", "b")]
    early, late = np.arange(200) == 100, np.arange(200) == 109
    made = [
        Candidate(DEFAULT_BARS, [{"a/one": early, "b/one": late}], 0.5),
        Candidate(DEFAULT_BARS._replace(strong=2.0), [{"a/one": late, "b/one": early}], 1.0),
        Candidate(DEFAULT_BARS._replace(strong=1.0), [{"a/one": early, "b/one": early}], 1.1),
    ]
    found = {(line["case"].rpartition(" ")[2], line["metric"]): line["ours"] for line in rows_of(made, every)}
    best, worst = found["a", "ours"], found["b", "ours"]
    assert best == 100 > worst > 50
    assert [found["a", each] for each in ("chosen_elsewhere", "chosen_here")] == [worst, best]
    assert [found["b", each] for each in ("chosen_elsewhere", "chosen_here")] == [worst, best]
    assert found["turn", "chosen_elsewhere"] == worst
    assert (
        found["turn", "ours"] == found["turn", "chosen_here"] == pytest.approx((best + worst) / 2, abs=0.001)
    )
    assert DEFAULT_BARS in grid()
    assert len(set(grid())) == 27

"""The benchmark's scorer: what perfection, silence and noise are worth, and where a flag counts."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from labelled import write_nab_folder
from numpy.typing import NDArray

from benchmarks.nab import PROFILES, Series, hits_and_false_flags, load_series, nab_score, swept_score

MINUTE_MS = 60_000
TIMES = np.arange(1000, dtype=np.int64) * MINUTE_MS
SERIES = Series(
    "made/up", TIMES, np.zeros(1000), ((400 * MINUTE_MS, 449 * MINUTE_MS), (800 * MINUTE_MS, 849 * MINUTE_MS))
)


def flags(*rows: int) -> NDArray[np.bool_]:
    flagged = np.zeros(1000, np.bool_)
    flagged[list(rows)] = True
    return flagged


def standard(*rows: int) -> float:
    return nab_score({"made/up": flags(*rows)}, [SERIES], PROFILES["standard"])


def test_perfection_is_a_hundred_and_silence_nothing() -> None:
    """In every profile; probation rows do not count."""
    for profile in PROFILES.values():
        assert nab_score({"made/up": flags(400, 800)}, [SERIES], profile) == pytest.approx(100)
        assert nab_score({"made/up": flags()}, [SERIES], profile) == 0
        assert nab_score({"made/up": flags(3, 149)}, [SERIES], profile) == 0


def test_an_early_flag_is_worth_more_and_more_flags_in_a_window_no_more() -> None:
    """A window is hit once, by its earliest flag."""
    assert standard(400) == pytest.approx(50)
    assert standard(400) > standard(430) > standard(449) > 25
    assert standard(400) == standard(400, 420, 449)


def test_a_false_flag_costs_more_the_farther_it_is_behind_a_window() -> None:
    """Before any window it costs all of 0.11 of a hit, of four to be had; the low-FP profile doubles it."""
    assert standard(200) == pytest.approx(-100 * 0.11 / 4)
    assert standard(200) <= standard(700) < standard(452) < 0
    low_fp = nab_score({"made/up": flags(200)}, [SERIES], PROFILES["low_fp"])
    assert low_fp == pytest.approx(2 * standard(200))


def test_the_swept_score_takes_the_best_threshold() -> None:
    """Scores that rank the windows first reach what flags on the windows alone reach."""
    scores = np.random.default_rng(0).random(1000)
    scores[[400, 800]] = 2.0, 1.5
    assert swept_score({"made/up": scores}, [SERIES], PROFILES["standard"]) == pytest.approx(100)
    assert swept_score({"made/up": np.zeros(1000)}, [SERIES], PROFILES["standard"]) < 100


def test_runs_of_false_flags_count_once() -> None:
    """Hits count by window, false flags by run, and probation not at all."""
    assert hits_and_false_flags(flags(10, 200, 201, 300, 410, 411, 840, 850), SERIES) == (2, 3)


def made_up_scores(every: Sequence[Series]) -> dict[str, NDArray[np.float64]]:
    """Return scores that hit some windows, miss others and are wrong here and there."""
    random = np.random.default_rng(5)
    scores = {}
    for series in every:
        score = random.random(len(series.values)) ** 8 - 0.9
        for first, last in series.window_rows():
            row = random.integers(first, last + 60)
            if row < len(score):
                score[row] = random.random()
        scores[series.name] = score
    return scores


def test_the_scores_are_those_of_the_benchmarks_own_scorer(tmp_path: Path) -> None:
    """Recorded: what a scorer that equals NAB's runner to two decimals says of these scores on the example series."""
    every = load_series(write_nab_folder(tmp_path, "nyc-taxi", "cloudwatch"))
    assert (len(every), sum(len(series.windows) for series in every)) == (18, 35)
    scores = made_up_scores(every)
    flags = {name: score > 0 for name, score in scores.items()}
    recorded = {"standard": (48.42, -24.13), "low_fp": (47.55, -142.67), "low_fn": (55.86, 17.25)}
    for name, (swept, at_zero) in recorded.items():
        assert swept_score(scores, every, PROFILES[name]) == pytest.approx(swept, abs=0.0051)
        assert nab_score(flags, every, PROFILES[name]) == pytest.approx(at_zero, abs=0.0051)

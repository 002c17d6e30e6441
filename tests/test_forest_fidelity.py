"""Scores against the Rust forest's on the same streams, within what its own seeds differ; the figures are recorded."""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.krcf_scores import RECORDED
from detector.forest.forest import RandomCutForest

RECORD: dict[str, Any] = json.loads((Path(__file__).parent / "krcf_scores.json").read_text(encoding="utf-8"))
N_SEEDS = 6


@pytest.mark.parametrize("case", RECORDED, ids=lambda case: case.name)
def test_scores_are_distributed_as_those_of_the_rust_forest(case: Any) -> None:
    """Mean, 99th percentile, and correlation between seeds: as between seeds of the other, and with each other."""
    peer = RECORD[case.name]
    points = case.make(RECORD["points"], RECORD["stream_seed"])
    forest = RandomCutForest(case.shape, N_SEEDS, 1 + np.arange(N_SEEDS))
    runs = np.array([forest.score_and_update(np.full(len(points), slot), points) for slot in range(N_SEEDS)])[
        :, RECORD["skipped"] :
    ]
    for ours, theirs in ((runs.mean(axis=1), peer["mean"]), (np.quantile(runs, 0.99, axis=1), peer["p99"])):
        spread = np.hypot(np.std(ours, ddof=1), np.std(theirs, ddof=1))
        assert abs(ours.mean() - np.mean(theirs)) < 3 * spread * np.sqrt(2 / N_SEEDS) + 0.005
    pairs = [np.corrcoef(one, other)[0, 1] for one, other in itertools.combinations(runs, 2)]
    low, high = peer["correlation"]
    assert low - 0.05 < np.mean(pairs) < high + 0.05
    kept = runs[:, :: RECORD["every"]]
    with_theirs = [np.corrcoef(run, peer["scores"])[0, 1] for run in kept]
    assert np.mean(with_theirs) > min(peer["correlation_with_mean"])
    assert min(with_theirs) > min(peer["correlation_with_mean"]) - 0.08

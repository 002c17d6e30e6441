"""What a number of trees and of samples costs and brings: quality, memory and speed of the default model.

    python -m benchmarks.tradeoff --nab DIR [--seeds 3] [--trees 25 32 ...] [--samples 256 ...] > lines.jsonl
    python -m benchmarks.performance tradeoff < lines.jsonl
    python -m benchmarks.tradeoff_plot docs/tradeoff.svg < lines.jsonl

Prints JSON lines, which the second command writes to the table of `docs/performance.md` and the third draws. Quality is
that of the production fleet on labelled series (NAB's layout, our own yes/no decision) and on the noisy cosine, where
an alarm counts in the very window of a change; speed is one cold point a model, in turn with the default shape in the
same run.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.forest import COLD_CACHES, last_level_cache
from benchmarks.forests import Case, Ours, five_columns, note, streams_of
from benchmarks.nab import PROFILES, Series, hits_and_false_flags, load_series, nab_score
from benchmarks.quality.detection import detect
from benchmarks.quality.drive import SettingsOf, model_seeds, run_streams
from benchmarks.quality.generators import Streams, cosines
from benchmarks.quality.labelled import TAXI, false_days, run_all
from benchmarks.report import line
from detector.forest.state import ForestShape, model_bytes
from detector.model.fleet import N_TREES, SAMPLE_SIZE, ModelSettings

TREES = (10, 16, 25, 32, 40, 50, 75, 100)
SAMPLES = (64, 128, 256, 512)

COSINE_STREAMS, COSINE_SKIPPED = 5, 300
COSINE_INTERVAL_MS = 60_000
SHINGLE = 8
"""Windows of the input that the cosine is measured with besides the default one, as in the plugin."""

REPEATS = 5
VISITS = 2_000


def settings_for(n_trees: int, sample_size: int, shingle_size: int | None = None) -> SettingsOf:
    """Return the settings of a shape, from features and interval."""

    def settings(n_features: int, interval_ms: int) -> ModelSettings:
        return ModelSettings(n_features, interval_ms, shingle_size, n_trees=n_trees, sample_size=sample_size)

    return settings


def measure_nab(case: str, settings: SettingsOf, every: Sequence[Series], n_seeds: int) -> None:
    """Print score, hits and false flags of all labelled series, a seed a repeat."""
    runs = run_all(every, n_seeds, settings)
    scores, hits, false, days = [], [], [], []
    for seed in range(n_seeds):
        flags = {run.series.name: run.flags(seed) for run in runs}
        scores.append(nab_score(flags, every, PROFILES["standard"]))
        counts = np.sum([hits_and_false_flags(flags[series.name], series) for series in every], axis=0)
        hits.append(int(counts[0]))
        false.append(int(counts[1]))
        days += [false_days(flags[series.name], series)[0] for series in every if series.name == TAXI]
    line("tradeoff", case, "nab_standard_fixed", "", scores)
    line("tradeoff", case, "nab_windows_hit", "1", hits)
    line("tradeoff", case, "nab_false_flags", "1", false)
    if days:
        line("tradeoff", case, "taxi_false_days", "1", days)


def average_precision(scores: NDArray[np.float64], is_changed: NDArray[np.bool_]) -> float:
    """Return the area under precision over recall when the threshold on the bare score is lowered step by step."""
    found = is_changed[np.argsort(-scores, kind="stable")]
    return float((found.cumsum() / np.arange(1, len(found) + 1))[found].mean())


def measure_cosine(case: str, kind: str, settings: SettingsOf, streams: Streams) -> None:
    """Print precision and recall of the alarms, and the average precision of the score, a stream a repeat."""
    run = run_streams(streams, model_seeds(streams.n_streams), settings)
    scores = np.nan_to_num(run.scored.score)[COSINE_SKIPPED:]
    parts, areas = [], []
    for stream in range(streams.n_streams):
        parts.append(detect(run.flags[:, [stream]], streams.select([stream]), COSINE_SKIPPED))
        areas.append(average_precision(scores[:, stream], streams.expected_flags(stream)[COSINE_SKIPPED:]))
    line("tradeoff", case, f"{kind}_precision", "", [part.precision for part in parts])
    line("tradeoff", case, f"{kind}_recall", "", [part.recall for part in parts])
    line("tradeoff", case, f"{kind}_average_precision", "", areas)


def cold(shape: ForestShape) -> Ours:
    """Fill models of a shape, together several times the last-level cache."""
    n_models = COLD_CACHES * last_level_cache() // model_bytes(shape) + 64
    case = Case("", shape, five_columns)
    return Ours(case, streams_of(case), n_models)


def measure_speed(case: str, shape: ForestShape, usual: Ours) -> None:
    """Print cold points a second, in turn with those of the default shape."""
    rng = np.random.default_rng(7)
    peers = (cold(shape), usual)
    rates: list[list[float]] = [[], []]
    for _ in range(REPEATS):
        for peer, rate in zip(peers, rates, strict=True):
            order = rng.integers(0, len(peer.cursors), VISITS)
            rate.append(len(order) / peer.visit(order.tolist(), 1))
    line("tradeoff", case, "cold_points_per_second", "1/s", rates[0], peer="default", theirs=rates[1])


def shapes(trees: Sequence[int], samples: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield every combination of trees and samples."""
    return ((n_trees, sample_size) for sample_size in samples for n_trees in trees)


def main() -> None:
    """Measure every combination and print it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--nab", type=Path, required=True, help="folder with data/ and labels/")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--trees", type=int, nargs="+", default=TREES)
    parser.add_argument("--samples", type=int, nargs="+", default=SAMPLES)
    options = parser.parse_args()
    every = load_series(options.nab)
    waves = [cosines(COSINE_STREAMS, n, COSINE_INTERVAL_MS, np.random.default_rng(n)) for n in (1, 3)]
    usual = cold(settings_for(N_TREES, SAMPLE_SIZE)(1, 1).forest_shape)
    for n_trees, sample_size in shapes(options.trees, options.samples):
        case, settings = f"{n_trees}x{sample_size}", settings_for(n_trees, sample_size)
        note(case)
        shape = settings(1, 1).forest_shape
        line("tradeoff", case, "forest_bytes", "B", [model_bytes(shape)])
        measure_speed(case, shape, usual)
        for streams in waves:
            kind = f"cosine_{streams.values.shape[2]}"
            measure_cosine(case, kind, settings, streams)
            shingled = settings_for(n_trees, sample_size, SHINGLE)
            measure_cosine(case, f"{kind}_shingle_{SHINGLE}", shingled, streams)
        measure_nab(case, settings, every, options.seeds)


if __name__ == "__main__":
    main()

"""The quality benchmark measures what a detector does: the same flags as through cluster, poll and result index."""

import numpy as np
from labelled import write_nab_folder
from streams import stores_of, written

from benchmarks.nab import load_series
from benchmarks.quality.drive import run_series
from detector.commands.demo_data import sample_as_recorded
from detector.configuration.load import load_detectors
from detector.example_data import MAPPINGS, TIME_FIELD, examples_folder
from detector.model.fleet import ModelSettings
from detector.open import open_job
from detector.poll import poll
from detector.roster import seed_of
from storage.ingest import add_documents, replace_index

FIRST, N_WINDOWS = 76 * 48, 52 * 48
"""From the middle of September until after the marathon, which is hard to miss."""


def part_of_the_taxis(nab):
    """Return the series as the benchmark reads it, cut."""
    (series,) = load_series(nab)
    part = slice(FIRST, FIRST + N_WINDOWS)
    return series._replace(times_ms=series.times_ms[part], values=series.values[part])


def poll_taxis(client, prefix, series):
    """Let the example's detector run over the same documents, from the first to the last window."""
    (config,) = (one for one in load_detectors(examples_folder() / "detectors") if one.name == "nyc-taxi")
    index = f"{prefix}-source"
    times = set(series.times_ms.tolist())
    replace_index(client, index, MAPPINGS["nyc-taxi"])
    add_documents(
        client, index, (one for one in sample_as_recorded("nyc-taxi").past if one[TIME_FIELD] in times)
    )
    stores = stores_of(client, prefix)
    end_ms = int(series.times_ms[-1]) + 2 * series.interval_ms
    config = config.model_copy(update={"indices": (index,)})
    job = open_job(config, stores, end_ms, start_ms=int(series.times_ms[0]))
    assert poll(job, stores, end_ms).is_complete


def test_a_folder_scored_through_a_node_has_the_flags_of_the_benchmark(client, index_prefix, tmp_path):
    """The taxis: documents, detector, polls, result documents; flag by flag and score by score."""
    series = part_of_the_taxis(write_nab_folder(tmp_path, "nyc-taxi"))
    run = run_series(series, np.array([seed_of("nyc-taxi", ())], np.uint64), ModelSettings)
    poll_taxis(client, index_prefix, series)
    found = sorted(written(client, index_prefix).values(), key=lambda document: document["data_start_time"])
    assert [document["data_start_time"] for document in found] == series.times_ms.tolist()
    flagged = [document["data_start_time"] for document in found if document.get("is_anomaly")]
    assert flagged == series.times_ms[run.flags[:, 0]].tolist()
    assert flagged
    scores = [document.get("anomaly_score", np.nan) for document in found]
    np.testing.assert_allclose(scores, run.scored.score[:, 0], rtol=1e-12)

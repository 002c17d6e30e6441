"""The plugin-compatible profile on a real node: the same path, documents and restarts as the default."""

import pytest
from streams import MINUTE_MS, START_MS, detector, index_stream, stores_of, written

from detector.open import open_job
from detector.poll import poll
from detector.save import save_checkpoints

N_WINDOWS = 60
END_MS = START_MS + N_WINDOWS * MINUTE_MS
WIDE = {
    "action": "IGNORE_ANOMALY",
    "conditions": [{"feature_name": "mean", "threshold_type": "ACTUAL_IS_BELOW_EXPECTED"}],
}


def test_restarts_change_no_document_and_the_spike_is_told(client, index_prefix):
    """One poll over everything, and polls with checkpoints and restarts between, write the same documents."""
    source = f"{index_prefix}-source"
    index_stream(client, source, n_hosts=4, n_windows=N_WINDOWS)
    config = detector(source, profile="trcf", rules=[WIDE])
    calm, torn = f"{index_prefix}-calm", f"{index_prefix}-torn"
    stores = stores_of(client, calm)
    poll(open_job(config, stores, START_MS), stores, END_MS)
    documents = written(client, calm)

    for window in (7, 23, 24, 55, N_WINDOWS):
        stores = stores_of(client, torn)
        job = open_job(config, stores, START_MS)
        poll(job, stores, START_MS + window * MINUTE_MS)
        save_checkpoints(job, stores.checkpoints, every_entries=2)
    assert written(client, torn) == documents

    scored = [document for document in documents.values() if document["status"] == "scored"]
    assert len(scored) > 100
    assert all(0 <= document["confidence"] < 1 for document in scored)
    alarms = [document for document in scored if document["is_anomaly"]]
    (spike,) = [
        document
        for document in alarms
        if document["data_start_time"] == START_MS + (N_WINDOWS - 9) * MINUTE_MS
    ]
    assert spike["entity_attributes"] == {"host": "host-2"}
    assert spike["anomaly_score"] >= spike["threshold"]
    assert spike["expected"]["mean"] < spike["upper"]["mean"] < spike["value"]["mean"]
    assert sum(spike["contribution"].values()) == pytest.approx(1)
    assert "times the" in spike["reason"]

"""What every release has left in a cluster is read by this one; what a newer one has left is not touched."""

import math
from importlib.metadata import version

import pytest
from sidecar import Sidecar, outrider
from state_fixture import COMMITTED, FOLDER, JOURNALED, N_HOSTS, N_WINDOWS, configs, index_source, load
from streams import MINUTE_MS, START_MS, stores_of, written

from detector import journal_entry, partition
from detector.commands.sidecar import FORMATS
from detector.open import open_job
from detector.packing import NewerFormatError
from detector.poll import poll
from detector.save import save_checkpoints

END_MS = START_MS + N_WINDOWS * MINUTE_MS
STATES = sorted(FOLDER.glob("state-*.ndjson.gz"))


@pytest.fixture(scope="module")
def source(client):
    """Make the index that the detectors of the states read."""
    index = "fixture-source"
    index_source(client, index)
    yield index
    client.indices.delete(index=index)


def test_the_release_in_work_has_a_state_in_its_own_formats(client, index_prefix):
    """Until it is out, its file is written again whenever a format changes."""
    path = FOLDER / f"state-{version('outrider')}.ndjson.gz"
    stores_of(client, index_prefix)
    assert path in STATES
    assert load(client, index_prefix, path) == FORMATS, (
        "run `python tests/state_fixture.py` and commit the file"
    )


@pytest.mark.parametrize("path", STATES, ids=lambda path: path.name)
def test_the_state_of_a_release_is_taken_up_where_it_was_left(client, source, index_prefix, path):
    """Models, journal and markers are read, the window that was in work is written, and nothing is learned anew."""
    stores = stores_of(client, index_prefix)
    load(client, index_prefix, path)
    calm = stores_of(client, f"{index_prefix}-calm")
    for config in configs(source):
        committed = stores.state.markers([f"{config.detector_id}~1~00"]).values()
        assert {marker.frontier_ms for marker in committed} == {START_MS + COMMITTED * MINUTE_MS}
        job = open_job(config, stores, END_MS)
        assert (job.registration.generation, job.registration.revision) == (1, 1)
        assert job.frontier_ms == START_MS + JOURNALED * MINUTE_MS
        assert job.n_entities == (N_HOSTS if config.category_field else 1)
        poll(job, stores, END_MS)
        poll(open_job(config, calm, START_MS), calm, END_MS)
    assert_alike(written(client, index_prefix), written(client, f"{index_prefix}-calm"))


def assert_alike(found, expected):
    """Compare documents; numbers may differ in their last bits, which depend on the processor."""
    assert found.keys() == expected.keys()
    for key, document in expected.items():
        assert found[key].keys() == document.keys()
        for name, value in document.items():
            if isinstance(value, float):
                assert math.isclose(found[key][name], value, rel_tol=1e-6), (key, name)
            elif isinstance(value, str | int):
                assert found[key][name] == value, (key, name)


@pytest.mark.parametrize(
    ("module", "name", "what"),
    [
        (partition, "CHECKPOINT_VERSION", "stored checkpoint"),
        (journal_entry, "ENTRY_VERSION", "stored journal entry"),
        (journal_entry, "NUMERIC_VERSION", "kernel of a journal entry"),
    ],
)
def test_what_a_newer_release_wrote_is_refused_with_both_versions_and_nothing_is_written(
    client, source, index_prefix, monkeypatch, module, name, what
):
    """Above all its models are not taken for damaged ones and learned anew."""
    stores, known = stores_of(client, index_prefix), getattr(module, name)
    config = configs(source)[0]
    with monkeypatch.context() as newer:
        newer.setattr(module, name, known + 1)
        if name == "NUMERIC_VERSION":
            newer.setattr(journal_entry.JournalEntry.__init__, "__defaults__", (1, known + 1))
        job = open_job(config, stores, START_MS)
        poll(job, stores, START_MS + 5 * MINUTE_MS)
        # A checkpoint that is due may cover what was journaled until now.
        poll(job, stores, START_MS + 6 * MINUTE_MS)
        if name == "CHECKPOINT_VERSION":
            save_checkpoints(job, stores.checkpoints, every_entries=1)
    before = stores.detectors.find("stream"), written(client, index_prefix)
    message = (
        f"the {what} has version {known + 1}, this release of Outrider knows version {known}: .* upgrade"
    )
    with pytest.raises(NewerFormatError, match=message):
        open_job(config, stores, END_MS)
    assert (stores.detectors.find("stream"), written(client, index_prefix)) == before


def test_an_older_sidecar_that_meets_newer_indices_stops(client, node_url, index_prefix, tmp_path):
    """With exit code 1 and both versions, instead of failing for ever."""
    stores_of(client, index_prefix)
    mapping = {"_meta": {"schema_version": 99}}
    client.indices.put_mapping(index=f"{index_prefix}-journal", body=mapping)
    (tmp_path / "stream.json").write_text(configs("fixture-source")[0].model_dump_json(exclude_none=True))
    with Sidecar(tmp_path, node_url, index_prefix) as sidecar:
        assert sidecar.process.wait(timeout=60) == 1
    once = outrider("run", "-c", tmp_path, "--once", url=node_url, prefix=index_prefix)
    assert once.returncode == 1
    for said in ("".join(sidecar.lines), once.stderr):
        assert (
            "has schema version 99, this release of Outrider knows version 1: run the newer release" in said
        )
        assert "Traceback" not in said

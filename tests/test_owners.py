"""Several owners of the same partitions: whatever one does between two steps of another changes nothing."""

from dataclasses import replace

import pytest
from faults import Fuse, Killed, breaking
from streams import MINUTE_MS, START_MS, detector, index_stream, source_index, stores_of, written

from detector.open import ChangedElsewhereError, is_current, open_job
from detector.poll import poll
from detector.resume import look_again
from detector.roster import partition_of
from detector.save import prune_journal, save_checkpoints

N_HOSTS, N_WINDOWS = 5, 72
END_MS = START_MS + N_WINDOWS * MINUTE_MS
YEARS_LATER_MS = START_MS + 10**11


@pytest.fixture(scope="module")
def source(client):
    """Make an index with data, shared by the module."""
    with source_index(client, n_hosts=N_HOSTS, n_windows=N_WINDOWS) as index:
        yield index


def calm(client, prefix, config):
    """Return what one undisturbed run writes."""
    stores = stores_of(client, prefix)
    poll(open_job(config, stores, START_MS), stores, END_MS)
    return written(client, prefix)


@pytest.mark.parametrize("is_single", [True, False], ids=["one stream", "entities"])
def test_a_process_that_stands_still_past_the_pruning_and_goes_on_changes_nothing(
    client, source, index_prefix, is_single
):
    """It stops before and after each operation in turn; meanwhile another goes on, saves and prunes everything.

    What it then writes hits journal entries that are gone, markers that have moved and models that are newer.
    """
    config = detector(source, is_single=is_single)
    undisturbed = calm(client, f"{index_prefix}-calm", config)
    prefix = f"{index_prefix}-torn"
    stores = stores_of(client, prefix)
    stopped, other = (open_job(config, stores, START_MS) for _ in range(2))

    def go_on(window):
        poll(other, stores, START_MS + window * MINUTE_MS)
        save_checkpoints(other, stores.checkpoints, every_entries=1)
        client.indices.refresh(index=f"{prefix}-journal")
        other.pruned_at_ms = 0
        prune_journal(other, stores.journal, YEARS_LATER_MS)

    hits = set()
    stride = 3 if is_single else 6
    for step, window in enumerate(range(1, N_WINDOWS - 2, stride)):
        if step % 3 == 2:
            go_on(window)
        fuse = Fuse(1 + step, lambda window=window: go_on(window + 2))
        now_ms = START_MS + (window + 1) * MINUTE_MS
        poll(stopped, breaking(stores, fuse), now_ms)
        hits.add(fuse.ticks >= fuse.length)
        save_checkpoints(stopped, breaking(stores, fuse).checkpoints, every_entries=2)
    assert hits >= {True}, "it was stopped in the middle"
    poll(stopped, stores, END_MS)
    assert written(client, prefix) == undisturbed


def test_a_newcomer_that_resumes_while_another_goes_on_reads_a_whole(client, source, index_prefix):
    """Stopped at each operation of the resuming in turn, while markers, checkpoints and the journal's end move."""
    config = detector(source, is_single=True)
    undisturbed = calm(client, f"{index_prefix}-calm", config)
    prefix = f"{index_prefix}-torn"
    stores = stores_of(client, prefix)
    owner = open_job(config, stores, START_MS)

    def go_on(window):
        poll(owner, stores, START_MS + window * MINUTE_MS)
        save_checkpoints(owner, stores.checkpoints, every_entries=1)
        client.indices.refresh(index=f"{prefix}-journal")
        owner.pruned_at_ms = 0
        prune_journal(owner, stores.journal, YEARS_LATER_MS)

    go_on(1)
    n_operations = 0
    for window in range(2, N_WINDOWS, 2):
        fuse = Fuse(1 + window // 2, lambda window=window: go_on(window))
        newcomer = open_job(config, breaking(stores, fuse), END_MS)
        n_operations = max(n_operations, fuse.ticks)
        assert newcomer.registration.generation == 1, "nothing is lost"
        poll(newcomer, stores, START_MS + (window + 1) * MINUTE_MS)
    assert 6 <= n_operations <= N_WINDOWS // 2, "every operation was hit"
    poll(owner, stores, END_MS)
    assert written(client, prefix) == undisturbed


class OnlyOne:
    """A search that finds one host's documents, as one that came a moment earlier would."""

    def __init__(self, search, host):
        self._search, self._host, self.page_size = search, host, search.page_size

    def named(self, *arguments):
        return OnlyOne(self._search.named(*arguments), self._host)

    def pages(self, indices, body_of):
        def restricted(after):
            body = body_of(after)
            body["query"]["bool"]["filter"].append({"term": {"host": self._host}})
            return body

        return self._search.pages(indices, restricted)


def test_an_entity_that_another_owner_has_not_seen_yet_still_learns_from_its_history(client, index_prefix):
    """The other's entry with the history of fewer entities wins, and the other dies: what it lacks is read again."""
    numbers = (f"host-{number}" for number in range(2, 40))
    of_one = [name for name in numbers if partition_of((name,), 64) == partition_of(("host-2",), 64)]
    index = f"{index_prefix}-source"
    index_stream(client, index, n_hosts=1 + int(of_one[1].partition("-")[2]), n_windows=2)
    config, now_ms = detector(index), START_MS + MINUTE_MS
    stores = stores_of(client, f"{index_prefix}-calm")
    poll(open_job(config, stores, START_MS), stores, now_ms)
    stores = stores_of(client, f"{index_prefix}-torn")
    early, late = (open_job(config, stores, START_MS) for _ in range(2))
    others = frozenset({"read", "load", "markers", "written_before", "delete", "save", "advance"})

    def be_faster():
        # Killed beside its second entry, the one with the windows.
        torn = breaking(
            replace(stores, search=OnlyOne(stores.search, "host-2")), Fuse.raising(3, Killed()), others
        )
        with pytest.raises(Killed):
            poll(early, torn, now_ms)

    poll(late, breaking(stores, Fuse(1, be_faster), others), now_ms)
    assert written(client, f"{index_prefix}-torn") == written(client, f"{index_prefix}-calm")


def test_shares_that_move_between_two_processes_give_the_documents_of_one(client, source, index_prefix):
    """At every poll each has other partitions than before; some have two owners for a while, some none."""
    config = detector(source)
    undisturbed = calm(client, f"{index_prefix}-calm", config)
    stores = stores_of(client, f"{index_prefix}-torn")
    shares = [frozenset(range(step, 64, 3)) | frozenset(range(step * 9, step * 9 + 9)) for step in range(3)]
    jobs = [open_job(config, stores, START_MS, share=shares[0]) for _ in range(2)]
    for step in range(N_WINDOWS // 8):
        for number, job in enumerate(jobs):
            poll(job, stores, START_MS + 8 * step * MINUTE_MS, share=lambda n=step + number: shares[n % 3])
            assert {partition.log[-2:] for partition in job.partitions} == {f"{n:02d}" for n in job.share}
    for job in jobs:
        poll(job, stores, END_MS, share=lambda: frozenset(range(64)))
        assert job.is_done(stores.state.markers(job.logs), END_MS)
    assert written(client, f"{index_prefix}-torn") == undisturbed


def test_a_share_is_part_of_the_work_and_of_the_memory(client, source, index_prefix):
    """Nothing is read into models that are another's, and the whole is done when all are."""
    config = detector(source)
    stores = stores_of(client, index_prefix)
    halves = frozenset(range(32)), frozenset(range(32, 64))
    first, second = (open_job(config, stores, START_MS, share=half) for half in halves)
    poll(first, stores, END_MS)
    assert not first.is_done(stores.state.markers(first.logs), END_MS)
    poll(second, stores, END_MS)
    assert first.is_done(stores.state.markers(first.logs), END_MS)
    assert first.n_entities + second.n_entities == N_HOSTS
    assert 0 < first.n_entities < N_HOSTS
    nothing = open_job(config, stores, START_MS, share=frozenset())
    assert poll(nothing, stores, END_MS).windows == 0


def test_after_a_gap_in_its_lease_a_process_reads_the_markers_first(client, source, index_prefix):
    """What another has moved is read again before anything is asked of the source."""
    config = detector(source)
    stores = stores_of(client, index_prefix)
    first, second = (open_job(config, stores, START_MS) for _ in range(2))
    poll(first, stores, START_MS + 5 * MINUTE_MS)
    poll(second, stores, START_MS + 9 * MINUTE_MS)
    look_again(second, stores)
    assert second.is_resumed, "nobody has moved on"
    look_again(first, stores)
    assert len(first.lost) == 64
    assert poll(first, stores, START_MS + 9 * MINUTE_MS).windows == 0
    assert first.frontier_ms == second.frontier_ms


def test_settings_that_another_process_has_changed_are_noticed(client, source, index_prefix):
    """The one with the older file stops; a generation that began anew with the same file is joined."""
    config = detector(source)
    stores = stores_of(client, index_prefix)
    job = open_job(config, stores, START_MS)
    assert is_current(job, stores)
    stores.detectors.renew(job.registration, START_MS, 0)
    assert not is_current(job, stores)
    assert is_current(open_job(config, stores, START_MS), stores)
    open_job(detector(source, description="of all hosts"), stores, START_MS)
    with pytest.raises(
        ChangedElsewhereError, match=r"revision 2, ours is 1.*give this sidecar the same file"
    ):
        is_current(job, stores)


def test_an_entity_that_comes_late_to_a_partition_that_is_further_than_others(client, index_prefix):
    """Its documents of windows that the partition has behind it are its history; none is lost between the two."""
    source = f"{index_prefix}-source"
    index_stream(client, source, n_hosts=2, n_windows=20)
    config, ahead = detector(source), partition_of(("late",), 64)
    whole, parts = stores_of(client, f"{index_prefix}-whole"), stores_of(client, f"{index_prefix}-parts")
    poll(open_job(config, whole, START_MS), whole, START_MS + 10 * MINUTE_MS)
    poll(open_job(config, parts, START_MS, share=frozenset({ahead})), parts, START_MS + 10 * MINUTE_MS)
    for window in range(5, 20):
        moment_ms = START_MS + window * MINUTE_MS
        client.index(index=source, body={"time": moment_ms, "load": 5.0 + window, "host": "late"})
    client.indices.refresh(index=source)
    for stores in (whole, parts):
        poll(open_job(config, stores, START_MS), stores, START_MS + 20 * MINUTE_MS)
    of_late = [
        {
            key: body
            for key, body in written(client, f"{index_prefix}-{name}").items()
            if body["entity_key"] == "host=late"
        }
        for name in ("whole", "parts")
    ]
    assert len(of_late[0]) == 15
    assert of_late[1] == of_late[0]

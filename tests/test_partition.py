"""A partition comes back from any checkpoints and the journal after them as if it had never been away."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector import partition as partition_module
from detector.journal_entry import decode_entry
from detector.model.fleet import ModelSettings
from detector.packing import PackingError, pack
from detector.partition import Partition, n_groups, select
from detector.silence import Filler, Silence
from detector.unsaved import CHECKPOINT_EVERY_ENTRIES, COSTLY_WINDOWS
from features.block import FeatureBlock
from storage.records import Checkpoint, Marker

MODELS = ModelSettings(n_features=2, interval_ms=60_000, n_trees=3, sample_size=8)
GROUP = 4


@pytest.fixture(scope="module", autouse=True)
def _small_groups():
    """Make four models a group, so that few entities fill several."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(partition_module, "GROUP_SIZE", GROUP)
        yield


def empty():
    silence = Silence(Filler(np.array([0.0, np.nan]), repeats=True, fills_gaps=True), 3 * 60_000)
    return Partition("d", "d~1~00", MODELS, 0, silence=silence)


def block(window, entities, absent=()):
    """Return one window; values are made from window and entity, so that a repeat is equal."""
    entities = tuple(sorted(entities))
    seeds = [window * 1000 + int(name) for (name,) in entities]
    values = np.array([[np.random.default_rng(seed).normal(size=2) for seed in seeds]])
    counts = np.array([[0 if entity in absent else 3 for entity in entities]])
    return FeatureBlock(entities, np.array([window * 60_000]), values.reshape(1, len(entities), 2), counts)


def names(count):
    return [(f"{number:03d}",) for number in range(count)]


class Life:
    """A partition that runs, its journal, and the checkpoints that were written of it."""

    def __init__(self):
        self.partition = empty()
        self.journal = []
        self.checkpoints = {}

    def window(self, entities):
        """Take one window to the journal and to the models."""
        entry = self.partition.windows_entry(block(len(self.journal) + 1, entities), 1)
        self.journal.append(entry.encode())
        return self.partition.apply(len(self.journal), entry)

    def save(self, group):
        """Write the checkpoint of a group."""
        self.checkpoints[group] = self.partition.checkpoint(group)
        self.partition.mark_saved(group, self.partition.sequence)

    def resumed(self):
        """Return what another process makes of marker, checkpoints and journal, and where it began to read."""
        known = self.partition
        marker = Marker(known.log, known.sequence, known.frontier_ms, len(known.roster))
        other = empty()
        for _, checkpoint in sorted(self.checkpoints.items()):
            other.restore(checkpoint)
        read_after = other.rewind(marker)
        for sequence in range(read_after + 1, len(self.journal) + 1):
            other.apply(sequence, decode_entry(self.journal[sequence - 1]))
        return other, read_after


def models(partition):
    """Return everything the models hold, as bytes, by group."""
    return [partition.checkpoint(group).payload for group in range(partition.n_groups)]


STEPS = st.lists(
    st.tuples(st.integers(0, 4), st.sets(st.integers(0, 3), max_size=3)), min_size=1, max_size=12
)
"""For each window: how many entities are new in it, and which groups are saved after it."""


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_whatever_was_saved_when_the_models_come_back_bit_for_bit_without_what_may_be_pruned(steps):
    """Groups of different age, groups that have grown since, groups without a checkpoint."""
    life, n_entities, deleted = Life(), 0, 0
    for n_new, groups in steps:
        n_entities += n_new
        life.window(names(n_entities))
        for group in sorted(groups):
            if group < life.partition.n_groups:
                life.save(group)
        deleted = max(deleted, life.partition.safe_sequence)
    other, read_after = life.resumed()
    assert read_after >= deleted, "it reads an entry that may be deleted"
    assert (other.sequence, other.frontier_ms) == (life.partition.sequence, life.partition.frontier_ms)
    assert other.roster.entities == life.partition.roster.entities
    assert models(other) == models(life.partition)


def test_a_group_that_has_grown_since_its_checkpoint_takes_the_one_behind_it_from_the_journal():
    """Of what the journal had before the older checkpoint nothing is needed."""
    life = Life()
    for _ in range(3):
        life.window(names(2))
    life.save(0)
    for _ in range(3):
        life.window(names(6))
    life.save(1)
    life.window(names(6))
    assert life.partition.safe_sequence == 3
    other, read_after = life.resumed()
    assert read_after == 3
    assert models(other) == models(life.partition)


def test_a_hole_between_checkpoints_is_filled_from_the_whole_journal():
    """The checkpoint of a full group is gone: its models, and those of the groups behind it, are replayed."""
    life = Life()
    for _ in range(5):
        life.window(names(10))
    for group in range(3):
        life.save(group)
    life.window(names(10))
    del life.checkpoints[1]
    other, read_after = life.resumed()
    assert read_after == 0
    assert models(other) == models(life.partition)


def test_a_checkpoint_behind_a_hole_is_refused_and_a_damaged_one_raises():
    """Neither changes anything."""
    life = Life()
    life.window(names(6))
    life.save(0)
    life.save(1)
    other = empty()
    assert not other.restore(life.checkpoints[1])
    torn = life.checkpoints[0]._replace(payload=life.checkpoints[0].payload[:-9])
    with pytest.raises(PackingError, match="stored checkpoint is damaged"):
        other.restore(torn)
    newer = Checkpoint("d~1~00", 0, 1, pack("checkpoint", 99, {}, {}))
    with pytest.raises(PackingError, match="checkpoint has version 99"):
        other.restore(newer)
    assert len(other.roster) == 0
    assert other.restore(life.checkpoints[0])


def test_a_model_past_an_entry_is_left_alone_by_its_replay():
    """And gives no documents of it, which stand already."""
    life = Life()
    for _ in range(4):
        life.window(names(6))
    before = models(life.partition)
    life.save(0)
    other = empty()
    other.restore(life.checkpoints[0])
    scored = [other.apply(n + 1, decode_entry(payload)).scored for n, payload in enumerate(life.journal)]
    assert models(other) == before
    assert all((one.status[:, :GROUP] == 0).all() for one in scored)
    assert all((one.status[:, GROUP:] > 0).all() for one in scored)


def test_only_windows_after_the_frontier_become_an_entry():
    """Two owners, or a poll that failed half-way, never journal a window twice."""
    life = Life()
    life.window(names(2))
    assert life.partition.windows_entry(block(1, names(2)), 1) is None
    both = FeatureBlock(
        tuple(names(1)), np.array([60_000, 120_000]), np.ones((2, 1, 2)), np.ones((2, 1), np.int64)
    )
    assert life.partition.windows_entry(both, 1).end_times_ms.tolist() == [120_000]


def test_an_entry_holds_only_who_was_there_and_names_who_is_new():
    """An absent entity has no row; a window with nobody still moves the frontier."""
    life = Life()
    life.window(names(2))
    entry = life.partition.windows_entry(block(2, names(4), absent=[("001",), ("003",)]), 7)
    assert entry.new_entities == (("002",),)
    assert entry.rows.tolist() == [0, 2]
    assert entry.settings_revision == 7
    assert life.partition.history_entry(block(2, names(2), absent=names(2)), 1) is None
    nobody = life.partition.windows_entry(block(2, names(2), absent=names(2)), 1)
    life.partition.apply(2, nobody)
    assert (nobody.rows.size, life.partition.frontier_ms) == (0, 120_000)


def test_history_leaves_the_frontier_alone():
    """Older windows of entities that are new."""
    life = Life()
    life.window(names(1))
    history = life.partition.history_entry(block(1, [("009",)]), 1)
    life.partition.apply(2, history)
    assert (history.kind, life.partition.frontier_ms, life.partition.sequence) == ("history", 60_000, 2)


def test_checkpoints_are_due_after_so_many_windows_and_not_all_at_once():
    """The first ones are spread by the name of the log and the number of the group."""
    life = Life()
    life.window(names(10))
    first_due = {}
    for window in range(2, 150):
        for group in life.partition.unsaved.due(64):
            first_due.setdefault(group, window)
        life.window(names(10))
    assert len(set(first_due.values())) == 3
    life.save(0)
    assert 0 not in life.partition.unsaved.due(64)
    for _ in range(64):
        life.window(names(10))
    assert 0 in life.partition.unsaved.due(64)


def test_a_replay_makes_no_checkpoint_due_that_is_newer():
    """It begins with the oldest one; else everything would be saved at once after each restart."""
    life = Life()
    for _ in range(40):
        life.window(names(10))
    life.save(0)
    for _ in range(40):
        life.window(names(10))
    life.save(1)
    life.save(2)
    other, read_after = life.resumed()
    assert read_after == 40
    assert other.unsaved.due(41) == []
    assert other.unsaved.due(40) == [0]


def test_a_block_is_cut_into_the_parts_of_partitions():
    """Columns by index; groups are counted upwards."""
    part = select(block(1, names(5)), np.array([1, 3]))
    assert part.entities == (("001",), ("003",))
    assert (part.values.shape, part.doc_counts.shape) == ((1, 2, 2), (1, 2))
    assert [n_groups(count) for count in (0, 1, 4, 5, 9)] == [1, 1, 1, 2, 3]


def take(partition, n_windows):
    """Let a partition take so many windows of the entities of one group, as one entry."""
    one = block(1, names(GROUP))
    ends = partition.frontier_ms + 60_000 * np.arange(1, n_windows + 1)
    values, counts = np.repeat(one.values, n_windows, 0), np.repeat(one.doc_counts, n_windows, 0)
    entry = partition.windows_entry(FeatureBlock(one.entities, ends, values, counts), 1)
    partition.apply(partition.sequence + 1, entry)


def test_models_are_due_by_journal_entries_however_many_windows_those_have():
    """Catching up, an entry has many windows, and models are not written down after each."""
    partition = empty()
    take(partition, 1)
    partition.mark_saved(0, 1)
    for _ in range(4):
        take(partition, 10)
    assert partition.unsaved.due(4) == [0]
    assert partition.unsaved.due(5) == []


def test_models_that_are_replayed_at_every_visit_are_saved_when_that_takes_long():
    """Asleep and awake in turn: what counts is windows."""
    partition = empty()
    for n_windows in (40, COSTLY_WINDOWS - 41, 1):
        assert partition.unsaved.costly() == []
        take(partition, n_windows)
    assert partition.unsaved.costly() == [0]
    partition.mark_saved(0, partition.sequence)
    assert partition.unsaved.costly() == []


def test_groups_that_began_together_are_not_due_together():
    """Of 64 groups one is due after each of the first 64 entries."""
    life, due = Life(), []
    for _ in range(CHECKPOINT_EVERY_ENTRIES):
        life.window(names(CHECKPOINT_EVERY_ENTRIES * GROUP))
        now_due = life.partition.unsaved.due()
        due.append(len(now_due))
        for group in now_due:
            life.save(group)
    assert due == [1] * CHECKPOINT_EVERY_ENTRIES

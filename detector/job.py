"""A detector that runs: its registration, its partitions in memory, and which windows come next.

Joins configuration and models; does no I/O, so that `poll` and `resume` read as what they do.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.configuration.config import DetectorConfig
from detector.configuration.rules import directions, margins
from detector.documents import Document, DocumentMaker
from detector.journal_entry import JournalEntry
from detector.memory import Memory
from detector.model.bars import bars_of
from detector.model.budget import UNLIMITED
from detector.model.fleet import ModelSettings
from detector.model.plugin_settings import PLUGIN_TREES, TrcfSettings
from detector.partition import Partition, select
from detector.roster import Entity, log_names, partition_count, partition_of
from detector.silence import Silence, filler_of
from features.block import FeatureBlock
from features.query import windows_per_request
from features.windows import closed_windows
from storage.records import Marker, Registration

WINDOWS_PER_BLOCK = 10_000
ROWS_PER_BLOCK = 50_000
"""Most windows a block, and most windows times entities: catching up commits its progress every few seconds."""


class Job:
    """One generation of one detector, as this process knows it."""

    def __init__(
        self,
        config: DetectorConfig,
        registration: Registration,
        share: frozenset[int] | None = None,
        memory: Memory | None = None,
    ) -> None:
        self.config = config
        self.source = config.source
        self.registration = registration
        self.detector_id = registration.detector_id
        self.n_partitions = partition_count(self.source.category_fields)
        self.share = frozenset(range(self.n_partitions)) if share is None else share
        """Numbers of the partitions that this process works on; `resume` brings them into memory."""
        self.markers: dict[str, Marker] = {}
        self.journaled: deque[tuple[Partition, int, JournalEntry]] = deque()
        """Entries that stand in the journal and are not scored yet, with partition and sequence."""
        self.unwritten: list[Document] = []
        """Documents that were scored and do not stand yet; they are written before anything else happens."""
        self.lost: set[str] = set()
        """Logs on which another writer has moved: what is in memory of them is not the truth any more."""
        self.pruned_at_ms = 0
        self.memory = Memory() if memory is None else memory
        self._partitions: dict[int, Partition] = {}
        self._partition_of: dict[Entity, int] = {}
        self.maker = DocumentMaker(
            detector_id=self.detector_id,
            generation=registration.generation,
            interval=config.interval,
            category_fields=self.source.category_fields,
            feature_names=tuple(feature.feature_name for feature in self.source.features),
            feature_ids=tuple(feature.feature_id or feature.feature_name for feature in self.source.features),
        )

    @property
    def logs(self) -> list[str]:
        """Names of the journal logs of all partitions, those of other processes too; by number."""
        return log_names(self.detector_id, self.registration.generation, self.n_partitions)

    @property
    def partitions(self) -> list[Partition]:
        """The partitions in memory, in ascending order of numbers."""
        return [self._partitions[number] for number in sorted(self._partitions)]

    @property
    def is_resumed(self) -> bool:
        """Whether the share of this process is in memory, no more and no less, as the cluster has it."""
        return self._partitions.keys() == self.share and not self.lost

    @property
    def n_entities(self) -> int:
        """Number of known entities of the partitions in memory; a single stream is one."""
        return sum(len(partition.roster) for partition in self.partitions)

    @property
    def frontier_ms(self) -> int:
        """Exclusive end of the last window that all partitions in memory have journaled."""
        return min(partition.frontier_ms for partition in self.partitions)

    def take_entries(self) -> list[tuple[Partition, int, JournalEntry]]:
        """Take the journaled entries of one partition, in order, from those that wait to be scored."""
        partition = self.journaled[0][0]
        taken = [item for item in self.journaled if item[0] is partition]
        self.journaled = deque(item for item in self.journaled if item[0] is not partition)
        return taken

    def empty_partition(self, log: str) -> Partition:
        """Return a partition as it is before the first entry of its log."""
        return Partition(
            self.detector_id,
            log,
            model_settings(self.config),
            self.registration.start_ms,
            silence=Silence(filler_of(self.config), self.config.longest_silence_ms),
            timezone=self.config.timezone,
        )

    def forget(self) -> None:
        """Drop everything in memory; it comes back from the cluster by `resume`."""
        self._partitions = {}
        self.markers = {}
        self.journaled.clear()
        self.unwritten = []
        self.lost = set()

    def missing(self) -> list[int]:
        """Let go of what is lost or not ours any more; return the numbers of what has to come into memory.

        Call when nothing is waiting to be scored or written.
        """
        kept = {
            number: partition
            for number, partition in self._partitions.items()
            if number in self.share and partition.log not in self.lost
        }
        self._partitions = kept
        self.markers = {
            log: self.markers[log] for log in self.markers.keys() & {p.log for p in kept.values()}
        }
        self.lost = set()
        return sorted(self.share - kept.keys())

    def take(self, number: int, partition: Partition, marker: Marker | None) -> None:
        """Hold a partition that was brought into memory."""
        self._partitions.pop(number, None)
        self._partitions[number] = partition
        self.note_memory()
        if marker is not None:
            self.markers[marker.log] = marker

    def let_go(self, partition: Partition) -> None:
        """Drop a partition that is to come back from the cluster."""
        self._partitions = {n: held for n, held in self._partitions.items() if held is not partition}
        self.markers.pop(partition.log, None)

    def awake(self) -> list[Partition]:
        """Return the partitions whose models are in memory, those that have been there for longest first."""
        return [partition for partition in self._partitions.values() if partition.is_awake]

    @property
    def used_bytes(self) -> int:
        """Bytes that models take, those included that journaled entries are about to add."""
        coming = sum(len(entry.new_entities) * part.bytes_per_model for part, _, entry in self.journaled)
        return coming + sum(partition.awake_bytes for partition in self.awake())

    @property
    def room_bytes(self) -> float:
        """Bytes that models may take."""
        return self.memory.room(self.detector_id)

    def note_memory(self) -> None:
        """Tell the budget what the models take."""
        self.memory.note(self.detector_id, self.used_bytes)

    @property
    def is_behind(self) -> bool:
        """Whether windows are journaled that partitions have not scored yet because they sleep."""
        return any(partition.done.sequence < partition.sequence for partition in self._partitions.values())

    @property
    def done_ms(self) -> int:
        """Exclusive end of the last window that all partitions in memory have scored."""
        return min(partition.done.frontier_ms for partition in self._partitions.values())

    def accept(self, partition: Partition, sequence: int, entry: JournalEntry) -> None:
        """Take over an entry that stands in the journal: to be scored now, or when its partition is awake again.

        A partition whose new entities do not fit into the memory budget goes to sleep, unless it is the only one.
        """
        if partition.is_awake and entry.new_entities:
            needed = self.used_bytes + len(entry.new_entities) * partition.bytes_per_model
            if needed > self.room_bytes and self.used_bytes > partition.awake_bytes:
                partition.sleep()
        if partition.is_awake:
            self.journaled.append((partition, sequence, entry))
        else:
            partition.pass_over(sequence, entry)

    def next_windows(self, now_ms: int) -> NDArray[np.int64]:
        """Return the ends of the closed windows of the next block, none when all are done.

        int64, shape (n_windows,); fewer, the more entities are known by now. A detector of which no entity is
        known yet begins with a single window. A query brings the entities of all partitions, so those of other
        processes are counted in.
        """
        if not self._partitions:
            return np.empty(0, np.int64)
        interval, delay = self.config.interval, self.config.window_delay_ms
        is_single = not self.source.category_fields
        n_entities = 1 if is_single else self.n_entities * self.n_partitions // len(self._partitions)
        most = windows_per_request(n_entities, WINDOWS_PER_BLOCK, ROWS_PER_BLOCK) if n_entities else 1
        horizon = self.frontier_ms + (most + 1) * interval.milliseconds
        return closed_windows(self.frontier_ms, min(now_ms, horizon + delay), interval, delay)[:most]

    def is_done(self, markers: Mapping[str, Marker], now_ms: int) -> bool:
        """Say whether every partition, also of other processes, has committed all windows that are closed by now."""
        interval, start_ms = self.config.interval, self.registration.start_ms
        frontiers = [markers[log].frontier_ms if log in markers else start_ms for log in self.logs]
        next_end_ms = interval.next(interval.floor(min(frontiers)))
        return next_end_ms > now_ms - self.config.window_delay_ms

    def skipped_windows(self, partition: Partition, oldest_ms: int) -> NDArray[np.int64]:
        """Return the ends of the first and the last window of a partition that are not to be caught up any more.

        int64, shape (2,); shape (0,) when there are none. Windows that end at or before `oldest_ms` are too old.
        """
        interval = self.config.interval
        first = interval.next(interval.floor(partition.frontier_ms))
        last = interval.floor(oldest_ms)
        return np.array([first, last] if first <= last else [], np.int64)

    def split(self, block: FeatureBlock) -> Iterator[tuple[Partition, FeatureBlock]]:
        """Yield every partition in memory with its part of a block; the part of some may have no entity."""
        numbers = self._numbers(block)
        for number in sorted(self._partitions):
            yield self._partitions[number], select(block, np.flatnonzero(numbers == number))

    def own_part(self, block: FeatureBlock) -> FeatureBlock:
        """Return a block without what is not ours to journal.

        That is the entities of partitions that are not in memory, and windows that their partition has journaled
        already: another process may have been further, and a document that came later must not count twice.
        """
        frontiers = {number: partition.frontier_ms for number, partition in self._partitions.items()}
        if len(frontiers) == self.n_partitions and max(frontiers.values()) < block.end_times_ms[0]:
            return block
        numbers = self._numbers(block)
        columns = np.flatnonzero(np.isin(numbers, list(frontiers)))
        part = block if len(columns) == len(numbers) else select(block, columns)
        own_frontiers = np.array([frontiers[number] for number in numbers[columns].tolist()], np.int64)
        is_old = part.end_times_ms[:, np.newaxis] <= own_frontiers
        if not is_old.any():
            return part
        values = np.where(is_old[:, :, np.newaxis], np.nan, part.values)
        return FeatureBlock(part.entities, part.end_times_ms, values, np.where(is_old, 0, part.doc_counts))

    def knows(self, entity: Entity) -> bool:
        """Whether an entity has a model; to be asked for entities of partitions in memory."""
        return entity in self._partitions[self._number(entity)].roster

    def _numbers(self, block: FeatureBlock) -> NDArray[np.int64]:
        """Return the partition of each entity of a block: int64, shape (n_entities,)."""
        return np.array([self._number(entity) for entity in block.entities], np.int64)

    def _number(self, entity: Entity) -> int:
        number = self._partition_of.get(entity)
        if number is None:
            number = self._partition_of[entity] = partition_of(entity, self.n_partitions)
        return number

    def is_committed(self, partition: Partition) -> bool:
        """Whether the marker of a partition says of all its models have seen that its documents stand."""
        standing = self.markers.get(partition.log)
        return partition.done.sequence <= (standing.sequence if standing else 0)

    def next_markers(self) -> list[Marker]:
        """Return the markers of the partitions that are further than their marker says."""
        moved = []
        for partition in self.partitions:
            if not self.is_committed(partition):
                standing = self.markers.get(partition.log)
                moved.append(Marker(partition.log, *partition.done, standing.version if standing else None))
        return moved


def model_settings(config: DetectorConfig) -> ModelSettings:
    """Return what the models of a detector are like."""
    return ModelSettings(
        n_features=len(config.source.features),
        interval_ms=config.interval.milliseconds,
        recency_emphasis=config.recency_emphasis,
        **_kind_of_models(config),
        bars=bars_of(config.sensitivity, config.alarms_per_week or UNLIMITED),
    )


def _kind_of_models(config: DetectorConfig) -> dict[str, Any]:
    """Return what the two kinds of models do not have in common."""
    if not config.is_trcf:
        return {"shingle_size": config.shingle_size}
    names = [feature.feature_name for feature in config.source.features]
    trcf = TrcfSettings(margin=margins(config.rules, names), direction=directions(config.rules, names))
    return {"shingle_size": config.trcf_shingle, "n_trees": PLUGIN_TREES, "trcf": trcf}

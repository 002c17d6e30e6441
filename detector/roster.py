"""Who is who: entities to partitions, to rows of a partition's roster, to seeds and keys of result documents.

Everything here is a hash of plain strings, the same on every machine. Knows no model and no store.
"""

from collections.abc import Collection, Sequence
from hashlib import blake2b
from itertools import repeat

import numpy as np
import orjson
from numpy.typing import NDArray

Entity = tuple[str, ...]
"""Values of the category fields, in the order of the configuration; `()` for a single stream."""


N_PARTITIONS = 64
"""Partitions of a detector with category fields. Fixed: ids of journal, markers and checkpoints hold the number."""


def partition_count(category_fields: Collection[str] | None) -> int:
    """Return how many partitions a detector has: one when it has no category field."""
    return N_PARTITIONS if category_fields else 1


def log_names(detector_id: str, generation: int, n_partitions: int) -> list[str]:
    """Return the names of the journal logs of a generation, by number of the partition."""
    return [f"{detector_id}~{generation}~{number:02d}" for number in range(n_partitions)]


def partition_of(entity: Entity, n_partitions: int) -> int:
    """Return the partition, 0 to `n_partitions` - 1, to which an entity belongs for good."""
    return int.from_bytes(_digest(list(entity), 8), "little") % n_partitions


def seed_of(detector_id: str, entity: Entity) -> int:
    """Return the 64-bit seed of an entity's model."""
    return int.from_bytes(_digest([detector_id, list(entity)], 8), "little")


def result_key(detector_id: str, run_id: str, generation: int, entity: Entity) -> str:
    """Return the part of a result id that names its series: 128 bits in hexadecimal.

    The other part is the window end, so that writing a window again overwrites its document.
    """
    return _digest([detector_id, run_id, generation, list(entity)], 16).hex()


def _digest(value: list[object], size: int) -> bytes:
    return blake2b(orjson.dumps(value), digest_size=size).digest()


class Roster:
    """The entities of one partition in the order in which the journal named them; a row is a model's slot."""

    def __init__(self) -> None:
        self.entities: list[Entity] = []
        self._rows: dict[Entity, int] = {}

    def __len__(self) -> int:
        return len(self.entities)

    def __contains__(self, entity: Entity) -> bool:
        return entity in self._rows

    def rows(self, entities: Sequence[Entity]) -> NDArray[np.int32]:
        """Return the rows of entities, -1 for one that is not known: int32, shape (n_entities,)."""
        found = map(self._rows.get, entities, repeat(-1))
        return np.fromiter(found, np.int32, len(entities))

    def add(self, entities: tuple[Entity, ...]) -> None:
        """Append entities that are not in the roster yet."""
        for entity in entities:
            self._rows[entity] = len(self.entities)
            self.entities.append(entity)

"""Reading: the windows of a block, and the history of entities that have no model yet.

The only place where a query is run; what comes back is columns.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.job import ROWS_PER_BLOCK, Job
from detector.roster import Entity
from detector.silence import NOT_ASKED
from detector.stores import Search
from features.block import FeatureBlock, Page, parse_first, parse_pages
from features.query import MOST_ENTITIES, build_query, windows_per_request

WINDOWS_PER_REQUEST = 2_000
"""Most windows a request: how many raw documents are behind them is not known, and a request has a time limit."""


def read_block(job: Job, search: Search, end_times_ms: NDArray[np.int64]) -> FeatureBlock:
    """Return the features of all entities in the first of some consecutive windows, one at least.

    How many windows make a block is known only when it is known whose they are: after a roll-out more entities than
    ever may be in them.

    Parameters
    ----------
    end_times_ms
        int64, shape (n_windows,), ascending.
    """
    pages = _pages(job, search, end_times_ms)
    if len(end_times_ms) == 1:
        return parse_pages(job.source, end_times_ms, pages)
    return parse_first(job.source, end_times_ms, pages, ROWS_PER_BLOCK)


def _pages(
    job: Job, search: Search, end_times_ms: NDArray[np.int64], entities: Sequence[Entity] | None = None
) -> Iterator[Page]:
    """Yield the answers that hold consecutive windows, of all entities or of some."""
    source = job.source
    n_entities = len(entities) if entities is not None else job.n_entities
    step = windows_per_request(n_entities, min(len(end_times_ms), WINDOWS_PER_REQUEST), search.page_size)
    named = search.named(job.detector_id, source.interval.milliseconds)
    for first in range(0, len(end_times_ms), step):
        ends = end_times_ms[first : first + step]
        start_ms = source.interval.previous(int(ends[0]))
        body_of = partial(_body, job, start_ms, int(ends[-1]), entities, search.page_size)
        yield from named.pages(source.indices, body_of)


def _body(
    job: Job,
    start_ms: int,
    end_ms: int,
    entities: Sequence[Entity] | None,
    page_size: int,
    after: Mapping[str, Any] | None,
) -> dict[str, Any]:
    return build_query(job.source, start_ms, end_ms, page_size=page_size, after=after, entities=entities)


def read_history(job: Job, search: Search, block: FeatureBlock) -> FeatureBlock | None:
    """Return the windows before the first one of every entity in `block` that has no model yet, or None.

    An entity's history ends where its first window in the block starts, so it does not depend on how windows are
    cut into blocks. Windows outside an entity's history are absent in its column.
    """
    unknown = [index for index, entity in enumerate(block.entities) if not job.knows(entity)]
    first_windows = {
        block.entities[index]: int(np.argmax(block.doc_counts[:, index] > 0))
        for index in unknown
        if block.doc_counts[:, index].any()
    }
    if not first_windows:
        return None
    ends = _history_windows(job, block.end_times_ms, max(first_windows.values()))
    named = len(first_windows) <= MOST_ENTITIES
    pages = _pages(job, search, ends, list(first_windows) if named else None)
    history = parse_pages(job.source, ends, pages)
    return _only_before(history, first_windows, job.config.history_windows)


def _history_windows(job: Job, end_times_ms: NDArray[np.int64], last_first_window: int) -> NDArray[np.int64]:
    """Return the history windows of the block's first window, then those of the block before `last_first_window`."""
    interval = job.config.interval
    before, end = [], interval.previous(int(end_times_ms[0]))
    for _ in range(job.config.history_windows):
        before.append(end)
        end = interval.previous(end)
    return np.array(before[::-1] + end_times_ms[:last_first_window].tolist(), np.int64)


def _only_before(history: FeatureBlock, first_windows: Mapping[Entity, int], n_before: int) -> FeatureBlock:
    """Return the columns of the new entities, each with its own `n_before` windows only.

    Row `n_before` + k of `history` is window k of the block in which the entities appeared.
    """
    columns = [index for index, entity in enumerate(history.entities) if entity in first_windows]
    entities = tuple(history.entities[index] for index in columns)
    first = np.array([first_windows[entity] for entity in entities], np.int64)
    row = np.arange(len(history.end_times_ms))[:, np.newaxis]
    is_own = (row >= first) & (row < first + n_before)
    doc_counts = np.where(is_own, history.doc_counts[:, columns], NOT_ASKED)
    values = np.where(is_own[:, :, np.newaxis], history.values[:, columns], np.nan)
    return FeatureBlock(entities, history.end_times_ms, values, doc_counts)

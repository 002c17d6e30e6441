"""Block: from response pages to columns of numbers.

The one place where buckets become arrays. Python touches each bucket only to take its values out; everything
else is done by column. No I/O and no clock.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, groupby
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.query import COMPOSITE, TIME, category_key, feature_key
from features.source import Source
from features.windows import Interval

Page = Mapping[str, Any]
"""One search response."""
Bucket = dict[str, Any]
"""What a response says of one entity in one window."""
Entity = tuple[str, ...]
"""Values of the category fields, in their order; empty for a single stream."""


class FeatureBlock(NamedTuple):
    """Consecutive windows of all entities, as columns.

    Parameters
    ----------
    entities
        n_entities tuples of category values, ascending; `((),)` for a single stream.
    end_times_ms
        int64, shape (n_windows,), ascending epoch ms: ends of the windows.
    values
        float64, shape (n_windows, n_entities, n_features); NaN = missing.
    doc_counts
        int64, shape (n_windows, n_entities); 0 = the entity has no document in that window.
    """

    entities: tuple[Entity, ...]
    end_times_ms: NDArray[np.int64]
    values: NDArray[np.float64]
    doc_counts: NDArray[np.int64]


def parse_pages(source: Source, end_times_ms: NDArray[np.int64], pages: Iterable[Page]) -> FeatureBlock:
    """Return the block that the pages of one request hold.

    Parameters
    ----------
    source
        What was asked for.
    end_times_ms
        int64, shape (n_windows,), ascending: ends of the windows that were asked for.
    pages
        All responses to `build_query`, in order.

    Raises
    ------
    ValueError
        If a bucket belongs to no window, if a value is not a number, or if a response has no aggregation.
    """
    return _block(source, end_times_ms, [*_buckets(pages)])


def parse_first(
    source: Source, end_times_ms: NDArray[np.int64], pages: Iterable[Page], most_rows: int
) -> FeatureBlock:
    """Return the block of the first windows: as many as have `most_rows` rows together, one at least.

    A row is a window of an entity, with documents or without: entities that live shortly make many of few buckets. No
    more pages are asked for than that takes. Parameters and errors are those of `parse_pages`.
    """
    names = _names(len(source.category_fields))
    buckets: list[Bucket] = []
    known: set[object] = set()
    n_known_windows, n_windows = 1, len(end_times_ms)
    for time_ms, group in groupby(_buckets(pages), key=lambda bucket: bucket["key"][TIME]):
        found = [*group]
        with_found = known | {names(bucket["key"]) for bucket in found}
        # A window starts when those before it have ended.
        row = int(np.searchsorted(end_times_ms, time_ms, side="right"))
        if row and (row + 1) * len(with_found) > most_rows:
            n_windows = row
            break
        known, n_known_windows = with_found, row + 1
        buckets += found
    n_fitting = max(n_known_windows, most_rows // max(1, len(known)))
    return _block(source, end_times_ms[: min(n_windows, n_fitting)], buckets)


def _block(source: Source, end_times_ms: NDArray[np.int64], buckets: list[Bucket]) -> FeatureBlock:
    """Return the block that some buckets make."""
    keys = [bucket["key"] for bucket in buckets]
    window = _window_of([key[TIME] for key in keys], end_times_ms, source.interval)
    entities, entity = _entity_of(keys, len(source.category_fields))
    shape = (len(end_times_ms), len(entities))
    doc_counts = np.zeros(shape, dtype=np.int64)
    doc_counts[window, entity] = [bucket["doc_count"] for bucket in buckets]
    values = np.full((*shape, len(source.features)), np.nan)
    for k, feature in enumerate(source.features):
        values[window, entity, k] = feature.read_all(map(itemgetter(feature_key(k)), buckets))
    return FeatureBlock(entities, end_times_ms, values, doc_counts)


def _buckets(pages: Iterable[Page]) -> Iterator[Bucket]:
    """Yield the buckets of all pages."""
    for page in pages:
        if "aggregations" not in page:
            msg = "the response holds no aggregation, as when a search meets no index at all; check `indices`"
            raise ValueError(msg)
        yield from page["aggregations"][COMPOSITE]["buckets"]


def _window_of(times_ms: list[int], end_times_ms: NDArray[np.int64], interval: Interval) -> NDArray[np.intp]:
    """Return the row of each bucket from the start of its window; shape (n_buckets,)."""
    starts = np.array([interval.previous(int(end)) for end in end_times_ms], dtype=np.int64)
    times = np.array(times_ms, dtype=np.int64)
    row = np.searchsorted(starts, times)
    known = row < len(starts)
    known[known] = starts[row[known]] == times[known]
    if not known.all():
        msg = (
            f"the cluster answered with a window that starts at {times[~known][0]} ms, not asked for; "
            f"for days and weeks, compare both machines' time-zone data ({interval.timezone})"
        )
        raise ValueError(msg)
    return row


def _names(n_fields: int) -> Callable[[Mapping[str, Any]], Any]:
    """Return what takes the category values out of a key: of one field the value itself, of several a tuple."""
    return itemgetter(*(category_key(k) for k in range(n_fields))) if n_fields else lambda _: ()


def _entity_of(
    keys: Sequence[Mapping[str, object]], n_fields: int
) -> tuple[tuple[Entity, ...], NDArray[np.intp]]:
    """Return all entities, ascending, and the column of each bucket; shape (n_buckets,)."""
    if n_fields == 0:
        return ((),), np.zeros(len(keys), dtype=np.intp)
    found: list[Any] = list(map(_names(n_fields), keys))
    # Fields of other types give numbers or booleans, perhaps in some indices only. A set of types is quickly made.
    if set(map(type, found if n_fields == 1 else chain.from_iterable(found))) - {str}:
        found = list(map(_as_text, found))
    # Within a window a cluster answers in order, so that this sort has little left to do.
    distinct = sorted(dict.fromkeys(found))
    column = {name: k for k, name in enumerate(distinct)}
    entities = tuple(distinct) if n_fields > 1 else tuple((name,) for name in distinct)
    return entities, np.fromiter(map(column.__getitem__, found), dtype=np.intp, count=len(found))


def _as_text(found: object) -> object:
    """Return a value, or each of several, as text."""
    if isinstance(found, tuple):
        return tuple(map(_as_text, found))
    return found if isinstance(found, str) else str(found).lower()

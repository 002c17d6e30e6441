"""Source: where a detector's numbers come from, as plain data.

What `query` and `block` need and nothing else; must not know the detector's configuration file.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from features.feature import Feature
from features.windows import Interval


@dataclass(frozen=True)
class Source:
    """Indices, fields and features of one detector.

    Parameters
    ----------
    indices
        Index names, aliases or wildcard patterns.
    time_field
        Field of type `date` or `date_nanos` by which documents belong to windows.
    filter_query
        Query a document must match, or None for all documents.
    category_fields
        Fields whose values name an entity; empty for a single stream.
    features
        The enabled features, in the order of the value columns.
    interval
        How time is cut.
    """

    indices: tuple[str, ...]
    time_field: str
    filter_query: Mapping[str, object] | None
    category_fields: tuple[str, ...]
    features: tuple[Feature, ...]
    interval: Interval

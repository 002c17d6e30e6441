"""Fields: whether the indices exist and know the fields a detector reads, with fitting types."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from detector.check.asking import Probe
from detector.check.finding import Finding, error, ok, warning
from detector.configuration.config import DetectorConfig
from detector.configuration.json_text import JsonPath
from detector.configuration.near_miss import near_miss
from features.feature import Feature
from storage.errors import MissingIndex
from storage.field_types import UNMAPPED, FieldTypes

TIME_TYPES = ("date", "date_nanos")
NAME_TYPES = ("keyword", "ip")
"""Types whose values name entities, as in the plugin. A `constant_keyword` aggregates as the name of its index."""
NUMBER_TYPES = ("boolean", "byte", "short", "integer", "long", "unsigned_long")
"""Types whose values can be counted as names, written as text."""
ALIKE = (
    {"keyword"},
    {"ip"},
    {"boolean"},
    {"byte", "short", "integer", "long"},
    {"unsigned_long"},
)
"""Types whose values a search can put in one order. Of others side by side it fails: with a class cast in one window,
or when a page ends with a value that the other type cannot read. Older indices that no window reaches do no harm."""
MOST_NAMES = 3
"""Of indices that are listed in a message."""


def check_indices(config: DetectorConfig, probe: Probe, own_prefix: str) -> list[Finding]:
    """Say for each name or pattern whether it matches an index, and one that is not Outrider's own.

    `-name` after a pattern leaves out. It must match as well: a cluster refuses to leave out what does not exist.

    Parameters
    ----------
    own_prefix
        How the names of Outrider's own indices begin.
    """
    findings = []
    left_out: set[str] = set()
    # Backwards: what is left out is taken from the names before it.
    for k, name in reversed(list(enumerate(config.indices))):
        is_exclusion = name.startswith("-") and any("*" in before for before in config.indices[:k])
        matched = _matched(probe, name[1:] if is_exclusion else name, config.time_field)
        if is_exclusion:
            left_out |= set(matched)
        else:
            matched = [index for index in matched if index not in left_out]
        findings.append(_index(("indices", k), name, matched, own_prefix, is_exclusion=is_exclusion))
    return findings[::-1]


def check_fields(config: DetectorConfig, probe: Probe) -> list[Finding]:
    """Say whether every field that is read is there, with a fitting type in every index."""
    wanted = {config.time_field, *config.category_field}
    for feature in config.source.features:
        wanted |= set(_fields_of(feature.aggregation))
    subfields = {_keyword_of(field) for field in config.category_field}
    known = probe.field_types(config.indices, sorted(wanted | subfields))
    everything = known if wanted <= set(known.types) else probe.field_types(config.indices)
    findings = [_time_field(config.time_field, everything)]
    for k, field in enumerate(config.category_field):
        findings.append(_category_field(("category_field", k), field, everything))
    for path, feature in enabled(config):
        fields = sorted(set(_fields_of(feature.aggregation)) - set(known.types))
        findings += [_unknown((*path, "aggregation_query"), field, everything) for field in fields]
    return findings


def enabled(config: DetectorConfig) -> Iterator[tuple[JsonPath, Feature]]:
    """Yield the enabled features, each with its path in the file."""
    for k, feature in enumerate(config.feature_attributes):
        if feature.feature_enabled:
            yield ("feature_attributes", k), feature


def _matched(probe: Probe, name: str, time_field: str) -> list[str]:
    """Return the indices that a name or pattern stands for."""
    try:
        return list(probe.field_types([name], [time_field]).indices)
    except MissingIndex:
        return []


def _index(
    path: JsonPath, name: str, matched: Sequence[str], own_prefix: str, *, is_exclusion: bool
) -> Finding:
    if not matched:
        hint = "no index matches it" if "*" in name else "there is no such index or alias"
        return error(path, f"{hint}: correct `{name}`, or create the index first")
    if is_exclusion:
        return ok(path, f"`{name}` leaves out {_listed(matched)}")
    own = [index for index in matched if index.startswith(f"{own_prefix}-")]
    if own:
        what = f"`{name}` also matches Outrider's own {_listed(own)}: what it writes would come back as data"
        return error(path, f"{what}; narrow the pattern")
    exists = list(matched) == [name]
    return ok(path, f"`{name}` {'exists' if exists else f'matches {_listed(matched)}'}")


def _time_field(field: str, known: FieldTypes) -> Finding:
    path = ("time_field",)
    types = known.types.get(field)
    if types is None:
        dates = [name for name, kinds in known.types.items() if set(kinds) & set(TIME_TYPES)]
        return _unknown(path, field, known, among=dates)
    wrong = {kind: indices for kind, indices in types.items() if kind not in TIME_TYPES}
    if UNMAPPED in wrong:
        where = _listed(wrong[UNMAPPED])
        return error(
            path, f"`{field}` is not known to {where}: leave those indices out, or map the field there"
        )
    if wrong:
        kind, indices = next(iter(wrong.items()))
        return error(
            path, f"`{field}` must be of type date or date_nanos, but is {kind} in {_listed(indices)}"
        )
    return ok(path, f"`{field}` is of type {' and '.join(sorted(types))}")


def _category_field(path: JsonPath, field: str, known: FieldTypes) -> Finding:
    types = known.types.get(field)
    if types is None:
        names = [name for name, kinds in known.types.items() if set(kinds) & set(NAME_TYPES)]
        return _unknown(path, field, known, among=names)
    wrong = [kind for kind in types if kind not in (*NAME_TYPES, *NUMBER_TYPES, UNMAPPED)]
    if wrong:
        is_there = _keyword_of(field) in known.types
        hint = f"use `{_keyword_of(field)}`" if is_there else "map it as keyword"
        where = _listed(types[wrong[0]])
        return error(path, f"`{field}` must be of type keyword or ip, but is {wrong[0]} in {where}; {hint}")
    mapped = types.keys() - {UNMAPPED}
    if not any(mapped <= alike for alike in ALIKE):
        which = " and ".join(f"{kind} in {_listed(types[kind])}" for kind in sorted(mapped))
        hint = "a window that has documents of both cannot be read: map it alike, or leave some indices out"
        return warning(path, f"`{field}` is {which}; {hint}")
    if UNMAPPED in types:
        where = _listed(types[UNMAPPED])
        return warning(path, f"`{field}` is not known to {where}: documents there belong to no entity")
    kinds = " and ".join(sorted(types))
    if not mapped <= set(NAME_TYPES):
        return warning(path, f"`{field}` is of type {kinds}: its values are used as names, written as text")
    return ok(path, f"`{field}` is of type {kinds}")


def _keyword_of(field: str) -> str:
    """Return the field that dynamic mappings make beside a text field."""
    return f"{field}.keyword"


def _unknown(path: JsonPath, field: str, known: FieldTypes, among: Iterable[str] = ()) -> Finding:
    """Say that no index knows a field, and which was probably meant."""
    among = list(among)
    hint = near_miss(field, among) or near_miss(field, known.types)
    if not hint:
        hint = f"there are {', '.join(f'`{name}`' for name in sorted(among or known.types)[:MOST_NAMES])}"
    return error(path, f"no index knows the field `{field}`; {hint}")


def _fields_of(body: Mapping[str, object]) -> Iterator[str]:
    """Yield the fields an aggregation computes with.

    Those of a filter's query are the cluster's to check, and the parameters of a script are names of its own.
    """
    for key, value in body.items():
        if key == "field" and isinstance(value, str):
            yield value
        elif key not in ("filter", "params") and isinstance(value, Mapping):
            yield from _fields_of(value)


def _listed(indices: Iterable[str]) -> str:
    """Return some names of indices, and how many more there are."""
    names = list(indices)
    shown = ", ".join(f"`{name}`" for name in names[:MOST_NAMES])
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return f"{'index' if len(names) == 1 else 'indices'} {shown}{more}"

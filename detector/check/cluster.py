"""The cluster and our own indices in it: what is wrong with them, and what to do."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from detector.check.finding import Finding, error, ok, warning
from storage.errors import AccessDenied, StorageError
from storage.records import DiskFacts, IndexFacts

ALMOST = 0.9
"""Share of a limit at which it is time to act."""

SKEW_S = 30
"""Difference of two clocks that matters: less is within what `window_delay` should leave anyway."""


class Facts(Protocol):
    """See `storage.diagnosis.Diagnosis`; each question may raise a `StorageError`."""

    def version(self) -> str: ...  # noqa: D102
    def health(self) -> dict[str, Any]: ...  # noqa: D102
    def clock_s(self) -> float | None: ...  # noqa: D102
    def indices(self) -> Sequence[IndexFacts]: ...  # noqa: D102
    def missing(self) -> list[str]: ...  # noqa: D102
    def misplaced_alias(self) -> bool: ...  # noqa: D102
    def disk(self) -> DiskFacts | None: ...  # noqa: D102
    def try_writing(self) -> None: ...  # noqa: D102
    def try_bulk(self) -> None: ...  # noqa: D102


def check_cluster(facts: Facts, now_s: float) -> list[Finding]:
    """Ask a cluster everything that can stand in the sidecar's way.

    Parameters
    ----------
    facts
        The cluster.
    now_s
        The present by this host, seconds since the epoch.

    Raises
    ------
    StorageError
        If the cluster cannot be reached, or is not one that we can work with.
    """
    findings = [ok(("cluster",), f"OpenSearch {facts.version()} answers")]
    questions: tuple[tuple[str, Callable[[], list[Finding]]], ...] = (
        ("cluster", lambda: [_health(facts.health())]),
        ("clock", lambda: [_clock(facts.clock_s(), now_s)]),
        ("disk", lambda: _disk(facts.disk())),
        ("indices", lambda: list(_indices(facts))),
        ("privileges", lambda: _trials(facts)),
    )
    for name, question in questions:
        try:
            findings += question()
        except AccessDenied as denial:
            findings.append(warning((name,), f"this user may not look: {denial.reason or denial}"))
    return findings


def _health(health: dict[str, Any]) -> Finding:
    status, path = health["status"], ("cluster",)
    if status == "red":
        n_missing = health["unassigned_shards"]
        what = f"the cluster is red, {n_missing} shards have no copy"
        return error(path, f"{what}: detectors that read them wait; GET _cluster/allocation/explain says why")
    return ok(path, f"health is {status}, data nodes: {health['number_of_data_nodes']}")


def _clock(cluster_s: float | None, now_s: float) -> Finding:
    path = ("clock",)
    if cluster_s is None:
        return ok(path, "not compared: the cluster is asked by an index of ours, and there is none yet")
    apart_s = now_s - cluster_s
    if abs(apart_s) < SKEW_S:
        return ok(path, "this host and the cluster agree on the time")
    way, effect = ("ahead of", "by the cluster's clock") if apart_s > 0 else ("behind", "late")
    hint = f"windows are read {effect}: let both set their clocks by NTP"
    return warning(path, f"this host's clock is {abs(apart_s):,.0f} s {way} the cluster's; {hint}")


def _disk(disk: DiskFacts | None) -> list[Finding]:
    if disk is None:
        return []
    what, path = f"the fullest node, {disk.node}, uses {disk.used:.0%} of its disk", ("disk",)
    if disk.flood is not None and disk.used >= disk.flood:
        return [error(path, f"{what}: above {disk.flood:.0%} the cluster blocks writing; free space")]
    if disk.low is not None and disk.used >= disk.low:
        return [warning(path, f"{what}: above {disk.low:.0%} it takes no new indices; free space soon")]
    return [ok(path, what)]


def _indices(facts: Facts) -> Iterator[Finding]:
    missing, indices = facts.missing(), facts.indices()
    if not indices:
        hint = "the first `outrider run` makes them; if one has run, the index prefix is another"
        yield warning(("indices",), f"none of Outrider's indices is there: {hint}")
        return
    if facts.misplaced_alias():
        hint = "something wrote to the name before the sidecar did; delete or rename that index"
        yield error(("indices",), f"the results' alias is an index of its own: {hint}")
    for name in missing:
        hint = (
            "it comes with the first result" if name.endswith("-results") else "the next poll makes it anew"
        )
        yield warning(("indices", name), f"is missing; {hint}")
    faulty = 0
    for index in indices:
        found = list(_index(index))
        faulty += bool(found)
        yield from found
    if not faulty and not missing:
        yield ok(("indices",), f"all {len(indices)} of ours are there and as this release makes them")


def _index(index: IndexFacts) -> Iterator[Finding]:
    path = ("indices", index.name)
    if index.schema_version > index.known_version:
        versions = f"has schema version {index.schema_version}, this release knows {index.known_version}"
        yield error(path, f"{versions}: a newer release works here; run that one")
    for block in index.blocks:
        hint = "free disk space, then set index.blocks.read_only_allow_delete to null"
        mend = hint if block == "read_only_allow_delete" else f"set index.blocks.{block} to null"
        yield error(path, f"is blocked ({block}): {mend}")
    if index.n_fields >= ALMOST * index.most_fields:
        hint = "raise index.mapping.total_fields.limit, or have fewer different feature names"
        yield warning(path, f"has {index.n_fields:,} of at most {index.most_fields:,} fields; {hint}")


def _trials(facts: Facts) -> list[Finding]:
    """Try what the sidecar does; nothing that was there is changed."""
    if not facts.indices():
        return []
    findings = []
    for what, trial in (
        ("write, read and delete state", facts.try_writing),
        ("write in bulk", facts.try_bulk),
    ):
        try:
            trial()
        except StorageError as failure:
            findings.append(error(("privileges",), f"this user cannot {what}: {failure}"))
    return findings or [ok(("privileges",), "this user can write, read and delete in our indices")]

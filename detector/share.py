"""Sharing: which sidecar works on which partition, as a function of who is alive and what each of them runs.

Rendezvous hashing with room for an equal part: every pair of partition and sidecar has a hash, and pairs are taken in
its order while the sidecar has room. Whoever sees the same sidecars computes the same shares, without a word
exchanged; when one comes or goes, few partitions but its own change hands.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from hashlib import blake2b

Work = Mapping[str, int]
"""Detectors that a sidecar runs, with the number of partitions of each."""

Shares = dict[int, dict[str, frozenset[int]]]
"""Sidecar to detector to numbers of partitions."""


def shares_of(members: Mapping[int, Work]) -> Shares:
    """Divide the partitions of all detectors over the sidecars that run them.

    The partitions of a detector with many are spread evenly over its sidecars; those of all detectors that have
    just one, which cannot be divided, are spread together.

    Parameters
    ----------
    members
        Number of a sidecar to its work; a sidecar gets partitions only of detectors that it runs.
    """
    shares: dict[int, dict[str, set[int]]] = {
        member: {name: set() for name in work} for member, work in members.items()
    }
    for group in _groups(members):
        for (name, number), member in _divide(group).items():
            shares[member][name].add(number)
    return {
        member: {name: frozenset(numbers) for name, numbers in share.items()}
        for member, share in shares.items()
    }


Candidates = dict[tuple[str, int], list[int]]
"""Partition (detector, number) to the sidecars that could work on it."""


def _groups(members: Mapping[int, Work]) -> Iterator[Candidates]:
    """Yield the partitions that are spread evenly together."""
    runners: dict[str, list[int]] = defaultdict(list)
    sizes: dict[str, int] = {}
    for member, work in sorted(members.items()):
        for name, n_partitions in work.items():
            runners[name].append(member)
            sizes[name] = max(n_partitions, sizes.get(name, 1))
    yield {(name, 0): runners[name] for name, size in sizes.items() if size == 1}
    for name, size in sizes.items():
        if size > 1:
            yield {(name, number): runners[name] for number in range(size)}


def _divide(group: Candidates) -> dict[tuple[str, int], int]:
    """Give each partition of a group to one of its candidates."""
    pairs = sorted(
        (_hash(partition, member), partition, member)
        for partition, candidates in group.items()
        for member in candidates
    )
    members = {member for _, _, member in pairs}
    least, n_larger = divmod(len(group), max(1, len(members)))
    held = dict.fromkeys(members, 0)
    taken: dict[tuple[str, int], int] = {}
    for is_strict in (True, False):
        # A partition whose candidates are all full, because they run more detectors than others, comes last.
        for _, partition, member in pairs:
            is_extra = held[member] >= least
            has_room = not is_extra or (held[member] == least and n_larger > 0)
            if partition not in taken and (has_room or not is_strict):
                taken[partition] = member
                held[member] += 1
                n_larger -= is_extra
    return taken


def _hash(partition: tuple[str, int], member: int) -> bytes:
    name, number = partition
    return blake2b(f"{name}~{number}~{member}".encode(), digest_size=8).digest()

"""How partitions are divided over sidecars: everything once, evenly, and with few changes when one comes or goes."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from detector.share import shares_of

NAMES = st.sampled_from(["load", "latency", "errors", "checkout", "x", "y", "z"])
WORK = st.dictionaries(NAMES, st.sampled_from([1, 64]), max_size=7)
ALL_WORK = {"load": 64, "latency": 64} | {f"single-{number}": 1 for number in range(30)}


def owners(shares):
    """Return the sidecars of each partition."""
    found = {}
    for member, share in shares.items():
        for name, numbers in share.items():
            for number in numbers:
                found.setdefault((name, number), []).append(member)
    return found


@given(st.dictionaries(st.integers(0, 31), WORK, max_size=6))
def test_every_partition_has_one_sidecar_that_runs_its_detector(members):
    """Also when the sidecars run different detectors."""
    sizes = {}
    for work in members.values():
        for name, size in work.items():
            sizes[name] = max(size, sizes.get(name, 1))
    found = owners(shares_of(members))
    assert found.keys() == {(name, number) for name, size in sizes.items() for number in range(size)}
    assert all(len(holders) == 1 for holders in found.values())
    assert all(name in members[holder] for (name, _), (holder,) in found.items())


@given(st.sets(st.integers(0, 31), min_size=1, max_size=20))
def test_sidecars_with_the_same_detectors_have_equal_parts(numbers):
    """Of each detector with many partitions, and of all those with one together; to within one."""
    shares = shares_of(dict.fromkeys(numbers, ALL_WORK))
    for name in ("load", "latency"):
        counts = [len(share[name]) for share in shares.values()]
        assert max(counts) - min(counts) <= 1
    singles = [
        sum(len(numbers) for name, numbers in share.items() if name.startswith("single"))
        for share in shares.values()
    ]
    assert max(singles) - min(singles) <= 1


@given(st.sets(st.integers(0, 31), min_size=1, max_size=8), st.integers(0, 31))
def test_a_sidecar_that_joins_takes_its_part_and_little_else_moves(numbers, newcomer):
    """What moves between two that stay is the price of equal parts: at most one in six."""
    before = owners(shares_of(dict.fromkeys(numbers - {newcomer}, ALL_WORK)))
    after = owners(shares_of(dict.fromkeys(numbers | {newcomer}, ALL_WORK)))
    moved = [key for key in before if before[key] != after[key]]
    between_others = Counter(after[key] != [newcomer] for key in moved)[True]
    assert between_others <= len(after) / 6
    assert len(moved) - between_others <= len(after) / len(numbers | {newcomer}) + 3


def test_shares_are_the_same_whoever_computes_them():
    """On every machine and in every release: written down, because sidecars do not talk about it."""
    shares = shares_of({2: {"load": 64, "x": 1}, 0: {"x": 1, "load": 64}})
    assert shares == shares_of({0: {"load": 64, "x": 1}, 2: {"load": 64, "x": 1}})
    assert sorted(shares[0]["load"])[:8] == [1, 2, 3, 4, 7, 8, 10, 11]

"""Roster: names to partitions, rows, seeds and keys."""

from collections import Counter

from detector.roster import Roster, partition_of, result_key, seed_of


def test_entities_spread_evenly_over_partitions():
    """No partition gets much more than its share."""
    counts = Counter(partition_of((f"host-{number}",), 64) for number in range(64_000))
    assert len(counts) == 64
    assert max(counts.values()) < 1_200


def test_an_entity_belongs_to_one_partition_for_good():
    """The numbers are part of what is stored: a change of the hash would lose every model."""
    assert partition_of(("web-1", "eu"), 64) == 14
    assert seed_of("latency", ("web-1", "eu")) == 8_470_322_488_197_249_409
    assert result_key("latency", "live", 1, ("web-1", "eu")) == "8f41efcba69d3b2943c4cee96ea3d3db"


def test_similar_entities_do_not_run_into_each_other():
    """Where one value ends and the next begins counts."""
    keys = {result_key("d", "live", 1, entity) for entity in [("a", "bc"), ("ab", "c"), ("abc",), ()]}
    assert len(keys) == 4


def test_rows_are_given_in_the_order_of_arrival():
    """A row is a model's slot, so it never changes."""
    roster = Roster()
    roster.add((("b",), ("a",)))
    roster.add((("c",),))
    assert roster.rows([(name,) for name in "bacz"]).tolist() == [0, 1, 2, -1]
    assert ("a",) in roster
    assert ("z",) not in roster
    assert len(roster) == 3

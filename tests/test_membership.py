"""Who is alive: leases on a real node, each seen with the observer's own clock."""

import random
import threading

import pytest
from streams import MINUTE_MS, START_MS, detector, index_stream, stores_of, written

from detector.commands.replay import Replay
from detector.membership import Membership, NewerSidecarError
from detector.memory import Memory
from storage.errors import NoLeaseLeft
from storage.indices import ensure_indices
from storage.leases import MOST_SIDECARS, LeaseStore
from storage.records import Lease
from storage.retry import ONCE

LEASE_S = 30.0
WORK = {"load": 64, "x": 1}


class Clock:
    """A clock that is moved by hand."""

    def __init__(self, now_s):
        self.now_s = now_s

    def __call__(self):
        return self.now_s


@pytest.fixture
def store(client, index_prefix):
    """Return a store of leases of the test's own."""
    ensure_indices(client, index_prefix, ONCE)
    return LeaseStore(client, index_prefix)


@pytest.fixture
def join(store):
    """Give a function that starts a sidecar with a clock of its own, far from all others."""
    draw = random.Random(3)

    def start(name, **changes):
        fields = {
            "number": 0, "holder": f"{name}:1", "release": "0.1.0", "formats": {"checkpoints": 1},
            "seconds": LEASE_S, "work": WORK, "held": {},
        }  # fmt: skip
        clock = Clock(draw.uniform(0, 1e6))
        membership = Membership(store, Lease(**fields | changes), clock)
        membership.clock = clock
        membership.renew(0)
        return membership

    return start


def pass_time(seconds, *memberships):
    """Let time pass for everybody; those that are named renew meanwhile, as they do, three times a lease."""
    for _ in range(round(seconds / (LEASE_S / 3))):
        for membership in memberships:
            membership.clock.now_s += LEASE_S / 3
        for membership in memberships:
            membership.renew(0)


def held(*memberships):
    """Return how many partitions of the larger detector each has, none of them held twice."""
    shares = [membership.share("load") for membership in memberships]
    assert len(frozenset().union(*shares)) == sum(map(len, shares))
    return [len(share) for share in shares]


def test_the_first_has_everything_and_a_second_one_half(join):
    """The newcomer at once, the other after its next renewal."""
    a = join("a")
    assert held(a) == [64]
    assert a.share("x") == {0}
    b = join("b")
    assert len(b.share("load")) == 32
    assert a.renew(0) >= {"load"}
    assert held(a, b) == [32, 32]
    assert a.share("x") | b.share("x") == {0}
    assert a.renew(0) == set(), "nothing has changed since"


def test_a_dead_sidecar_is_replaced_within_its_time_and_two_renewals(join):
    """50 seconds with the default of 30; not before its time is over."""
    a, b = join("a"), join("b")
    pass_time(LEASE_S, a, b)
    pass_time(LEASE_S * 2 / 3, a)
    assert held(a) == [32], "b may be slow"
    pass_time(LEASE_S, a)
    assert held(a) == [64]


def test_a_lease_that_was_never_seen_to_change_is_given_half_its_time(join):
    """After a kill and a restart the old lease is still there."""
    a = join("a")
    pass_time(LEASE_S * 10, a)
    b = join("b")
    assert held(b) == [32]
    pass_time(LEASE_S * 2 / 3, b)
    assert held(b) == [64]


def test_one_that_is_slow_stays_a_member(join):
    """Two renewals may fail."""
    a, b = join("a"), join("b")
    pass_time(LEASE_S, a, b)
    for _ in range(5):
        pass_time(LEASE_S * 2 / 3, a)
        b.clock.now_s += LEASE_S * 2 / 3
        b.renew(0)
        a.renew(0)
        assert held(a, b) == [32, 32]
        assert b.held_since_s is not None


def test_one_that_stood_still_knows_that_its_lease_had_run_out(join):
    """Before it has renewed it, and afterwards by the moment since which it has been held."""
    a, b = join("a"), join("b")
    pass_time(LEASE_S, a, b)
    before = b.held_since_s
    pass_time(LEASE_S * 2, a)
    b.clock.now_s += LEASE_S * 2
    assert b.held_since_s is None
    b.renew(0)
    assert b.held_since_s not in (None, before)
    a.renew(0)
    assert held(a, b) == [32, 32]


def test_a_lease_that_was_forgotten_or_taken_over_is_taken_anew(join, store):
    """A dead lease is deleted after a while, or given to a newcomer."""
    a, b = join("a"), join("b")
    pass_time(LEASE_S, a, b)
    pass_time(LEASE_S * 30, a)
    assert [lease.holder for lease in store.read()] == ["a:1"]
    c = join("c")
    assert c.number == b.number == 1
    a.renew(0)
    b.clock.now_s += LEASE_S * 30
    b.renew(0)
    assert b.number == 2
    pass_time(LEASE_S / 3, a, c, b)
    assert sorted(held(a, b, c)) == [21, 21, 22]


def test_one_that_stops_gives_its_part_back_at_once(join, store):
    """The others have it after their next renewal; the lease is gone."""
    a, b = join("a"), join("b")
    pass_time(LEASE_S, a, b)
    b.release()
    assert held(b) == [0]
    assert "load" in a.renew(0)
    assert held(a) == [64]
    assert len(store.read()) == 1
    a.release()
    a.release()
    assert store.read() == []


def test_a_detector_that_is_withdrawn_goes_to_the_others(join):
    """At the next renewals."""
    a, b = join("a"), join("b")
    a.renew(0)
    a.withdraw("load")
    assert held(a) == [0]
    pass_time(LEASE_S / 3, a, b)
    assert held(a, b) == [0, 64]


def test_sidecars_that_start_together_take_different_leases(join, store):
    """Of two that see the same free one, the slower takes the next."""
    read, raced = store.read, []

    def slow_read():
        found = read()
        if not raced:
            raced.append(True)
            join("fast")
        return found

    store.read = slow_read
    slow = join("slow")
    assert slow.number == 1
    assert {lease.holder for lease in read()} == {"fast:1", "slow:1"}


def test_what_a_sidecar_holds_stands_in_its_lease(join, store):
    """For `outrider status`."""
    join("a")
    b = join("b")
    standing = {lease.holder: lease for lease in store.read()}
    assert standing["a:1"].held == {"load": 64, "x": 1}
    assert standing["b:1"].held == {"load": 32, "x": len(b.share("x"))}
    assert standing["b:1"].release == "0.1.0"


def test_an_older_release_stops_and_says_both_versions(join):
    """The newer one goes on; it reads what the older one wrote."""
    old = join("old")
    new = join("new", release="0.2.0", formats={"checkpoints": 2, "leases": 1})
    with pytest.raises(
        NewerSidecarError, match=r"checkpoints version 2, .*0\.1\.0.* knows checkpoints version 1: upgrade"
    ):
        old.renew(0)
    new.renew(0)
    new.release()
    old.renew(0)
    assert held(old) == [64]


def test_there_is_room_for_so_many_sidecars_and_one_more_is_told(join):
    """Not left without work in silence."""
    for number in range(MOST_SIDECARS):
        join(f"s{number}")
    with pytest.raises(NoLeaseLeft, match="32 sidecars work on this cluster already"):
        join("one too many")


def test_a_replay_waits_for_the_leases_of_those_that_were_killed(client, join, index_prefix):
    """One that is killed again and again leaves a lease each time; the last one must not be kept out by them."""
    for number in range(MOST_SIDECARS):
        join(f"killed{number}", seconds=1.0)
    source = f"{index_prefix}-source"
    index_stream(client, source, n_hosts=3, n_windows=1, n_history=5)
    stores = stores_of(client, index_prefix)
    membership = Membership(
        stores.leases, Lease(0, "new:1", "0.1.0", {"checkpoints": 1}, 1.0, {"load": 1}, {})
    )
    until_ms = START_MS + MINUTE_MS
    Replay(
        stores, membership, Memory(), start_ms=START_MS, until_ms=until_ms, stopping=threading.Event()
    ).run([detector(source, is_single=True)])
    assert written(client, index_prefix)

"""Kills before and after every operation that changes the cluster: the results are a function of the journal.

After each kill the detector is started again, and its results are compared with those of a twin that reads the same
journal and to which nothing ever happens; the journal itself is compared with the documents that had arrived.
``--kills=2000 -s`` is the soak, and says how far it is.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from arrivals import Arrivals, detector_json, end_ms
from journal_twin import JournalTwin
from opensearchpy import OpenSearch
from warm import DONE, KILLED, Warm

STRIDE = 3
"""Each sweep kills beside every third operation; the next one begins with another, so a few rounds hit them all."""

WINDOWS_A_YEAR = 73
"""More than a cold start or an edit looks back."""

NEVER = 0
"""Length of a fuse that is never burned down."""


@pytest.fixture(scope="module")
def warm() -> Iterator[Warm]:
    """Give the process that forks the children."""
    with Warm() as process:
        yield process


@dataclass
class Range:
    """Where children are killed: one stream, detectors that read it, and their twin."""

    warm: Warm
    url: str
    prefix: str
    arrivals: Arrivals
    twin: JournalTwin
    fault: str | None = None
    window: int = -1
    kills: int = 0
    compared: int = 0
    percent: float = 90

    def next_window(self) -> None:
        """Let the documents of the next window arrive."""
        self.window += 1
        self.arrivals.arrive(self.window)

    def run(self, name: str, length: int = NEVER, save_every: int = 4) -> tuple[int, int]:
        """Let a child poll up to the newest window; a detector that is new begins with it."""
        return self.warm.run(
            url=self.url,
            prefix=self.prefix,
            config=detector_json(self.arrivals.index, name, self.percent),
            start_ms=end_ms(self.window - 1),
            now_ms=end_ms(self.window),
            length=length,
            save_every=save_every,
            fault=self.fault,
        )

    def kill(self, name: str, length: int, save_every: int = 4) -> bool:
        """Kill a child at a moment of its life, let documents come late, start another, and compare.

        Returns whether the child lived to that moment.
        """
        code, _ = self.run(name, length, save_every)
        assert code in {DONE, KILLED}
        self.arrivals.arrive_late(self.window)
        assert self.run(name, save_every=save_every)[0] == DONE
        self.twin.follow(name, self.window)
        recent = {"range": {"data_end_time": {"gt": end_ms(self.window - 3)}}}
        compared = self.twin.compare(bool={"filter": [{"term": {"detector_id": name}}, recent]})
        assert compared >= 3, "there is something to compare"
        self.kills += code == KILLED
        return code == KILLED

    def settle(self) -> None:
        """Compare everything, and let go of months that nothing writes into any more, a year old."""
        self.compared += self.twin.compare()
        self.twin.drop_results(end_ms(self.window - WINDOWS_A_YEAR))


def cold(range_: Range, length: int) -> bool:
    """Begin a detector that nobody knows yet; its history is compared as well."""
    range_.next_window()
    name = f"cold-{range_.kills}"
    was_killed = range_.kill(name, length)
    assert range_.twin.compare(term={"detector_id": name}) > 3 * 40
    range_.twin.forget(name)
    return was_killed


def live(range_: Range, length: int) -> bool:
    """Go on by a window, with a newcomer every third time."""
    range_.next_window()
    return range_.kill("live", length)


def behind(range_: Range, length: int) -> bool:
    """Catch up three windows at once, with checkpoints of all models, and the journal pruned behind them."""
    for _ in range(3):
        range_.next_window()
    return range_.kill("live", length, save_every=1)


def edited(range_: Range, length: int) -> bool:
    """Ask for another feature: a new generation, which learns from history where the old one stopped."""
    range_.next_window()
    range_.percent = 50 if range_.percent == 90 else 90
    return range_.kill("live", length)


SWEEPS: tuple[Callable[[Range, int], bool], ...] = (live, cold, behind, edited)


@pytest.fixture
def range_of(client: OpenSearch, node_url: str, index_prefix: str, warm: Warm) -> Callable[..., Range]:
    """Give what makes a range, with a detector that has been running for a while."""

    def make(fault: str | None = None) -> Range:
        arrivals = Arrivals(client, f"{index_prefix}-source")
        twin = JournalTwin(client, index_prefix, arrivals)
        made = Range(warm, node_url, index_prefix, arrivals, twin, fault)
        for _ in range(5):
            made.next_window()
            assert made.run("live")[0] == DONE
            # Each poll prunes what is older than a day, and so than a window.
            made.twin.follow("live", made.window)
        return made

    return make


def test_kills_beside_every_operation_change_nothing(
    range_of: Callable[..., Range], request: pytest.FixtureRequest
) -> None:
    """Field by field, execution times aside: live, at a cold start, after a pause, and in the middle of an edit."""
    range_ = range_of()
    wanted = request.config.getoption("--kills")
    first = 1
    while range_.kills < wanted:
        for sweep in SWEEPS:
            said = f"{range_.kills} of {wanted} kills survived, next: {sweep.__name__}"
            print(said, flush=True)  # noqa: T201 - a soak takes hours
            length = first
            while sweep(range_, length):
                length += STRIDE
            first = first % STRIDE + 1
            assert length > 10, f"{sweep.__name__} has operations enough to be killed at"
        range_.settle()
    assert range_.compared > 10 * wanted


@pytest.mark.parametrize("fault", ["markers before the results", "replayed documents are dropped"])
def test_the_range_finds_a_fault(range_of: Callable[..., Range], fault: str) -> None:
    """One that breaks the order of writing, and one that forgets what was journaled but not written."""
    range_ = range_of(fault)
    with pytest.raises(AssertionError, match="results differ"):  # noqa: PT012 - whichever kill finds it
        length = 1
        while live(range_, length):
            length += 1

"""Membership: the sidecars of one cluster see each other by their leases, and share the partitions among them.

A lease that has not changed for its time, on the clock of the observer, is dead; the times of two hosts are never
compared. Leases only save work: two sidecars that take each other for dead, or a dead one for alive, write the same
documents or write them later.
"""

import threading
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from detector.share import shares_of
from detector.stores import Leases
from storage.records import Lease

RENEWALS = 3
"""Renewals within the time of a lease: two may fail before anybody takes its holder for dead."""

UNPROVEN = 0.5
"""Part of its time that a lease gets to change for the first time before our eyes: after a restart the lease of the
process before is still there."""

FORGOTTEN_AFTER = 3
"""Times its own time after which a dead lease is deleted: a process that dies again and again must not use them up."""

ATTEMPTS = 5
"""Free leases that are tried at a start, when several sidecars start together."""


class NewerSidecarError(RuntimeError):
    """A newer release works on the same state: what it writes cannot be read here."""


class _Sighting(NamedTuple):
    """A lease as it was last seen to change."""

    version: tuple[int, int] | None
    since_s: float
    """When it was first seen so, on the clock of this process, seconds."""

    is_proven: bool
    """Whether it was seen to change; one that never was may have been dead before this process began."""


class Membership:
    """The lease of this process, and what it sees of the others; safe to use from several threads.

    Parameters
    ----------
    leases
        Where leases are kept.
    lease
        What this process says of itself; its number is chosen at the first renewal.
    clock
        Seconds that only ever grow.
    """

    def __init__(self, leases: Leases, lease: Lease, clock: Callable[[], float] = time.monotonic) -> None:
        self._leases = leases
        self._own = lease
        self._clock = clock
        self._lock = threading.Lock()
        self._standing: dict[int, Lease] = {}
        self._sightings: dict[int, _Sighting] = {}
        self._shares: dict[str, frozenset[int]] = {}
        self._renewed_s: float | None = None
        self._held_since_s: float | None = None

    @property
    def number(self) -> int:
        """Number of the lease; 0 before there is one."""
        return self._own.number

    @property
    def period_s(self) -> float:
        """Seconds between two renewals."""
        return self._own.seconds / RENEWALS

    @property
    def held_since_s(self) -> float | None:
        """Since when the lease has been held without a gap, on the clock of this process; None when it is not."""
        renewed_s = self._renewed_s
        if renewed_s is None or self._clock() - renewed_s > self._own.seconds:
            return None
        return self._held_since_s

    def share(self, detector_id: str) -> frozenset[int]:
        """Return the numbers of the partitions of a detector that are this process's to work on."""
        return self._shares.get(detector_id, frozenset())

    def join(self, now_ms: int) -> None:
        """Take a lease, unless this process has one already."""
        if self._renewed_s is None:
            self.renew(now_ms)

    def renew(self, now_ms: int) -> set[str]:
        """Renew the lease, look at the others, and return the detectors of which the share has changed since before.

        Parameters
        ----------
        now_ms
            Wall clock, epoch milliseconds; for people who read the lease, nothing is decided by it.

        Raises
        ------
        NewerSidecarError
            When a living sidecar writes formats that this release cannot read.
        StorageError
            When the cluster failed.
        """
        with self._lock:
            asked_s = self._clock()
            for _ in range(ATTEMPTS):
                alive = self._look()
                own = self._place(alive)
                shares = _divide(own, alive)
                held = {name: len(share) for name, share in shares.items()}
                standing = self._leases.write(own._replace(held=held), now_ms)
                if standing is not None:
                    break
            else:
                return set()
            if self.held_since_s is None or standing.number != self._own.number:
                self._held_since_s = asked_s
            is_first = self._renewed_s is None
            changed = {name for name in shares if not is_first and shares[name] != self._shares.get(name)}
            self._own, self._renewed_s, self._shares = standing, asked_s, shares
            return changed

    def withdraw(self, detector_id: str) -> None:
        """Leave a detector to the others; they learn of it at the next renewal."""
        with self._lock:
            work = {name: size for name, size in self._own.work.items() if name != detector_id}
            self._own = self._own._replace(work=work)
            self._shares = {name: share for name, share in self._shares.items() if name != detector_id}

    def release(self, within_s: float = 5.0) -> None:
        """Give the lease back: the others take over at their next renewal.

        Leaves it to run out when a renewal is still waiting for the cluster after `within_s` seconds.
        """
        if not self._lock.acquire(timeout=within_s):
            return
        try:
            self._leases.release(self._own)
            self._own, self._renewed_s, self._shares = self._own._replace(version=None), None, {}
        finally:
            self._lock.release()

    def _look(self) -> dict[int, Lease]:
        """Read the leases; return those of living sidecars, our own not among them, by number."""
        self._standing = {lease.number: lease for lease in self._leases.read()}
        now_s, seen = self._clock(), self._sightings
        self._sightings = {
            number: _sighted(seen.get(number), lease, now_s) for number, lease in self._standing.items()
        }
        alive = {}
        for number, lease in self._standing.items():
            silent_s = now_s - self._sightings[number].since_s
            patience_s = lease.seconds * (1 if self._sightings[number].is_proven else UNPROVEN)
            if lease.holder != self._own.holder and silent_s < patience_s:
                _refuse_newer(lease, self._own)
                alive[number] = lease
            elif silent_s > lease.seconds * FORGOTTEN_AFTER:
                self._leases.release(lease)
        return alive

    def _place(self, alive: Mapping[int, Lease]) -> Lease:
        """Return our lease where it stands, else in the place of the first one that is free or dead."""
        ours = [number for number, lease in self._standing.items() if lease.holder == self._own.holder]
        number = ours[0] if ours else next(n for n in range(len(alive) + 1) if n not in alive)
        standing = self._standing.get(number)
        return self._own._replace(number=number, version=standing.version if standing else None)


def _divide(own: Lease, others: Mapping[int, Lease]) -> dict[str, frozenset[int]]:
    """Return our share of what all living sidecars run."""
    work = {number: lease.work for number, lease in others.items()}
    return shares_of({**work, own.number: own.work})[own.number]


def _sighted(before: _Sighting | None, lease: Lease, now_s: float) -> _Sighting:
    if before is None:
        return _Sighting(lease.version, now_s, is_proven=False)
    return before if before.version == lease.version else _Sighting(lease.version, now_s, is_proven=True)


def _refuse_newer(theirs: Lease, ours: Lease) -> None:
    """Stop before something is read that is not understood, and before something is written that is too old."""
    for name, version in theirs.formats.items():
        known = ours.formats.get(name, 0)
        if version > known:
            msg = (
                f"the sidecar {theirs.holder} (release {theirs.release}) writes {name} version {version}, this one "
                f"(release {ours.release}) knows {name} version {known}: upgrade this one, or stop the other; nothing "
                "is lost, the other goes on with the work"
            )
            raise NewerSidecarError(msg)

"""Keeping a lease alive: renewed in a thread of its own, so that no long poll lets it run out.

Waits on the clock that only grows, unlike the library that schedules polls: a host whose time is set back must go
on renewing.
"""

import threading
import time
from collections.abc import Callable
from typing import Self

import structlog

from detector.membership import Membership, NewerSidecarError
from detector.present import JUMP_S
from storage.errors import StorageError

log = structlog.get_logger(__name__)


class Keeper:
    """Renews a lease inside a `with` block, and gives it back at its end.

    Parameters
    ----------
    membership
        The lease.
    stopping
        Set when a newer release works on the same state, so that this one must stop.
    on_change
        Called with the names of the detectors of which the share of this process has changed.
    on_jump
        Called when the clock of this host was set: what waits for a moment on it may wait too long.

    Attributes
    ----------
    refusal
        Why this process must stop, for people; empty when nothing is wrong.
    """

    def __init__(
        self,
        membership: Membership,
        stopping: threading.Event,
        *,
        on_change: Callable[[set[str]], None] = lambda _: None,
        on_jump: Callable[[], None] = lambda: None,
    ) -> None:
        self.refusal = ""
        self._membership = membership
        self._on_change = on_change
        self._on_jump = on_jump
        self._stopping = stopping
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)

    def __enter__(self) -> Self:
        """Begin to renew, at once."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Give the lease back; one that cannot be given back runs out by itself."""
        self._ended.set()
        try:
            self._membership.release()
        except StorageError as error:
            log.debug("lease_not_released", error=str(error))

    def _run(self) -> None:
        offset_s = time.time() - time.monotonic()
        while not self._ended.is_set():
            self._renew()
            self._ended.wait(self._membership.period_s)
            before_s, offset_s = offset_s, time.time() - time.monotonic()
            if abs(offset_s - before_s) > JUMP_S:
                self._on_jump()

    def _renew(self) -> None:
        try:
            changed = self._membership.renew(time.time_ns() // 1_000_000)
        except NewerSidecarError as error:
            self.refusal = str(error)
            self._stopping.set()
        except StorageError as error:
            # The poll that fails for the same reason says it aloud.
            log.debug("lease_not_renewed", error=str(error))
        else:
            if changed:
                self._on_change(changed)

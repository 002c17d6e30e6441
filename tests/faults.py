"""What goes wrong, made to happen: a proxy that answers with faults, and stores that are cut off or interrupted."""

import itertools
import json
import threading
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, Self

import urllib3
from recorder import Answer, Recorded, Recorder

from detector.stores import Stores

BUSY = {"error": {"type": "rejected_execution_exception", "reason": "the queue is full"}, "status": 429}
AWAY = {"error": {"type": "master_not_discovered_exception", "reason": "no cluster manager"}, "status": 503}


PART = 4
"""So few documents of a bulk are rejected each time that it gets through before retries give up."""


class FaultyProxy(Recorder):
    """Passes requests on to `target`, except where `fault` names what is to go wrong.

    `fault` is asked at every request and answers one of

    - ``None``: nothing;
    - ``"429"``, ``"503"``: the node is asked nothing and an error is answered;
    - ``"reset"``: the connection is cut before the node is asked;
    - ``"swallow"``: the node does what it is asked, and the connection is cut before the answer;
    - ``"partial"``: of a bulk one document in `PART` is rejected, the others are written; else as ``"429"``;
    - ``"hang"``: no answer, ever.
    """

    def __init__(self, target: str) -> None:
        super().__init__(self._answer_to)
        self.fault: Callable[[Recorded], str | None] = lambda _: None
        self._target = target
        self._pool = urllib3.PoolManager(maxsize=16, retries=False)
        self._ended = threading.Event()

    def __enter__(self) -> Self:
        super().__enter__()
        return self

    def __exit__(self, *reason: object) -> None:
        self._ended.set()
        super().__exit__(*reason)
        self._pool.clear()

    def _answer_to(self, request: Recorded) -> Answer:
        fault = self.fault(request)
        if fault == "hang":
            self._ended.wait()
        if fault in {"hang", "reset"}:
            raise ConnectionResetError
        if fault == "503":
            return Answer(503, AWAY)
        if fault == "429" or (fault == "partial" and not is_bulk(request)):
            return Answer(429, BUSY)
        if fault == "partial" and is_bulk(request):
            return self._pass_on_part(request)
        answer = self._pass_on(request)
        if fault == "swallow":
            raise ConnectionResetError
        return answer

    def _pass_on_part(self, request: Recorded) -> Answer:
        items = items_of(request.body)
        taken = [lines for place, (_, lines) in enumerate(items) if place % PART]
        if not taken:
            return Answer(429, BUSY)
        passed = self._pass_on(replace(request, body=b"".join(taken)))
        answer = json.loads(passed.body)
        for place in range(0, len(items), PART):
            answer["items"].insert(place, {items[place][0]: BUSY})
        return Answer(passed.status, answer | {"errors": True})

    def _pass_on(self, request: Recorded) -> Answer:
        kept = {name: value for name, value in request.headers.items() if name in {"content-type", "accept"}}
        answer = self._pool.request(
            request.method, self._target + request.path, body=request.body, headers=kept
        )
        return Answer(answer.status, answer.data, {"content-type": answer.headers.get("content-type", "")})


def is_bulk(request: Recorded) -> bool:
    """Say whether a request is one of many documents."""
    return request.path.partition("?")[0].endswith("_bulk")


def items_of(bulk: bytes) -> list[tuple[str, bytes]]:
    """Return the action and the lines of each item of a bulk."""
    lines, items = iter(bulk.splitlines(keepends=True)), []
    for line in lines:
        (action,) = json.loads(line)
        items.append((action, line if action == "delete" else line + next(lines)))
    return items


class FirstTime:
    """Lets every different request go wrong the first time it is made, with one kind of fault or with each in turn."""

    def __init__(self, *kinds: str) -> None:
        self.seen: set[tuple[str, str, bytes]] = set()
        self._kinds = kinds

    def __call__(self, request: Recorded) -> str | None:
        key = (request.method, request.path, request.body)
        if key in self.seen:
            return None
        self.seen.add(key)
        return self._kinds[len(self.seen) % len(self._kinds)]


class Killed(BaseException):
    """Ends a run as a kill would: nothing after it is executed."""


class Fuse:
    """Burns once before and once after every operation of a store; at a given length it does something, once."""

    def __init__(self, length: int, act: Callable[[], None]) -> None:
        self.length, self.ticks = length, 0
        self._act, self._count = act, itertools.count(1)

    @classmethod
    def raising(cls, length: int, error: BaseException) -> Self:
        """Return a fuse that raises an error."""

        def act() -> None:
            raise error

        return cls(length, act)

    def burn(self) -> None:
        # Threads burn it side by side, and no tick may be lost.
        tick = next(self._count)
        self.ticks = max(self.ticks, tick)
        if tick == self.length:
            self._act()


class _Breaking:
    """A store of which every operation burns a fuse, before it takes effect and after."""

    def __init__(self, store: Any, fuse: Fuse, spared: frozenset[str]) -> None:
        self._store, self._fuse, self._spared = store, fuse, spared

    def __getattr__(self, name: str) -> Callable[..., Any]:
        operation: Callable[..., Any] = getattr(self._store, name)
        if name in self._spared:
            return operation

        def call(*args: Any, **kwargs: Any) -> Any:
            self._fuse.burn()
            result = operation(*args, **kwargs)
            self._fuse.burn()
            return result

        return call


def breaking(stores: Stores, fuse: Fuse, spared: frozenset[str] = frozenset()) -> Stores:
    """Return stores of which every operation but searches, and those `spared`, burns the fuse twice."""
    parts = {
        field.name: _Breaking(getattr(stores, field.name), fuse, spared)
        for field in fields(stores)
        if field.name not in {"prepare", "require", "search"}
    }
    return replace(stores, **parts)

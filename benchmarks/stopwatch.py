"""Where the time of a poll goes: seconds and processor seconds of each step, for the sidecar and the node apart.

Functions of the service are wrapped for the length of a measurement. A step's time excludes the steps it calls.
"""

import functools
import inspect
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import psutil

Step = tuple[object, str, str]
"""Owner and name of a function, and the step to which it belongs."""


@dataclass
class Usage:
    """What a measurement used: seconds, and processor seconds of sidecar and node."""

    seconds: float = 0.0
    own_cpu: float = 0.0
    node_cpu: float = 0.0

    @property
    def cpu(self) -> float:
        """Processor seconds of both together."""
        return self.own_cpu + self.node_cpu


class Stopwatch:
    """Measures whole polls and their steps."""

    def __init__(self, node_pid: int) -> None:
        self._own, self._node = psutil.Process(), psutil.Process(node_pid)
        self.steps: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        """Seconds, and processor seconds of the sidecar, by step; summed over threads."""
        self._local = threading.local()
        self._lock = threading.Lock()

    @contextmanager
    def measure(self) -> Iterator[Usage]:
        """Give the usage of what is done inside; it is filled in at the end."""
        usage = Usage()
        began = time.perf_counter(), _cpu(self._own), _cpu(self._node)
        yield usage
        usage.seconds, usage.own_cpu, usage.node_cpu = (
            now - then
            for now, then in zip((time.perf_counter(), _cpu(self._own), _cpu(self._node)), began, strict=True)
        )

    @property
    def resident_bytes(self) -> tuple[int, int]:
        """Resident memory of sidecar and node."""
        return self._own.memory_info().rss, self._node.memory_info().rss

    @contextmanager
    def watching(self, steps: Iterable[Step]) -> Iterator[None]:
        """Wrap functions so that their time is counted to steps."""
        with ExitStack() as stack:
            for owner, name, step in steps:
                wrapped = self._wrapped(inspect.getattr_static(owner, name), step)
                stack.enter_context(patch.object(owner, name, wrapped))
            yield

    def _wrapped(self, function: Callable[..., Any], step: str) -> Callable[..., Any]:
        if inspect.isgeneratorfunction(function):

            @functools.wraps(function)
            def generate(*args: Any, **kwargs: Any) -> Iterator[Any]:  # noqa: ANN401 - any function's
                items = function(*args, **kwargs)
                while True:
                    with self._counted(step):
                        try:
                            item = next(items)
                        except StopIteration:
                            return
                    yield item

            return generate

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - any function's
            with self._counted(step):
                return function(*args, **kwargs)

        return call

    @contextmanager
    def _counted(self, step: str) -> Iterator[None]:
        """Count what is done inside to a step, less what steps within it take."""
        within: list[list[float]] = self._local.__dict__.setdefault("within", [])
        within.append([0.0, 0.0])
        began = time.perf_counter(), time.thread_time()
        try:
            yield
        finally:
            taken = [time.perf_counter() - began[0], time.thread_time() - began[1]]
            inner = within.pop()
            if within:
                within[-1] = [one + other for one, other in zip(within[-1], taken, strict=True)]
            with self._lock:
                so_far = self.steps[step]
                self.steps[step] = [
                    total + own - below for total, own, below in zip(so_far, taken, inner, strict=True)
                ]


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)

"""The decorators of compiled functions.

Compiled code is cached on disk, releases the interpreter lock and runs on one thread: threads work on
disjoint models. No fast-math: sums are not re-associated and NaN keeps its meaning, so that results repeat
bit for bit.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
from numba import config, njit

Function = TypeVar("Function", bound=Callable[..., Any])


@cache
def _source_stamp() -> tuple[float, int]:
    """Newest change and total size of all files of the rooms that hold kernels."""
    package = Path(__file__).parents[2]
    found = [path.stat() for room in ("forest", "model") for path in package.joinpath(room).rglob("*.py")]
    return max(file.st_mtime for file in found), sum(file.st_size for file in found)


def _compile(function: Function, **options: bool) -> Function:
    dispatcher = njit(nogil=True, cache=True, error_model="numpy", **options)(function)
    if hasattr(dispatcher, "_cache"):
        # Numba takes a cached function for fresh as long as its own file is; but it holds those it calls, too. And it
        # reads what another version has left only as far as the version: the rest may name types that are gone.
        file = dispatcher._cache._cache_file  # noqa: SLF001 - there is no public way
        file._version = f"{file._version} {_source_stamp()}"  # noqa: SLF001
    return cast("Function", dispatcher)


def kernel(function: Function) -> Function:
    """Compile a function on first use; with the JIT disabled, leave it as it is."""
    return _compile(function)


def inner(function: Function) -> Function:
    """Compile a function into its callers; it makes no arrays that outlive a statement, returns none to a kernel.

    References to arrays are not counted inside: a kernel hands its inner functions a dozen arrays, and
    counting them atomically at every call cost more than half of the time. A kernel counts down what is returned to it.
    """
    return _compile(function, forceinline=True, _nrt=False)


def aside(function: Function) -> Function:
    """Compile a function that kernels seldom call, as `inner` does but not into its callers: those stay small."""
    return _compile(function, _nrt=False)


def wrapping(function: Function) -> Function:
    """Let integers wrap silently without the JIT too, as they do in compiled code."""
    return np.errstate(over="ignore")(function) if config.DISABLE_JIT else function

"""The two decorators of compiled functions.

Compiled code is cached on disk, releases the interpreter lock and runs on one thread: threads work on
disjoint models. No fast-math: sums are not re-associated and NaN keeps its meaning, so that results repeat
bit for bit.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])


def kernel(function: Function) -> Function:
    """Compile a function on first use; with the JIT disabled, leave it as it is."""
    return cast("Function", njit(nogil=True, cache=True, error_model="numpy")(function))


def inner(function: Function) -> Function:
    """Compile a function into its callers; it must not create arrays that outlive a statement.

    References to arrays are not counted inside: a kernel hands its inner functions a dozen arrays, and counting them
    atomically at every call cost more than half of the time.
    """
    options = {"forceinline": True, "_nrt": False}
    return cast("Function", njit(nogil=True, cache=True, error_model="numpy", **options)(function))

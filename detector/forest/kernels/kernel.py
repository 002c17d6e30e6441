"""The one decorator of every compiled function of the forest.

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

"""Nested states as named arrays, and what an array must be like. Knows no model."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray


def copy_onto(larger: Any, models: Any) -> None:  # noqa: ANN401 - nested state
    """Copy models to the beginning of a larger arena."""
    for (_, old), (_, new) in zip(named_arrays(models), named_arrays(larger), strict=True):
        new[: len(old)] = old


def named_arrays(state: Any, prefix: str = "") -> Iterator[tuple[str, NDArray[Any]]]:  # noqa: ANN401 - nested state
    """Yield every plain array of a nested state with its dotted name; a record array yields one a field."""
    if hasattr(state, "_fields"):
        for name, part in zip(state._fields, state, strict=True):
            yield from named_arrays(part, f"{prefix}.{name}" if prefix else name)
    elif state.dtype.names is None:
        yield prefix, state
    else:
        for name in state.dtype.names:
            yield from named_arrays(state[name], f"{prefix}.{name}")


def check(name: str, array: NDArray[Any], dtype: Any, shape: tuple[int | None, ...]) -> None:  # noqa: ANN401
    """Refuse an array of another type or shape; None stands for any length."""
    fits = array.ndim == len(shape) and all(
        want in (None, have) for want, have in zip(shape, array.shape, strict=True)
    )
    if array.dtype != np.dtype(dtype) or not fits:
        wanted = tuple("any" if length is None else length for length in shape)
        msg = (
            f"`{name}` must be {np.dtype(dtype)} of shape {wanted}, got {array.dtype} of shape {array.shape}"
        )
        raise ValueError(msg)

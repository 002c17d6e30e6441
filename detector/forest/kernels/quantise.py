# ruff: noqa: ANN401, ARG001 - overloads are called with numba types, of which they use some
"""Points as codes of one or two bytes: the only numbers trees compare, cut and measure.

A code of two bytes is linear: 1/256 of the input's unit (about a standard deviation), from -128 to 128 - 1/256.
A code of one byte is a small floating-point number, 128 plus or minus three bits of exponent and four of
mantissa: steps of 1/32 of a unit up to 1 unit, of 1/16 up to 2, and so on up to steps of 2 at 62. Values beyond
the range take the code of the nearest end.

Codes are monotone, so they are compared as they are. Lengths are measured in *steps*, the integers that codes
stand for: sums are exact, and the law of cuts is exact for the rounded points.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload
from numpy.typing import NDArray

from detector.forest.kernels.kernel import inner

Codes = NDArray[np.uint8] | NDArray[np.uint16]

WIDE_STEPS_PER_UNIT = 256.0
WIDE_ZERO = 32_768
WIDE_LAST = 65_535

STEPS_PER_UNIT = 32.0
ZERO_CODE = 128
ZERO_STEP = 2048
MANTISSA_BITS = 4
LARGEST_STEP = 31 << 6
"""Steps between zero and the last code on either side."""


@inner
def _exponent(size: int) -> int:
    """Exponent of a number of steps: its code then has steps of two to this power."""
    exponent = 0
    while size >> exponent >= 32:
        exponent += 1
    return exponent


@inner
def encode_wide(value: float) -> int:
    """Two-byte code of a finite value; the nearest one, halves upwards."""
    code = np.floor(float(value) * WIDE_STEPS_PER_UNIT + 0.5) + WIDE_ZERO
    if code < 0.0:
        return 0
    if code > WIDE_LAST:
        return WIDE_LAST
    return int(code)


@inner
def encode_narrow(value: float) -> int:
    """One-byte code of a finite value; the nearest one, halves away from zero."""
    size = min(abs(float(value)) * STEPS_PER_UNIT, float(LARGEST_STEP))
    exponent = _exponent(int(size))
    code = (exponent << MANTISSA_BITS) + int(size / (1 << exponent) + 0.5)
    return ZERO_CODE + code if value > 0.0 else ZERO_CODE - code


@inner
def steps_of_narrow(code: int) -> int:
    """Return the steps a one-byte code stands for, from 64 to 4,032."""
    size = abs(code - ZERO_CODE)
    exponent = max((size >> MANTISSA_BITS) - 1, 0)
    steps = (size - (exponent << MANTISSA_BITS)) << exponent
    return ZERO_STEP + steps if code > ZERO_CODE else ZERO_STEP - steps


@inner
def cut_at_narrow(steps: int) -> int:
    """Largest one-byte code that stands for at most so many steps."""
    size = steps - ZERO_STEP
    if size >= 0:
        exponent = _exponent(size)
        return ZERO_CODE + (exponent << MANTISSA_BITS) + (size >> exponent)
    exponent = _exponent(-size)
    return ZERO_CODE - (exponent << MANTISSA_BITS) + (size >> exponent)


def encode(value: float, codes: Codes) -> int:
    """Code of a finite value for an array of codes."""
    return encode_narrow(value) if codes.dtype == np.uint8 else encode_wide(value)


@overload(encode, inline="always")
def _encode(value: Any, codes: Any) -> Callable[..., int]:
    def narrow(value: Any, codes: Any) -> int:
        return encode_narrow(value)

    def wide(value: Any, codes: Any) -> int:
        return encode_wide(value)

    return narrow if codes.dtype == types.uint8 else wide


def steps_of(code: int, codes: Codes) -> int:
    """Return the steps that a code of an array stands for: what lengths are measured in, never negative."""
    return steps_of_narrow(code) if codes.dtype == np.uint8 else code


@overload(steps_of, inline="always")
def _steps_of(code: Any, codes: Any) -> Callable[..., int]:
    def narrow(code: Any, codes: Any) -> int:
        return steps_of_narrow(code)

    def wide(code: Any, codes: Any) -> int:
        return code

    return narrow if codes.dtype == types.uint8 else wide


def cut_at(steps: int, codes: Codes) -> int:
    """Cut for an array of codes that has so many steps, and whatever stands for fewer, on its left."""
    return cut_at_narrow(steps) if codes.dtype == np.uint8 else steps


@overload(cut_at, inline="always")
def _cut_at(steps: Any, codes: Any) -> Callable[..., int]:
    def narrow(steps: Any, codes: Any) -> int:
        return cut_at_narrow(steps)

    def wide(steps: Any, codes: Any) -> int:
        return steps

    return narrow if codes.dtype == types.uint8 else wide


def decode(code: int, codes: Codes) -> float:
    """Value that a code of an array of codes stands for."""
    if codes.dtype == np.uint8:
        return (steps_of_narrow(code) - ZERO_STEP) / STEPS_PER_UNIT
    return (code - WIDE_ZERO) / WIDE_STEPS_PER_UNIT


@overload(decode, inline="always")
def _decode(code: Any, codes: Any) -> Callable[..., float]:
    def narrow(code: Any, codes: Any) -> float:
        return (steps_of_narrow(code) - ZERO_STEP) / STEPS_PER_UNIT

    def wide(code: Any, codes: Any) -> float:
        return (code - WIDE_ZERO) / WIDE_STEPS_PER_UNIT

    return narrow if codes.dtype == types.uint8 else wide


@inner
def encode_point(point: NDArray[np.float32], codes: Codes) -> None:
    """Write the codes of a point, float32, shape (n_columns,), to the front of `codes`. Modified in place."""
    for column in range(point.shape[0]):
        codes[column] = encode(point[column], codes)

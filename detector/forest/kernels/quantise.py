"""Points as 16-bit codes: the only numbers trees compare, cut and measure.

One code is 1/256 of the input's unit (about a standard deviation), the range is -128 to 128 - 1/256, values
beyond it take the code of the nearest end. Codes are monotone and linear, so boxes are compared as codes and
ranges are sums of integers: exact, and a stored point always lies in the boxes of its own ancestors.
"""

import numpy as np
from numpy.typing import NDArray

from detector.forest.kernels.kernel import inner

CODES_PER_UNIT = 256.0
ZERO_CODE = 32_768
MAX_CODE = 65_535


@inner
def encode(value: float) -> int:
    """Code of one finite value; the nearest one, halves upwards."""
    code = np.floor(float(value) * CODES_PER_UNIT + 0.5) + ZERO_CODE
    if code < 0.0:
        return 0
    if code > MAX_CODE:
        return MAX_CODE
    return int(code)


@inner
def decode(code: int) -> float:
    """Value a code stands for."""
    return float(np.int64(code) - ZERO_CODE) / CODES_PER_UNIT


@inner
def encode_point(point: NDArray[np.float32], codes: NDArray[np.uint16]) -> None:
    """Write the codes of a point, float32, shape (n_columns,), to the front of `codes`. Modified in place."""
    for column in range(point.shape[0]):
        codes[column] = encode(point[column])

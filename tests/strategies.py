"""Streams of points that are hard on trees: duplicates, constants, neighbours, denormals, huge and uneven columns."""

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

TINY = float(np.finfo(np.float32).smallest_subnormal)
STEP = 1 / 256
"""Resolution of a point."""

VALUES = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, STEP, 1.0 + STEP, TINY, -TINY, 128.0, -128.0, 1e9, -1e9, 3e38]),
    st.integers(-2, 2).map(float),
    st.floats(-4, 4, width=32),
    st.floats(1e9, 1e9 + 256, width=32),
)


@st.composite
def streams(draw: st.DrawFn, max_points: int = 40, max_columns: int = 4) -> NDArray[np.float32]:
    """Draw points, float32, shape (n_points, n_columns); one column may be a thousand times wider than the others."""
    n_columns = draw(st.integers(1, max_columns))
    row = st.tuples(*[VALUES] * n_columns)
    rows = draw(st.lists(row, min_size=1, max_size=max_points))
    repeats = draw(st.lists(st.integers(0, len(rows) - 1), max_size=max_points - len(rows)))
    points = np.array(rows + [rows[index] for index in repeats], dtype=np.float32)
    if draw(st.booleans()):
        points[:, 0] *= np.float32(1 / 1024)
    return points


@st.composite
def wide_streams(draw: st.DrawFn) -> NDArray[np.float32]:
    """Draw streams of 1 to 200 columns from a seed."""
    n_columns = draw(st.sampled_from([1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 65, 200]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    points = rng.normal(size=(24, n_columns)).round(draw(st.sampled_from([0, 1, 6])))
    return points.astype(np.float32)

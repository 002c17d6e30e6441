"""Missing columns of a point, from the leaves it comes closest to.

At a node that cuts a missing column both children are visited and the better result kept, elsewhere the point
goes its own way. A leaf's rank is its score with respect to the columns that are known, mixed with the
separation probabilities on the way up (a missing column never sticks out); the smallest rank wins. Each tree
proposes its leaf's values, and the result is their median by column (the AWS implementation's imputation with
centrality 1).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detector.forest.kernels.descend import n_leaves
from detector.forest.kernels.kernel import inner, kernel
from detector.forest.kernels.node import (
    DUPLICATES,
    column_of,
    cut_of,
    leaf_of,
    left_child,
    left_of,
    mass_of,
    node_of,
    pack_place,
    read_record,
    right_child,
)
from detector.forest.kernels.quantise import Codes, decode, encode, encode_point, steps_of
from detector.forest.state import ForestState

ENTER, LEFT_IS_DONE, LEAVE = 0, 1, 2


class Search(NamedTuple):
    """Stack of the search through one tree, one entry a level, shape (sample_size + 1,) each.

    Attributes
    ----------
    place
        Subtree under search (see `node.py`), int64.
    phase
        What to do when the search comes back to the level, int64.
    rank
        Smallest rank found below so far, float64.
    leaf
        Its leaf, int64.
    """

    place: NDArray[np.int64]
    phase: NDArray[np.int64]
    rank: NDArray[np.float64]
    leaf: NDArray[np.int64]


@inner
def measure(
    state: ForestState,
    slot: int,
    tree: int,
    place: int,
    codes: Codes,
    missing: NDArray[np.bool_],
) -> tuple[int, int]:
    """Overhang (of the known columns) and extent of the box of a subtree, in steps.

    The extent includes the missing columns: they are part of every cut.
    """
    overhang = 0
    extent = 0
    first = leaf_of(place)
    for column in range(codes.shape[0]):
        low = np.int64(state.points[slot, tree, first, column])
        high = low
        for leaf in range(first + 1, first + mass_of(place)):
            code = np.int64(state.points[slot, tree, leaf, column])
            low = min(low, code)
            high = max(high, code)
        bottom, top = steps_of(low, codes), steps_of(high, codes)
        extent += top - bottom
        if not missing[column]:
            at = steps_of(np.int64(codes[column]), codes)
            overhang += max(bottom - at, 0) + max(at - top, 0)
    return overhang, extent


@inner
def leaf_rank(level: int, overhang: int, mass: int) -> float:
    """Rank of a leaf: of a seen point if no known column differs (0 at the root), else of an unseen one."""
    if overhang > 0:
        return 1.0 / (level + 1)
    return 1.0 / (level + np.log2(mass + 1.0)) if level > 0 else 0.0


@inner
def enter(
    state: ForestState,
    slot: int,
    tree: int,
    level: int,
    codes: Codes,
    missing: NDArray[np.bool_],
    search: Search,
) -> bool:
    """Begin with the place at `level`: true if it is a leaf and has its rank, else a child is next."""
    place = search.place[level]
    record = read_record(state.nodes, slot, tree, node_of(place))
    if mass_of(place) == 1 or column_of(record) == DUPLICATES:
        overhang, _ = measure(state, slot, tree, place, codes, missing)
        search.rank[level] = leaf_rank(level, overhang, mass_of(place))
        search.leaf[level] = leaf_of(place)
        return True
    both = missing[column_of(record)]
    goes_right = not both and np.int64(codes[column_of(record)]) > cut_of(record)
    left = left_of(record)
    search.place[level + 1] = right_child(place, left) if goes_right else left_child(place, left)
    search.phase[level] = LEFT_IS_DONE if both else LEAVE
    search.phase[level + 1] = ENTER
    search.rank[level] = np.inf
    return False


@inner
def collect(search: Search, level: int) -> None:
    """Keep the result of the child at `level + 1` if it beats what its parent has. Modified in place."""
    if search.rank[level + 1] < search.rank[level]:
        search.rank[level] = search.rank[level + 1]
        search.leaf[level] = search.leaf[level + 1]


@inner
def nearest_leaf(
    state: ForestState,
    slot: int,
    tree: int,
    codes: Codes,
    missing: NDArray[np.bool_],
    search: Search,
) -> int:
    """Leaf of the smallest rank in one tree."""
    search.place[0] = pack_place(0, 0, n_leaves(state, slot))
    search.phase[0] = ENTER
    level = 0
    while True:
        if search.phase[level] == ENTER:
            if not enter(state, slot, tree, level, codes, missing, search):
                level += 1
                continue
        else:
            collect(search, level)
            place = search.place[level]
            if search.phase[level] == LEFT_IS_DONE:
                left = left_of(read_record(state.nodes, slot, tree, node_of(place)))
                search.place[level + 1] = right_child(place, left)
                search.phase[level] = LEAVE
                search.phase[level + 1] = ENTER
                level += 1
                continue
            overhang, extent = measure(state, slot, tree, place, codes, missing)
            if overhang > 0:
                chance = overhang / (overhang + extent)
                search.rank[level] = chance / (level + 1) + (1.0 - chance) * search.rank[level]
        if level == 0:
            return search.leaf[0]
        level -= 1


@kernel
def propose(state: ForestState, slot: int, codes: Codes, missing: NDArray[np.bool_]) -> Codes:
    """Codes each tree proposes, sorted by column, shape (n_columns, n_trees)."""
    _, n_trees, sample_size, n_columns = state.points.shape
    search = Search(
        np.empty(sample_size + 1, dtype=np.int64),
        np.empty(sample_size + 1, dtype=np.int64),
        np.empty(sample_size + 1, dtype=np.float64),
        np.empty(sample_size + 1, dtype=np.int64),
    )
    proposals = np.empty((n_columns, n_trees), dtype=state.points.dtype)
    for tree in range(n_trees):
        leaf = nearest_leaf(state, slot, tree, codes, missing, search)
        proposals[:, tree] = state.points[slot, tree, leaf]
    for column in range(n_columns):
        proposals[column].sort()
    return proposals


@inner
def quantile_index(share: float, n_trees: int) -> int:
    """Index of the smallest of `n_trees` sorted values that covers `share` of them."""
    return min(max(int(np.ceil(share * n_trees)) - 1, 0), n_trees - 1)


@kernel
def impute(
    state: ForestState,
    slot: int,
    point: NDArray[np.float32],
    missing: NDArray[np.bool_],
    out: NDArray[np.float32],
) -> None:
    """Replace the missing columns of a point by what the forest expects; the model does not change.

    Parameters
    ----------
    point
        Float32, shape (n_columns,); columns that are missing may hold anything finite.
    missing
        Bool, shape (n_columns,).
    out
        Float32, shape (n_columns,): the known columns unchanged, the others the median over trees. A forest
        that has seen nothing proposes 0.
    """
    codes = np.empty(point.shape[0], dtype=state.points.dtype)
    encode_point(point, codes)
    out[:] = point
    is_empty = n_leaves(state, slot) == 0
    if is_empty:
        out[missing] = 0.0
        return
    proposals = propose(state, slot, codes, missing)
    median = quantile_index(0.5, proposals.shape[1])
    for column in range(point.shape[0]):
        if missing[column]:
            out[column] = decode(np.int64(proposals[column, median]), codes)


@kernel
def forecast(
    state: ForestState,
    slot: int,
    shingle: NDArray[np.float32],
    n_features: int,
    expected: NDArray[np.float32],
    lower: NDArray[np.float32],
    upper: NDArray[np.float32],
) -> None:
    """Continue a shingle: shift it left by one block, impute the last block, go on with the median.

    Parameters
    ----------
    shingle
        Float32, shape (n_columns,): blocks of `n_features` columns, oldest first.
    expected, lower, upper
        Float32, shape (n_steps, n_features): median, 10 % and 90 % order statistics over trees. Written here.
    """
    n_columns = shingle.shape[0]
    codes = np.empty(n_columns, dtype=state.points.dtype)
    encode_point(shingle, codes)
    missing = np.zeros(n_columns, dtype=np.bool_)
    missing[n_columns - n_features :] = True
    for index in range(expected.shape[0]):
        codes[: n_columns - n_features] = codes[n_features:].copy()
        proposals = propose(state, slot, codes, missing)
        n_trees = proposals.shape[1]
        for feature in range(n_features):
            ordered = proposals[n_columns - n_features + feature]
            expected[index, feature] = decode(np.int64(ordered[quantile_index(0.5, n_trees)]), codes)
            lower[index, feature] = decode(np.int64(ordered[quantile_index(0.1, n_trees)]), codes)
            upper[index, feature] = decode(np.int64(ordered[quantile_index(0.9, n_trees)]), codes)
            codes[n_columns - n_features + feature] = encode(expected[index, feature], codes)

"""One point through one model: score before insertion, then the trees that are due take it."""

import numpy as np
from numpy.typing import NDArray

from detector.forest.kernels.delete import delete
from detector.forest.kernels.descend import descend_alive, n_leaves, start_due
from detector.forest.kernels.insert import insert
from detector.forest.kernels.kernel import inner, kernel
from detector.forest.kernels.prepare import NO_SLOT, Ahead, ask_ahead, prepare_query
from detector.forest.kernels.quantise import encode_point
from detector.forest.kernels.sample import accepted_key, filling_key, is_due, lower_top, schedule, victim
from detector.forest.kernels.score import score_tree
from detector.forest.kernels.scratch import Scratch, make_scratch
from detector.forest.kernels.vector import exchange
from detector.forest.state import ForestState


@kernel
def reset(state: ForestState, slot: int, seed: np.uint64) -> None:
    """Make a slot a fresh model with the random numbers of `seed`, uint64. Modified in place."""
    state.seen[slot] = 0
    state.random[slot] = seed
    state.next_accept[slot, :] = 0
    state.top_key[slot, :] = 0
    state.nodes[slot, :, :] = 0
    state.points[slot, :, :, :] = 0
    state.keys[slot, :, :] = 0


@inner
def write_leaf(state: ForestState, slot: int, tree: int, leaf: int, key: int, scratch: Scratch) -> None:
    """Write the query and its key into a leaf. Modified in place."""
    for column in range(state.points.shape[3]):
        state.points[slot, tree, leaf, column] = scratch.query[0, column]
    state.keys[slot, tree, leaf] = key & 0xFF


@inner
def fill(state: ForestState, slot: int, tree: int, top: int, time_decay: float, scratch: Scratch) -> None:
    """Add the query to a tree that is not full. Modified in place."""
    n = state.seen[slot]
    key = filling_key(state, slot, time_decay)
    position = insert(state, slot, tree, n, top, scratch) if n > 0 else 0
    leaf = exchange(state.points, slot, tree, position, n)
    exchange(state.keys, slot, tree, position, n)
    write_leaf(state, slot, tree, leaf, key, scratch)
    state.top_key[slot, tree] = key if n == 0 else max(key, state.top_key[slot, tree])
    if n + 1 == state.keys.shape[2]:
        schedule(state, slot, tree, time_decay)


@inner
def replace(state: ForestState, slot: int, tree: int, top: int, time_decay: float, scratch: Scratch) -> None:
    """Put the query into a full tree for the point with the largest key. Modified in place."""
    n = state.keys.shape[2]
    key = accepted_key(state, slot, tree, time_decay)
    rank = victim(state, slot, tree)
    position = insert(state, slot, tree, n, top, scratch)
    delete(state, slot, tree, n + 1, rank + (rank >= position))
    leaf = exchange(state.points, slot, tree, position, rank)
    exchange(state.keys, slot, tree, position, rank)
    write_leaf(state, slot, tree, leaf, key, scratch)
    lower_top(state, slot, tree)
    schedule(state, slot, tree, time_decay)


@inner
def take(state: ForestState, slot: int, tree: int, top: int, time_decay: float, scratch: Scratch) -> None:
    """Put the query into a tree that is due. Modified in place."""
    if state.seen[slot] < state.keys.shape[2]:
        fill(state, slot, tree, top, time_decay, scratch)
    else:
        replace(state, slot, tree, top, time_decay, scratch)


@inner
def score_asking(
    state: ForestState, slot: int, tree: int, n_leaves: int, scratch: Scratch, ahead: Ahead
) -> tuple[float, int]:
    """As `score_tree`, 0 of an empty tree; asks for that tree of the models to come, too."""
    ask_ahead(state, tree, ahead)
    if n_leaves == 0:
        return 0.0, 0
    return score_tree(state, slot, tree, n_leaves, scratch)


@inner
def score_paths(state: ForestState, slot: int, scratch: Scratch, ahead: Ahead) -> float:
    """Score the query whose paths are in `scratch`, asking for the models to come meanwhile."""
    n = n_leaves(state, slot)
    total = 0.0
    for tree in range(state.keys.shape[1]):
        value, _ = score_asking(state, slot, tree, n, scratch, ahead)
        total += value
    return total * np.log2(n + 1.0) / state.keys.shape[1]


@inner
def learn_paths(state: ForestState, slot: int, scratch: Scratch, time_decay: float, ahead: Ahead) -> float:
    """As `score_paths`; each tree that is due takes the query after its score. Modified in place."""
    n = n_leaves(state, slot)
    total = 0.0
    for tree in range(state.keys.shape[1]):
        value, top = score_asking(state, slot, tree, n, scratch, ahead)
        total += value
        if is_due(state, slot, tree):
            take(state, slot, tree, top, time_decay, scratch)
    state.seen[slot] += 1
    return total * np.log2(n + 1.0) / state.keys.shape[1]


@inner
def score_keeping(state: ForestState, slot: int, scratch: Scratch, ahead: Ahead) -> float:
    """As `score_paths`; keeps what `take_kept` needs."""
    n = n_leaves(state, slot)
    total = 0.0
    for tree in range(state.keys.shape[1]):
        value, scratch.tops[tree] = score_asking(state, slot, tree, n, scratch, ahead)
        total += value
    return total * np.log2(n + 1.0) / state.keys.shape[1]


@inner
def take_kept(state: ForestState, slot: int, scratch: Scratch, time_decay: float) -> None:
    """Let each tree that is due take the query that `score_keeping` scored. Modified in place."""
    for tree in range(state.keys.shape[1]):
        if is_due(state, slot, tree):
            take(state, slot, tree, scratch.tops[tree], time_decay, scratch)
    state.seen[slot] += 1


@inner
def take_paths(state: ForestState, slot: int, scratch: Scratch, time_decay: float) -> None:
    """Let each tree that is due take the query whose paths are in `scratch`. Modified in place."""
    n = n_leaves(state, slot)
    for tree in range(state.keys.shape[1]):
        if is_due(state, slot, tree):
            top = 0
            if n > 0:
                _, top = score_tree(state, slot, tree, n, scratch)
            take(state, slot, tree, top, time_decay, scratch)
    state.seen[slot] += 1


@inner
def update_with(
    state: ForestState, slot: int, point: NDArray[np.float32], time_decay: float, scratch: Scratch
) -> None:
    """Take a point down the trees that are due, and into them. Modified in place."""
    encode_point(point, scratch.query[0])
    n_due = start_due(state, slot, scratch)
    if n_leaves(state, slot) > 0:
        descend_alive(state, slot, n_due, scratch)
    take_paths(state, slot, scratch, time_decay)


@kernel
def score(state: ForestState, slot: int, point: NDArray[np.float32]) -> float:
    """Anomaly score of a point, float32, shape (n_columns,), finite; the model does not change.

    Returns
    -------
    score
        Float64 from 0 up to log2(sample_size + 1); 0 as long as the model has seen nothing.
    """
    scratch = make_scratch(state)
    prepare_query(state, slot, point, scratch)
    return score_paths(state, slot, scratch, Ahead(NO_SLOT, scratch, NO_SLOT))


@kernel
def score_and_update(state: ForestState, slot: int, point: NDArray[np.float32], time_decay: float) -> float:
    """Score a point against what the model has seen, then show it to the model. Modified in place.

    Parameters
    ----------
    point
        Float32, shape (n_columns,), finite, in units of about a standard deviation.
    time_decay
        Rate per point at which old points lose weight; the same in every call for one model.
    """
    scratch = make_scratch(state)
    prepare_query(state, slot, point, scratch)
    return learn_paths(state, slot, scratch, time_decay, Ahead(NO_SLOT, scratch, NO_SLOT))


@kernel
def update(state: ForestState, slot: int, point: NDArray[np.float32], time_decay: float) -> None:
    """Show a point to a model: `score`, then `update`, equals `score_and_update`. Modified in place."""
    update_with(state, slot, point, time_decay, make_scratch(state))


@kernel
def score_prepared(state: ForestState, slot: int, scratch: Scratch, ahead: int) -> float:
    """As `score`, for the point `prepare` put into `scratch`; meanwhile ask for slot `ahead`, unless negative."""
    return score_keeping(state, slot, scratch, Ahead(NO_SLOT, scratch, np.int64(ahead)))


@kernel
def update_prepared(state: ForestState, slot: int, scratch: Scratch, time_decay: float) -> None:
    """As `update`, for the point `score_prepared` has scored. Modified in place."""
    take_kept(state, slot, scratch, time_decay)

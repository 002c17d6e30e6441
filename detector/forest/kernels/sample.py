"""Which points a tree keeps: weighted sampling without replacement, newer points weighing more.

A point arriving at index t has the key w = ln(-ln u) - decay * t with u uniform, and a tree keeps the points
with the smallest keys: weight exp(decay * t). Given the largest key W of a full tree, the point at index j is
taken with probability 1 - exp(-exp(W + decay * j)); one exponential number therefore tells the index of the
next point taken, and a rejected point costs a comparison.

Keys are kept as integer codes, `codes_per_nat` of them a unit of w, rounded up or down at random so that the
rounding is right on average; a leaf stores a code modulo 256 and the tree its largest one in full, from which
the others follow. Ties are resolved at random. Nothing drifts with t.
"""

import numpy as np

from detector.forest.kernels.draws import below, uniform
from detector.forest.kernels.kernel import inner, wrapping
from detector.forest.kernels.vector import first_equal
from detector.forest.state import ForestState

KEY_PERIOD = 256
LOWEST_KEY = -14.0
"""ln(-ln u) of a new point is clamped below here: one point in 1.2 million."""

HIGHEST_EXPONENTIAL = 5.5
"""-ln u of a new point is clamped above here while the tree fills: one point in 245."""

SPREAD = 18.0
"""Nats between the smallest and the largest key of a tree without decay, with room to spare."""

NEVER = np.int64(2) ** 62


@inner
def codes_per_nat(time_decay: float, sample_size: int) -> float:
    """Resolution of keys: all keys of a tree must lie within one period."""
    return (KEY_PERIOD - 1) / (SPREAD + 1.25 * time_decay * sample_size)


@inner
def filling_key(state: ForestState, slot: int, time_decay: float) -> int:
    """Key code for a point that is taken because the tree is not full."""
    scale = codes_per_nat(time_decay, state.keys.shape[2])
    exponential = min(-np.log(uniform(state, slot)), HIGHEST_EXPONENTIAL)
    key = max(np.log(exponential), LOWEST_KEY) - time_decay * state.seen[slot]
    return int(np.floor(key * scale + uniform(state, slot)))


@inner
def accepted_key(state: ForestState, slot: int, tree: int, time_decay: float) -> int:
    """Key code for a point that a full tree takes: the law of w, given that it is below the largest."""
    scale = codes_per_nat(time_decay, state.keys.shape[2])
    top = state.top_key[slot, tree]
    hazard = np.exp(top / scale + time_decay * state.seen[slot])
    exponential = -np.log1p(uniform(state, slot) * np.expm1(-hazard))
    key = np.log(exponential) - time_decay * state.seen[slot]
    code = int(np.floor(key * scale + uniform(state, slot)))
    return max(min(code, top), top - KEY_PERIOD + 2)


@inner
def schedule(state: ForestState, slot: int, tree: int, time_decay: float) -> None:
    """Draw the index of the next point a full tree takes, after the one at `seen`. Modified in place."""
    scale = codes_per_nat(time_decay, state.keys.shape[2])
    index = state.seen[slot]
    log_hazard = state.top_key[slot, tree] / scale + time_decay * (index + 1)
    ratio = -np.log(uniform(state, slot)) * np.exp(-log_hazard)
    steps = (
        np.ceil(np.log1p(ratio * np.expm1(time_decay)) / time_decay) if time_decay > 0.0 else np.ceil(ratio)
    )
    state.next_accept[slot, tree] = index + int(max(steps, 1.0)) if steps < 1e15 else NEVER


@inner
def is_due(state: ForestState, slot: int, tree: int) -> bool:
    """Whether a tree takes the point at `seen`; initially all do, until they are full."""
    return state.seen[slot] < state.keys.shape[2] or state.seen[slot] >= state.next_accept[slot, tree]


@inner
def victim(state: ForestState, slot: int, tree: int) -> int:
    """Leaf with the largest key; among ties the first after a random one."""
    sample_size = state.keys.shape[2]
    top = state.top_key[slot, tree] & (KEY_PERIOD - 1)
    offset = below(state, slot, sample_size)
    leaf = first_equal(state.keys, slot, tree, offset, sample_size, top)
    return leaf if leaf < sample_size else first_equal(state.keys, slot, tree, 0, offset, top)


@wrapping
@inner
def lower_top(state: ForestState, slot: int, tree: int) -> None:
    """Set the largest key of a full tree to the largest that is left. Modified in place."""
    top = np.uint8(state.top_key[slot, tree] & (KEY_PERIOD - 1))
    smallest = np.uint8(KEY_PERIOD - 1)
    for leaf in range(state.keys.shape[2]):
        distance = np.uint8(top - state.keys[slot, tree, leaf])
        smallest = min(smallest, distance)
    state.top_key[slot, tree] -= np.int64(smallest)

"""Random numbers of a model: one 64-bit word a model, advanced by splitmix64.

The word is part of the state, so that a saved model goes on with the numbers it would have drawn, whatever
the order in which models are visited. Source: Steele, Lea, Flood, "Fast splittable pseudorandom number
generators", 2014.
"""

import numpy as np

from detector.forest.kernels.kernel import inner, wrapping
from detector.forest.state import ForestState


@wrapping
@inner
def uniform(state: ForestState, slot: int) -> float:
    """Next number of a model, in the open interval (0, 1), a multiple of 2**-53 plus 2**-54."""
    word = state.random[slot] + np.uint64(0x9E3779B97F4A7C15)
    state.random[slot] = word
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    word = word ^ (word >> np.uint64(31))
    return (float(word >> np.uint64(11)) + 0.5) * 2.0**-53


@inner
def below(state: ForestState, slot: int, bound: int) -> int:
    """Next integer of a model in 0..bound - 1, for bounds far below 2**53."""
    return int(uniform(state, slot) * bound)

"""Packing: what is written comes back, and damage is noticed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from detector.packing import NewerFormatError, PackingError, pack, unpack

ARRAYS = hnp.arrays(
    dtype=st.sampled_from([np.float64, np.float32, np.int64, np.int32, np.uint8, np.uint64, np.bool_]),
    shape=hnp.array_shapes(min_dims=1, max_dims=3, min_side=0),
)


@given(array=ARRAYS, fields=st.dictionaries(st.text(), st.integers(-(2**63), 2**63 - 1) | st.text()))
def test_what_was_packed_comes_back_bit_for_bit(array, fields):
    """Values, types and shapes survive, NaN payloads and negative zero included."""
    comp_fields, comp = unpack(pack("thing", 3, fields, {"a": array}), "thing", 3)
    assert comp_fields == fields
    assert comp["a"].dtype == array.dtype
    assert comp["a"].shape == array.shape
    assert comp["a"].tobytes() == array.tobytes()


def test_equal_content_gives_equal_bytes():
    """A write whose answer was lost is recognised by its bytes."""
    array = np.arange(5.0)
    assert pack("thing", 1, {"x": 1}, {"a": array}) == pack("thing", 1, {"x": 1}, {"a": array.copy()})


def test_every_flipped_or_missing_byte_is_noticed():
    """The checksum covers all of it."""
    block = pack("thing", 1, {}, {"a": np.arange(100.0)})
    for position in range(0, len(block), 7):
        damaged = bytearray(block)
        damaged[position] ^= 0x55
        with pytest.raises(PackingError, match=r"damaged|not written by Outrider"):
            unpack(bytes(damaged), "thing", 1)
    with pytest.raises(PackingError, match="damaged"):
        unpack(block[:-3], "thing", 1)


def test_another_kind_or_version_is_refused_with_both():
    """The message names what was expected and what was found; of a newer one, what to do."""
    block = pack("thing", 2, {}, {})
    with pytest.raises(
        NewerFormatError, match=r"thing has version 2, this release of Outrider knows version 1: .*upgrade"
    ):
        unpack(block, "thing", 1)
    with pytest.raises(PackingError, match="expected a thing of version 3, found a thing of version 2"):
        unpack(block, "thing", 3)
    with pytest.raises(PackingError, match="expected a model of version 2, found a thing"):
        unpack(block, "model", 2)

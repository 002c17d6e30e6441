"""A journal entry comes back as it was written, and one that cannot be scored rightly is refused."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from detector import journal_entry
from detector.journal_entry import NUMERIC_VERSION, JournalEntry, decode_entry
from detector.packing import NewerFormatError, PackingError, pack

SIZES = st.tuples(st.integers(0, 4), st.integers(0, 5), st.integers(1, 3))
ANY_FLOAT = st.floats(allow_nan=True, allow_infinity=True, allow_subnormal=True)


@st.composite
def entries(draw):
    """Draw an entry with windows, entities and features, any of them few or none."""
    n_windows, n_entities, n_features = draw(SIZES)
    names = st.lists(st.text(max_size=8), min_size=1, max_size=3).map(tuple)
    return JournalEntry(
        kind=draw(st.sampled_from(["windows", "history"])),
        end_times_ms=draw(hnp.arrays(np.int64, n_windows)),
        new_entities=tuple(draw(st.lists(names, max_size=n_entities))),
        rows=draw(hnp.arrays(np.int32, n_entities)),
        values=draw(hnp.arrays(np.float64, (n_windows, n_entities, n_features), elements=ANY_FLOAT)),
        doc_counts=draw(hnp.arrays(np.int64, (n_windows, n_entities))),
        settings_revision=draw(st.integers(1, 2**40)),
    )


ARRAYS = ("end_times_ms", "rows", "values", "doc_counts")
PLAIN = ("kind", "new_entities", "settings_revision", "numeric_version")


@given(entries())
def test_an_entry_comes_back_bit_for_bit(entry):
    """NaN and the sign of zero included; equal entries have equal bytes."""
    payload = entry.encode()
    comp = decode_entry(payload)
    for name in ARRAYS:
        ours, theirs = getattr(entry, name), getattr(comp, name)
        assert (theirs.dtype, theirs.shape) == (ours.dtype, ours.shape)
        assert theirs.tobytes() == ours.tobytes()
    assert [getattr(comp, name) for name in PLAIN] == [getattr(entry, name) for name in PLAIN]
    assert comp.encode() == payload


ENTRY = JournalEntry(
    kind="windows",
    end_times_ms=np.array([60_000]),
    new_entities=(("web-1", "eu"),),
    rows=np.array([0], np.int32),
    values=np.array([[[1.5, np.nan]]]),
    doc_counts=np.array([[3]]),
)


def test_an_entry_of_other_kernels_is_refused_with_both_versions():
    """Scored with ours it would give other models than those that wrote its results."""
    newer = replace(ENTRY, numeric_version=NUMERIC_VERSION + 1).encode()
    message = rf"kernel .* has version {NUMERIC_VERSION + 1}, this release of Outrider knows version {NUMERIC_VERSION}"
    with pytest.raises(NewerFormatError, match=message):
        decode_entry(newer)
    older = replace(ENTRY, numeric_version=NUMERIC_VERSION - 1).encode()
    message = (
        rf"of version {NUMERIC_VERSION - 1}, this release has version {NUMERIC_VERSION}: start the release"
    )
    with pytest.raises(PackingError, match=message):
        decode_entry(older)


def test_an_entry_of_another_format_is_refused(monkeypatch):
    """Both versions are named."""
    monkeypatch.setattr(journal_entry, "ENTRY_VERSION", 2)
    newer = ENTRY.encode()
    monkeypatch.undo()
    with pytest.raises(
        NewerFormatError, match="journal entry has version 2, this release of Outrider knows version 1"
    ):
        decode_entry(newer)


@given(st.data())
def test_damage_anywhere_is_noticed(data):
    """One flipped bit, or an end cut off."""
    payload = bytearray(ENTRY.encode())
    position = data.draw(st.integers(0, len(payload) - 1))
    if data.draw(st.booleans()):
        payload[position] ^= 1 << data.draw(st.integers(0, 7))
    else:
        del payload[position:]
    try:
        comp = decode_entry(bytes(payload))
    except PackingError:
        return
    assert comp.encode() == ENTRY.encode(), "what is read in spite of the damage must be what was written"


def test_what_is_no_entry_is_not_taken_for_one():
    """A checkpoint in the wrong place, and bytes of somebody else."""
    with pytest.raises(PackingError, match="expected a journal entry of version 1, found a checkpoint"):
        decode_entry(pack("checkpoint", 1, {}, {}))
    with pytest.raises(PackingError, match="journal entry is damaged"):
        decode_entry(b"something else")

"""Silent windows: who is filled in, with what, for how long, and that it follows from the journal alone."""

from math import nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.journal_entry import JournalEntry
from detector.silence import NOT_ASKED, Silence
from features.feature import Feature

MINUTE_MS = 60_000
VALUES = np.array([0.0, nan])


def entry(first, doc_counts, rows, kind="windows"):
    """Return an entry of windows from number `first` on; values are 1 where there are documents."""
    doc_counts = np.array(doc_counts, np.int64)
    values = np.where(doc_counts > 0, 1.0, nan)[:, :, np.newaxis].repeat(2, axis=2)
    ends = (first + np.arange(len(doc_counts))) * MINUTE_MS
    return JournalEntry(kind, ends, (), np.array(rows, np.int32), values, doc_counts)


def silence(n_entities, longest=3):
    """Return silence of an entity that ends after so many windows."""
    found = Silence(VALUES, longest * MINUTE_MS)
    found.enrol(n_entities)
    return found


def filled_of(filled):
    """Return (row of the roster, window end in minutes) of everything that was filled in."""
    window, column = np.nonzero(filled.is_there & (filled.entry.doc_counts == 0))
    return {
        (int(filled.entry.rows[c]), int(filled.entry.end_times_ms[w] // MINUTE_MS))
        for w, c in zip(window, column, strict=True)
    }


def test_a_known_entity_is_filled_in_until_it_has_been_silent_too_long():
    """Counts are 0, averages missing; the one that never came is not known."""
    one = silence(2)
    one.fill(entry(1, [[5]], rows=[0]))
    gone = one.fill(entry(2, np.zeros((6, 0)), rows=[]))
    assert filled_of(gone) == {(0, 2), (0, 3), (0, 4)}
    np.testing.assert_array_equal(gone.entry.values[:3, 0], [VALUES] * 3)
    assert np.isnan(gone.entry.values[3:]).all()


def test_one_that_comes_back_is_known_again():
    """The count begins anew with every document."""
    one = silence(1)
    one.fill(entry(1, [[5]], rows=[0]))
    back = one.fill(entry(2, [[0], [0], [0], [0], [2], [0]], rows=[0]))
    assert filled_of(back) == {(0, 2), (0, 3), (0, 4), (0, 7)}
    assert back.is_there[:, 0].tolist() == [True, True, True, False, True, True]


def test_windows_before_the_first_document_are_not_silent():
    """Nobody knows whether the entity was there."""
    assert filled_of(silence(1).fill(entry(1, [[0], [0], [4], [0]], rows=[0]))) == {(0, 4)}


def test_history_is_filled_in_up_to_the_first_live_window_and_no_further():
    """A window that was not asked for is left to the live entry, which has it anyway."""
    one = silence(3)
    one.fill(entry(5, [[1]], rows=[2]))
    history = one.fill(entry(1, [[3, 0], [0, 0], [0, 6], [NOT_ASKED, 0], [NOT_ASKED, 0]], [0, 1], "history"))
    assert filled_of(history) == {(0, 2), (0, 3), (1, 4), (1, 5)}


def test_without_a_length_nothing_is_filled_in():
    """The entry stays the very same."""
    one = silence(1, longest=0)
    one.fill(entry(1, [[5]], rows=[0]))
    quiet = entry(2, [[0]], rows=[0])
    assert one.fill(quiet).entry is quiet


def test_a_gap_in_reading_does_not_begin_silence_again():
    """What counts is time since the last document, whether or not windows were read meanwhile."""
    one = silence(1)
    one.fill(entry(1, [[5]], rows=[0]))
    assert filled_of(one.fill(entry(100, [[0]], rows=[0]))) == set()


def test_windows_that_were_skipped_are_not_silent():
    """Nobody looked; a window read after them is silent if the last document is not too old."""
    one = silence(1, longest=4)
    one.fill(entry(1, [[5]], rows=[0]))
    assert filled_of(one.fill(entry(2, np.zeros((2, 0)), [], "skipped"))) == set()
    assert filled_of(one.fill(entry(4, [[0], [0], [0]], rows=[0]))) == {(0, 4), (0, 5)}


def naive_filled(doc_counts, longest):
    """Return the same, read off the rule, cell by cell."""
    filled = set()
    for row, counts in enumerate(doc_counts.T):
        for window, count in enumerate(counts):
            heard = [before for before in range(window) if counts[before] > 0]
            if count == 0 and heard and window - heard[-1] <= longest:
                filled.add((row, window + 1))
    return filled


@given(
    seed=st.integers(0, 2**32),
    n_entities=st.integers(1, 5),
    longest=st.integers(0, 4),
    cuts=st.lists(st.integers(1, 5), min_size=1, max_size=12),
)
def test_what_is_filled_in_does_not_depend_on_how_windows_are_cut(seed, n_entities, longest, cuts):
    """Nor on whether an entity that is silent throughout stands in the entry."""
    rng = np.random.default_rng(seed)
    doc_counts = rng.integers(0, 3, (sum(cuts), n_entities)) * rng.integers(0, 2, (sum(cuts), n_entities))
    one, found, first = silence(n_entities, longest), set(), 0
    for length in cuts:
        part = doc_counts[first : first + length]
        rows = np.flatnonzero(part.any(axis=0) | (rng.random(n_entities) < 0.5))
        found |= filled_of(one.fill(entry(first + 1, part[:, rows], rows)))
        first += length
    assert found == naive_filled(doc_counts, longest)


@pytest.mark.parametrize(
    ("body", "number"),
    [
        ({"value_count": {"field": "a"}}, 0.0),
        ({"cardinality": {"field": "a"}}, 0.0),
        ({"sum": {"field": "a"}}, 0.0),
        ({"filter": {"match_all": {}}, "aggs": {"x": {"sum": {"field": "a"}}}}, 0.0),
        ({"avg": {"field": "a"}}, nan),
        ({"filter": {"match_all": {}}, "aggs": {"x": {"max": {"field": "a"}}}}, nan),
        ({"percentiles": {"field": "a", "percents": [95]}}, nan),
        ({"scripted_metric": {"map_script": "1"}}, nan),
    ],
)
def test_counts_and_sums_of_nothing_are_0(body, number):
    """As the cluster answers for a filter that matches nothing."""
    feature = Feature(feature_name="f", aggregation_query={"f": body})
    np.testing.assert_equal(feature.of_nothing, number)

"""Silent windows: who is filled in, with what, for how long, and that it follows from the journal alone."""

from math import nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.journal_entry import JournalEntry
from detector.silence import NOT_ASKED, Filler, Silence
from features.feature import Feature

MINUTE_MS = 60_000
VALUES = np.array([0.0, nan])


def entry(first, doc_counts, rows, kind="windows"):
    """Return an entry of windows from number `first` on; values are 1 where there are documents."""
    doc_counts = np.array(doc_counts, np.int64)
    values = np.where(doc_counts > 0, 1.0, nan)[:, :, np.newaxis].repeat(2, axis=2)
    ends = (first + np.arange(len(doc_counts))) * MINUTE_MS
    return JournalEntry(kind, ends, (), np.array(rows, np.int32), values, doc_counts)


def silence(n_entities, longest=3, filler=None):
    """Return silence of an entity that ends after so many windows."""
    found = Silence(Filler(VALUES) if filler is None else filler, longest * MINUTE_MS)
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


FIXED = Filler(np.array([7.0, 8.0]), fills_gaps=True)
PREVIOUS = Filler(np.array([nan, nan]), repeats=True, fills_gaps=True)


def test_where_a_detector_says_so_gaps_are_filled_in_as_well():
    """One feature of a window with documents has no number."""
    one, gap = silence(1, filler=FIXED), entry(1, [[5], [5], [0]], rows=[0])
    gap.values[1, 0, 0] = nan
    filled = one.fill(gap)
    assert filled.entry.values[:, 0].tolist() == [[1, 1], [7, 1], [7, 8]]
    assert filled.is_imputed[:, 0].tolist() == [[False, False], [True, False], [True, True]]
    assert np.isnan(gap.values[1, 0, 0]), "the journal's entry is as it was"


def test_the_last_number_stands_in_until_the_next():
    """Of the entity itself; what never had a number stays missing."""
    one, first = silence(2, filler=PREVIOUS), entry(1, [[5, 5]], rows=[0, 1])
    first.values[0] = [[3, nan], [4, 5]]
    one.fill(first)
    quiet = one.fill(entry(2, np.zeros((2, 0)), rows=[]))
    np.testing.assert_array_equal(quiet.entry.values, [[[3, nan], [4, 5]]] * 2)
    np.testing.assert_array_equal(quiet.is_imputed, [[[True, False], [True, True]]] * 2)


def test_an_entry_that_is_applied_again_teaches_nothing_of_who_is_further():
    """The number of a checkpoint is newer than that of the entry."""
    ahead, late = silence(1, filler=PREVIOUS), entry(1, [[5]], rows=[0])
    later = entry(2, [[5]], rows=[0])
    later.values[:] = 9.0
    ahead.fill(later)
    ahead.fill(late)
    assert ahead.fill(entry(3, [[0]], rows=[0])).entry.values[0, 0].tolist() == [9.0, 9.0]


def naive_carried(values, counts, longest):
    """Return values with the last number in every gap and silent window, cell by cell."""
    carried = values.copy()
    for window, row, feature in np.argwhere(np.isnan(values)):
        heard = [before for before in range(window) if counts[before, row] > 0]
        if counts[window, row] > 0 or (heard and window - heard[-1] <= longest):
            known = [number for number in values[:window, row, feature] if not np.isnan(number)]
            carried[window, row, feature] = known[-1] if known else nan
    return carried


@given(
    seed=st.integers(0, 2**32),
    n_entities=st.integers(1, 4),
    longest=st.integers(0, 4),
    cuts=st.lists(st.integers(1, 5), min_size=1, max_size=10),
)
def test_last_numbers_do_not_depend_on_how_windows_are_cut(seed, n_entities, longest, cuts):
    """Nor on a checkpoint between any two entries."""
    rng = np.random.default_rng(seed)
    n_windows = sum(cuts)
    doc_counts = rng.integers(0, 2, (n_windows, n_entities)) * rng.integers(0, 3, (n_windows, n_entities))
    values = rng.normal(size=(n_windows, n_entities, 2))
    values[(doc_counts == 0) | (rng.random((n_windows, n_entities)) < 0.3)] = nan
    one, found, first = silence(n_entities, longest, PREVIOUS), [], 0
    for length in cuts:
        part = entry(first + 1, doc_counts[first : first + length], np.arange(n_entities))
        part.values[:] = values[first : first + length]
        found.append(one.fill(part).entry.values)
        first += length
        saved, one = one.save(0, n_entities), silence(n_entities, longest, PREVIOUS)
        one.load(0, saved)
        assert saved == {}
    np.testing.assert_array_equal(np.concatenate(found), naive_carried(values, doc_counts, longest))


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

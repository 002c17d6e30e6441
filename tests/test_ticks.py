"""Polls one after another leave nothing behind in the process: the short form of `benchmarks/ticks.py`."""

from benchmarks.ticks import usages


def test_nothing_grows_from_poll_to_poll(node_url):
    """File descriptors, threads and objects are those of a while ago; memory is measured by the benchmark alone."""
    *_, before, after = usages(node_url, n_ticks=80, n_entities=3, n_parts=4)
    assert after.file_descriptors <= before.file_descriptors
    assert after.threads <= before.threads
    # An object a poll would be 20.
    assert after.objects - before.objects < 10

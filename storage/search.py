"""Runs searches that cover all their data or fail, and follows one composite aggregation through its pages.

Knows the shape of a search answer, not what is aggregated.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import structlog
from opensearchpy import OpenSearch

from storage.errors import MissingIndex, Unavailable
from storage.query_budget import QueryBudget
from storage.reasons import read_reason
from storage.retry import Retry
from storage.translate import translate_errors

SECONDS_FOR_THE_CANCELLATION = 5.0
"""We wait this much longer than the cluster may search, so that it says that it gave up."""

MAX_OPAQUE_ID_CHARACTERS = 128

MOST_SEARCHES = 2
"""Searches at once unless the settings say otherwise: detectors are polled by two threads."""

PAGE_SIZE = 10_000
"""Buckets a page unless the settings say otherwise: a page stays some megabytes."""

log = structlog.get_logger(__name__)


class Search:
    """Searches with one policy: all shards or an error, no cache, a time limit that the cluster keeps.

    Parameters
    ----------
    client
        From `storage.client.connect`.
    retry
        What to do while the cluster is unavailable. Each page is tried on its own.
    time_limit
        The cluster cancels a search that takes longer.
    opaque_id
        Names the source of the requests in the cluster's task list and slow log: the detector.
    budget
        Gives each search its turn; searches under other names share it.
    urgency
        Who comes first when several wait: the smaller number.
    page_size
        For whoever makes the bodies: buckets that a page is to hold.
    """

    def __init__(
        self,
        client: OpenSearch,
        *,
        retry: Retry | None = None,
        time_limit: timedelta = timedelta(seconds=60),
        opaque_id: str = "outrider",
        budget: QueryBudget | None = None,
        urgency: int = 0,
        page_size: int = PAGE_SIZE,
    ) -> None:
        self._client = client
        self._retry = Retry() if retry is None else retry
        self._time_limit = time_limit
        self._budget = QueryBudget(MOST_SEARCHES, self._retry.stop) if budget is None else budget
        self._urgency = urgency
        self.page_size = page_size
        self._opaque_id = quote(opaque_id, safe=" /:.,;()[]@+=")[:MAX_OPAQUE_ID_CHARACTERS]

    def named(self, opaque_id: str, urgency: int = 0) -> "Search":
        """Return the same search under another name, so that the cluster's slow log names the detector."""
        return Search(
            self._client,
            retry=self._retry,
            time_limit=self._time_limit,
            opaque_id=opaque_id,
            budget=self._budget,
            urgency=urgency,
            page_size=self.page_size,
        )

    def pages(
        self, indices: Sequence[str], body_of: Callable[[dict[str, Any] | None], Mapping[str, Any]]
    ) -> Iterator[dict[str, Any]]:
        """Yield the answers of the one aggregation of a request, a composite one, page by page.

        Parameters
        ----------
        indices
            Names, aliases or patterns; each must match something.
        body_of
            Given the ``after_key`` of the page before, None for the first, returns the body. The composite
            aggregation keeps every bucket: a page with fewer than its ``size`` is taken for the last one, which
            a pipeline aggregation that drops buckets would make wrong.

        Raises
        ------
        MissingIndex
            When an index does not exist or a pattern matches nothing.
        Unavailable
            When the cluster is away, or an answer does not cover all the data.
        Rejected
            When the query or an aggregation does not fit the data.
        """
        after: dict[str, Any] | None = None
        while True:
            body = body_of(after)
            page = self.body(indices, body)
            yield page
            (buckets,) = page["aggregations"].values()
            after = buckets.get("after_key")
            if after is None or len(buckets["buckets"]) < _page_size(body):
                return

    def body(self, indices: Sequence[str], body: Mapping[str, Any]) -> dict[str, Any]:
        """Run one search; arguments and errors as for `pages`."""
        return self._retry(self._once, indices, body)

    def _once(self, indices: Sequence[str], body: Mapping[str, Any]) -> dict[str, Any]:
        if not indices:
            # an empty list would search every index of the cluster
            msg = "no index is named: nothing to search"
            raise MissingIndex(msg)
        limit_s, began_s = self._time_limit.total_seconds(), time.monotonic()
        with self._budget.turn(self._opaque_id, self._urgency), translate_errors(index=",".join(indices)):
            answer: dict[str, Any] = self._client.search(
                body=dict(body),
                index=list(indices),
                allow_partial_search_results=False,
                request_cache=False,
                ignore_unavailable=False,
                allow_no_indices=False,
                cancel_after_time_interval=f"{max(1, round(limit_s * 1000))}ms",
                request_timeout=limit_s + SECONDS_FOR_THE_CANCELLATION,
                opaque_id=self._opaque_id,
            )
            refuse_partial(answer, ",".join(indices))
        took_s = time.monotonic() - began_s
        if took_s > limit_s / 2:
            log.warning("slow_search", detector=self._opaque_id, took_s=round(took_s, 1), limit_s=limit_s)
        return answer


def refuse_partial(answer: Mapping[str, Any], indices: str) -> None:
    """Refuse an answer that does not cover all the data: a gap must never look like a drop to zero.

    Raises
    ------
    Unavailable
        When the search timed out, a shard failed, or a remote cluster was left out.
    """
    shards, clusters = answer.get("_shards", {}), answer.get("_clusters", {})
    complaint = ""
    if answer.get("timed_out"):
        msg = f"search of {indices} did not cover all the data: the search timed out in the cluster"
        raise Unavailable(msg, is_overloaded=True)
    if shards.get("failed"):
        complaint = f"{shards['failed']} of {shards.get('total')} shards failed: {_failure(shards)}"
    elif clusters.get("skipped"):
        complaint = f"{clusters['skipped']} of {clusters.get('total')} remote clusters were left out"
    if complaint:
        msg = f"search of {indices} did not cover all the data: {complaint}"
        raise Unavailable(msg)


def _failure(shards: Mapping[str, Any]) -> str:
    failures = shards.get("failures") or [{}]
    return read_reason(failures[0].get("reason")).text or "no reason given"


def _page_size(body: Mapping[str, Any]) -> int:
    """Return the size of a page; 1 when the body leaves it to the cluster, so that no page is missed."""
    (aggregation,) = (body.get("aggs") or body["aggregations"]).values()
    return int(aggregation["composite"].get("size", 1))

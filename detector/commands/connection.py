"""Builds the stores of a cluster from its settings: the one place where the app and its storage are joined."""

import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

import click
from opensearchpy import OpenSearch

from detector.check.required import require_fields
from detector.configuration.config import DetectorConfig
from detector.stores import Stores
from storage.checkpoints import CheckpointStore
from storage.client import check_version, connect
from storage.cluster import Cluster, ClusterSettingsError
from storage.cluster_time import cluster_time_ms
from storage.detectors import DetectorStore
from storage.errors import StorageError
from storage.indices import ensure_indices
from storage.journal import Journal
from storage.leases import LeaseStore
from storage.probe import Probe
from storage.query_budget import QueryBudget
from storage.results import ResultStore
from storage.retry import Retry
from storage.search import MOST_SEARCHES, PAGE_SIZE, Search
from storage.settings import load_cluster
from storage.state import StateStore
from storage.transport import Observer

P = ParamSpec("P")
T = TypeVar("T")

SEARCH_LIMIT = timedelta(seconds=60)

RUNTIME_ERROR, USAGE_ERROR, PROBLEMS_FOUND = 1, 2, 3
"""Exit codes: something failed; the command line or a file is wrong; a check found problems."""


class Failure(click.ClickException):
    """Ends a command with a message and an exit code, without a traceback."""

    def __init__(self, message: str, exit_code: int = RUNTIME_ERROR) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # click reads it from the instance too


def cluster_of(settings: Path | None) -> Cluster:
    """Return the access settings; a wrong one ends the command."""
    try:
        return load_cluster(settings)
    except ClusterSettingsError as error:
        raise Failure(str(error), USAGE_ERROR) from error


def client_of(cluster: Cluster, opaque_id: str = "outrider", observer: Observer | None = None) -> OpenSearch:
    """Return the client of a cluster; a certificate or credentials that cannot be used end the command."""
    try:
        return connect(cluster, opaque_id=opaque_id, observer=observer)
    except ClusterSettingsError as error:
        raise Failure(str(error), USAGE_ERROR) from error


def build_stores(
    client: OpenSearch,
    prefix: str,
    stopping: threading.Event,
    search_limit: timedelta = SEARCH_LIMIT,
    *,
    n_searches: int = MOST_SEARCHES,
    page_size: int = PAGE_SIZE,
) -> Stores:
    """Return the stores of a cluster; nothing is asked of it yet.

    A search may take `search_limit`, there are at most `n_searches` at once, and each brings `page_size` buckets.
    """
    retry = Retry(stop=stopping)
    budget = QueryBudget(n_searches, stopping)

    def prepare() -> None:
        check_version(client)
        ensure_indices(client, prefix, retry)

    def require(config: DetectorConfig) -> None:
        require_fields(config, Probe(client))

    return Stores(
        search=Search(client, retry=retry, time_limit=search_limit, budget=budget, page_size=page_size),
        journal=Journal(client, prefix, retry),
        results=ResultStore(client, prefix, retry),
        checkpoints=CheckpointStore(client, prefix, retry),
        state=StateStore(client, prefix, retry),
        leases=LeaseStore(client, prefix),
        detectors=DetectorStore(client, prefix, retry),
        prepare=prepare,
        cluster_time=partial(cluster_time_ms, client, prefix, retry),
        require=require,
    )


def open_stores(cluster: Cluster, stopping: threading.Event, observer: Observer | None = None) -> Stores:
    """Return the stores of the cluster with these settings; `observer` is told of every request."""
    return build_stores(
        client_of(cluster, observer=observer),
        cluster.index_prefix,
        stopping,
        cluster.search_timeout,
        n_searches=cluster.searches,
        page_size=cluster.page_size,
    )


def ask(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call something that needs the cluster; its failure ends the command with the cluster's reason."""
    try:
        return call(*args, **kwargs)
    except StorageError as error:
        raise Failure(str(error)) from error

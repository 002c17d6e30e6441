"""Looks at the node of a data folder from outside, and stops one that was left running."""

import contextlib
import re
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import requests

from storage.embedded.class_archive import keep_archive
from storage.embedded.launch import fresh_archive
from storage.embedded.node_record import NodeRecord, hold, record_file

RECOVERY_TIMEOUT_S = 30
ANSWER_TIMEOUT_S = 5


@dataclass(frozen=True)
class NodeStatus:
    """A running node.

    Attributes
    ----------
    record
        Where and what it is.
    uptime_s
        Seconds since its process started.
    resident_mb
        Memory that it holds, in MiB.
    health
        The cluster's own word, such as ``green``; ``no answer`` when it gives none.
    """

    record: NodeRecord
    uptime_s: float
    resident_mb: int
    health: str


def node_status(folder: Path) -> NodeStatus | None:
    """Return what the node of a data folder is doing, None when none runs."""
    record = NodeRecord.read(folder)
    process = record.process() if record else None
    if record is None or process is None:
        return None
    with contextlib.suppress(psutil.NoSuchProcess):
        return NodeStatus(
            record=record,
            uptime_s=max(0.0, time.time() - process.create_time()),
            resident_mb=process.memory_info().rss >> 20,
            health=_health(record.url),
        )
    return None


def stop_node(folder: Path) -> bool:
    """Stop the node that was left running on a data folder; tell whether there was one.

    Raises
    ------
    NodeError
        The node belongs to a running program or to another user.
    """
    record = NodeRecord.read(folder)
    if record is None:
        return False
    with hold(folder):
        was_running = record.stop()
        record_file(folder).unlink(missing_ok=True)
        if was_running and record.url:
            keep_archive(fresh_archive(folder), Path(record.archive))
    return was_running


def announced_url(ports_file: Path) -> str:
    """Return the URL that a starting node has written down, empty before it listens."""
    if not ports_file.exists():
        return ""
    found = re.search(r":(\d+)\s*$", ports_file.read_text())
    return f"http://127.0.0.1:{found[1]}" if found else ""


def is_recovered(url: str) -> bool:
    """Tell whether the node answers, after it had `RECOVERY_TIMEOUT_S` to recover its indices.

    One whose indices stay red counts: it can be looked at and mended.
    """
    limits: dict[str, str | int] = {"wait_for_status": "yellow", "timeout": f"{RECOVERY_TIMEOUT_S}s"}
    answer = _get(f"{url}/_cluster/health", limits, RECOVERY_TIMEOUT_S + ANSWER_TIMEOUT_S)
    return answer is not None and answer.status_code in (requests.codes.ok, requests.codes.request_timeout)


def _health(url: str) -> str:
    answer = _get(f"{url}/_cluster/health", {}, ANSWER_TIMEOUT_S) if url else None
    if answer is None or not answer.ok:
        return "no answer"
    return str(answer.json()["status"])


def _get(url: str, parameters: dict[str, str | int], timeout_s: float) -> requests.Response | None:
    with requests.Session() as session, contextlib.suppress(requests.RequestException):
        session.trust_env = False  # no proxy between us and the loopback interface
        return session.get(url, params=parameters, timeout=timeout_s)
    return None

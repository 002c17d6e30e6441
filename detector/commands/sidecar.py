"""What a process says of itself to the other sidecars of its cluster."""

import os
import secrets
import socket
from collections.abc import Sequence
from importlib.metadata import version

from detector.configuration.config import DetectorConfig
from detector.documents import RESULT_SCHEMA_VERSION
from detector.journal_entry import ENTRY_VERSION, NUMERIC_VERSION
from detector.membership import Membership
from detector.partition import CHECKPOINT_VERSION
from detector.roster import partition_count
from detector.stores import Leases
from storage.records import Lease

FORMATS = {
    "journal entries": ENTRY_VERSION,
    "checkpoints": CHECKPOINT_VERSION,
    "kernels": NUMERIC_VERSION,
    "results": RESULT_SCHEMA_VERSION,
    "leases": 1,
}
"""What this release writes, with versions; one that knows only an older version of any must not work beside it."""


def membership_of(configs: Sequence[DetectorConfig], leases: Leases, lease_s: float) -> Membership:
    """Return the membership of this process, which runs these detectors; nothing is asked of the cluster yet."""
    lease = Lease(
        number=0,
        holder=f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}",
        release=version("outrider"),
        formats=FORMATS,
        seconds=lease_s,
        work={config.detector_id: partition_count(config.source.category_fields) for config in configs},
        held={},
    )
    return Membership(leases, lease)

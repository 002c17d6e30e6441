"""The memory budget of the process: how much of it the models of one detector may take.

Counts models only; rosters, documents and the interpreter come on top. Knows no partition and no cluster.
"""

import threading


class Memory:
    """Bytes for models, shared by the detectors of a process.

    A detector may take what the others do not use, and an equal share of the whole in any case: who took more while it
    was free gives it back at its next block.

    Parameters
    ----------
    budget_bytes
        All that models may take; None = no limit.
    n_detectors
        Detectors that share it.
    """

    def __init__(self, budget_bytes: int | None = None, n_detectors: int = 1) -> None:
        self._budget_bytes = budget_bytes
        self._n_detectors = n_detectors
        self._used: dict[str, int] = {}
        self._lock = threading.Lock()

    def room(self, detector_id: str) -> float:
        """Return the bytes that the models of a detector may take; infinite without a budget."""
        if self._budget_bytes is None:
            return float("inf")
        with self._lock:
            others = sum(used for name, used in self._used.items() if name != detector_id)
        return max(self._budget_bytes - others, self._budget_bytes / self._n_detectors)

    def note(self, detector_id: str, used_bytes: int) -> None:
        """Note what the models of a detector take now."""
        with self._lock:
            self._used[detector_id] = used_bytes

"""One JSON line a measurement on standard output, and nothing else there.

Fields: `benchmark`, `case`, `metric`, `unit`, `ours` (median), `low` and `high` (range of the repeats); where something
is compared `peer`, `theirs` and `ratio` (above 1 always means that ours is better); `load`, the load average.
"""

import json
import os
import sys
from collections.abc import Sequence
from statistics import median

import structlog


def log_elsewhere() -> None:
    """Send the service's log to standard error: standard output is for measurements."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))


def line(
    benchmark: str,
    case: str,
    metric: str,
    unit: str,
    ours: Sequence[float],
    *,
    peer: str | None = None,
    theirs: Sequence[float] = (),
    smaller_is_better: bool = False,
    in_pairs: bool = False,
) -> None:
    """Print one measurement: all repeats of ours and, if there is one, of the peer from the same run.

    The ratio is that of the medians, or with `in_pairs` the median of the ratios of repeats that belong together.
    """
    own = median(ours)
    fields: dict[str, object] = {
        "benchmark": benchmark,
        "case": case,
        "metric": metric,
        "unit": unit,
        "ours": _short(own),
        "low": _short(min(ours)),
        "high": _short(max(ours)),
    }
    if peer is not None:
        other = median(theirs)
        fields |= {"peer": peer, "theirs": _short(other)}
        fields |= {"theirs_low": _short(min(theirs)), "theirs_high": _short(max(theirs))}
        ratio = median(a / b for a, b in zip(ours, theirs, strict=True)) if in_pairs else own / other
        fields["ratio"] = _short(1 / ratio if smaller_is_better else ratio)
    fields["load"] = round(os.getloadavg()[0], 1)
    print(json.dumps(fields), flush=True)


def _short(value: float) -> float:
    """Return four significant digits, and whole numbers as such."""
    rounded = float(f"{value:.4g}")
    return int(rounded) if rounded.is_integer() else rounded

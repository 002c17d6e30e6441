"""The benchmark's JSON lines: the mean over the seeds, and the spread between them."""

import os
from collections.abc import Sequence

import numpy as np

Row = dict[str, object]


def row(case: str, metric: str, unit: str, values: Sequence[float]) -> Row:
    """Return one line: mean, lowest, highest and standard deviation of what each seed measured."""
    return {
        "benchmark": "quality",
        "case": case,
        "metric": metric,
        "unit": unit,
        "ours": _short(float(np.mean(values))),
        "low": _short(min(values)),
        "high": _short(max(values)),
        "spread": _short(float(np.std(values))),
        "seeds": len(values),
        "load": round(os.getloadavg()[0], 2),
    }


def _short(value: float) -> float:
    return round(float(value), 3)

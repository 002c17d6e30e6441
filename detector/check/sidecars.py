"""What the detectors of a cluster are doing, judged: who fails, who lags, whom nobody polls."""

from collections.abc import Sequence
from typing import Any

from detector.check.finding import Finding, error, ok, warning
from detector.health import is_late


def check_detectors(rows: Sequence[dict[str, Any]]) -> list[Finding]:
    """Say which detectors are not well.

    Parameters
    ----------
    rows
        What `outrider status` shows, one a detector: `detector`, `state`, `lag_s`, `interval_s`, `failures`, `error`,
        `last_poll_s`.
    """
    if not rows:
        return [
            warning(("detectors",), "none has run on this cluster: start some with `outrider run -c DIR`")
        ]
    findings = [finding for row in rows if (finding := _judged(row)) is not None]
    return findings or [ok(("detectors",), f"none of {len(rows)} fails, lags or is left alone")]


def _judged(row: dict[str, Any]) -> Finding | None:
    path = ("detectors", row["detector"])
    if row["state"] == "failing":
        return error(path, f"{row['failures']} polls in a row have failed: {row['error']}")
    if row["state"] == "stopped":
        hint = "start it again, or ignore this if it was meant to end"
        return error(path, f"nobody has polled it for {row['last_poll_s']:,} s: {hint}")
    lag_s = row["lag_s"] or 0
    if row["state"] == "running" and is_late(lag_s, row["interval_s"]):
        hint = "it is catching up, or one sidecar is too slow for it: compare `outrider estimate`"
        return warning(path, f"is {lag_s:,} s behind; {hint}")
    return None

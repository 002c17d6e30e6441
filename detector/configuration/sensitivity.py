"""How little it takes for an anomaly: what may be set, and what has no effect. Knows no other key."""

SENSITIVITY = 0.5
MOST_ALARMS = 1_000


def refuse_without_effect(sensitivity: float, alarms_per_week: float | None, *, is_trcf: bool) -> None:
    """Refuse settings that the plugin's kind of model does not know, and two that contradict each other.

    Raises
    ------
    ValueError
        With what to do instead.
    """
    if is_trcf and sensitivity != SENSITIVITY:
        msg = f"must not set `sensitivity` with the profile `trcf`, got {sensitivity}; use `rules` there"
        raise ValueError(msg)
    if is_trcf and alarms_per_week is not None:
        msg = "must not set `alarms_per_week` with the profile `trcf`; use `rules` there"
        raise ValueError(msg)
    if alarms_per_week is not None and sensitivity != SENSITIVITY:
        got = f"{sensitivity} and {alarms_per_week}"
        msg = f"must not set both `sensitivity` and `alarms_per_week`, got {got}"
        raise ValueError(msg)

"""What an expectation was made from, and what is unusual, in words: the last hour, this time yesterday.

Knows codes and lengths of time.
"""

from detector.model.attribution import NO_TRAIT
from detector.model.expected import LEVEL_SPANS, SEASON_MIDDLE, SEASON_STEP
from detector.model.season import DAY_MS, HOUR_MS, WEEK_MS, rhythm_of
from detector.model.transform import RESIDUAL_MEAN, RESIDUALS, SPANS, VALUE

SECOND_MS, MINUTE_MS = 1_000, 60_000

UNITS = ((DAY_MS, "day"), (HOUR_MS, "hour"), (MINUTE_MS, "minute"), (SECOND_MS, "second"))


def compared_with(basis: int, interval_ms: int) -> str:
    """Return a basis in words for windows of a length; "" where there was nothing to compare with.

    Parameters
    ----------
    basis
        0 = none, else one more than the number of the predictor that spoke (see `detector.model.expected`).
    interval_ms
        Length of a window in milliseconds.
    """
    predictor = basis - 1
    if 0 <= predictor < len(LEVEL_SPANS):
        span = round(LEVEL_SPANS[predictor])
        if span == 1:
            return f"the {duration_text(interval_ms)} before"
        return f"the last {duration_text(span * interval_ms)}"
    is_week = _is_week(interval_ms)
    if predictor == SEASON_MIDDLE:
        if interval_ms >= DAY_MS:
            return "the same day last week"
        return "this time last week" if is_week else "this time yesterday"
    if predictor == SEASON_STEP:
        return "the course of last week" if is_week else "the course of yesterday"
    return ""


def trait_text(trait: int, interval_ms: int) -> str:
    """Return what of a feature is unusual, as the rest of a sentence about it; codes as in `ScoredBlock.trait`."""
    if trait == NO_TRAIT:
        return "the pattern is unusual"
    column, is_low = divmod(trait - 1, 2)
    side = "low" if is_low else "high"
    if column == VALUE:
        return f"unusually {side} among its values of late"
    if column == RESIDUAL_MEAN:
        length = duration_text(RESIDUALS * interval_ms)
        return f"over the last {length} unusually {side} for the time of {season_of(interval_ms)}"
    return f"its mean over the last {duration_text(SPANS[column] * interval_ms)} is unusually {side}"


def season_of(interval_ms: int) -> str:
    """Return what repeats itself for windows of a length: the day, the week."""
    return "week" if _is_week(interval_ms) else "day"


def _is_week(interval_ms: int) -> bool:
    rhythm = rhythm_of(interval_ms)
    return abs(rhythm.lag * rhythm.slot_ms - WEEK_MS) < DAY_MS


def duration_text(length_ms: int) -> str:
    """Return a length of time as a person would say it: whole units, of the largest that there are two of."""
    for unit_ms, name in UNITS:
        count = round(length_ms / unit_ms)
        if length_ms >= 2 * unit_ms:
            return f"{count} {name}s"
        if length_ms == unit_ms:
            return name
    return f"{length_ms / SECOND_MS:g} seconds"

"""Period: a length of time as the anomaly-detection plugin writes it.

`{"period": {"interval": 10, "unit": "Minutes"}}`, for `detection_interval` and `window_delay`.
"""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from detector.configuration.near_miss import near_miss
from detector.configuration.problem import quoted
from features.windows import Unit


def _unit(value: object) -> Unit:
    """Accept a unit in any case: the plugin writes `Minutes`, its API also takes `MINUTES`."""
    word = str(value)
    found = next((unit for unit in Unit if unit.lower() == word.lower()), None)
    if found is None:
        hint = near_miss(word, Unit)
        msg = f"must be one of {', '.join(Unit)}, got {quoted(value)}{'; ' if hint else ''}{hint}"
        raise ValueError(msg)
    return found


class Period(BaseModel):
    """A number of units."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    interval: int = Field(
        strict=True, description="How many units, a whole number.", json_schema_extra={"minimum": 0}
    )
    unit: Annotated[Unit, BeforeValidator(_unit)] = Field(
        description="Seconds, Minutes, Hours, Days or Weeks."
    )

    def __str__(self) -> str:
        """Return the length in words."""
        return f"{self.interval} {self.unit}"


class Duration(BaseModel):
    """The object around a period."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    period: Period = Field(description='How long, such as {"interval": 10, "unit": "Minutes"}.')

    @property
    def milliseconds(self) -> int:
        """Length, taking a day as 24 hours."""
        return self.period.interval * self.period.unit.milliseconds


def duration(interval: int, unit: Unit) -> Duration:
    """Return a duration from its parts."""
    return Duration(period=Period(interval=interval, unit=unit))

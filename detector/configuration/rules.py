"""Rules: which alarms a user of the plugin-compatible profile does not want to hear of.

The form is the plugin's. Each condition sets one number of one feature, and the last one holds, as there.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    model_validator,
)

from detector.configuration.names import Profile
from detector.configuration.near_miss import near_miss
from detector.configuration.not_yet import INSTEAD
from detector.configuration.problem import quoted

IMPLIED_SHARE = 0.2
"""Share of the value that the plugin ignores on either side of the expected one where there is no rule."""


class Threshold(StrEnum):
    """What a condition compares; the first four with a number."""

    ABOVE = "ACTUAL_OVER_EXPECTED_MARGIN"
    BELOW = "EXPECTED_OVER_ACTUAL_MARGIN"
    ABOVE_SHARE = "ACTUAL_OVER_EXPECTED_RATIO"
    BELOW_SHARE = "EXPECTED_OVER_ACTUAL_RATIO"
    ANY_ABOVE = "ACTUAL_IS_OVER_EXPECTED"
    ANY_BELOW = "ACTUAL_IS_BELOW_EXPECTED"


MARGINS = (Threshold.ABOVE, Threshold.BELOW, Threshold.ABOVE_SHARE, Threshold.BELOW_SHARE)
DIRECTIONS = (Threshold.ANY_ABOVE, Threshold.ANY_BELOW)


def _threshold(word: object) -> object:
    """Refuse a comparison that does not exist."""
    if isinstance(word, str) and word not in list(Threshold):
        hint = near_miss(word, Threshold) or f"one of {', '.join(Threshold)}"
        msg = f"must be a comparison the plugin knows, got {quoted(word)}; {hint}"
        raise ValueError(msg)
    return word


class Condition(BaseModel):
    """When an alarm of one feature is ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    feature_name: str = Field(description="An enabled feature.")
    threshold_type: Annotated[Threshold, BeforeValidator(_threshold)] = Field(
        description="What is compared: excess or shortfall, as an amount or a share of the value, or a direction."
    )
    operator: Literal["LTE"] | None = Field(default=None, description="LTE; null for a direction.")
    value: float | None = Field(
        default=None, allow_inf_nan=False, description="Amount or share to ignore; null for a direction."
    )

    @model_validator(mode="after")
    def _complete(self) -> "Condition":
        """Refuse an amount without a number above 0, and a direction with one."""
        if self.threshold_type in DIRECTIONS:
            if self.operator is not None or self.value is not None:
                msg = f"must have neither `operator` nor `value` with {self.threshold_type}; remove them"
                raise ValueError(msg)
        elif self.operator != "LTE" or self.value is None or self.value <= 0:
            msg = f'must have `operator` "LTE" and a `value` above 0 with {self.threshold_type}'
            raise ValueError(msg)
        return self


class Rule(BaseModel):
    """Conditions; each of them is enough."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: Literal["IGNORE_ANOMALY"] = Field(description="IGNORE_ANOMALY, the only one.")
    conditions: tuple[Condition, ...] = Field(
        description="When to ignore.", json_schema_extra={"minItems": 1}
    )


def margins(rules: Sequence[Rule] | None, features: Sequence[str]) -> tuple[tuple[float, ...], ...]:
    """Return what is ignored above and below as an amount, above and below as a share; a number a feature each.

    Without a rule, the plugin's 20 % on either side.
    """
    if not rules:
        shares = (IMPLIED_SHARE,) * len(features)
        nothing = (0.0,) * len(features)
        return nothing, nothing, shares, shares
    given = {(c.threshold_type, c.feature_name): c.value or 0.0 for rule in rules for c in rule.conditions}
    return tuple(tuple(given.get((kind, name), 0.0) for name in features) for kind in MARGINS)


def directions(rules: Sequence[Rule] | None, features: Sequence[str]) -> tuple[tuple[bool, ...], ...]:
    """Return whether alarms above, and below, the expected value are told; one a feature each."""
    muted = {(c.threshold_type, c.feature_name) for rule in rules or () for c in rule.conditions}
    return tuple(tuple((kind, name) not in muted for name in features) for kind in DIRECTIONS)


def _of_the_plugin(rules: object, info: ValidationInfo) -> object:
    """Refuse rules where the model knows nothing to apply them to; take no rule for none."""
    if rules and info.data.get("profile") == Profile.MULTISCALE:
        msg = f"is not supported yet; {INSTEAD['rules']}"
        raise ValueError(msg)
    return rules or None


def _of_features(rules: tuple[Rule, ...] | None, info: ValidationInfo) -> tuple[Rule, ...] | None:
    """Refuse a condition about something that is not an enabled feature."""
    features = [feature for feature in info.data.get("feature_attributes", ()) if feature.feature_enabled]
    names = [feature.feature_name for feature in features]
    for condition in (condition for rule in rules or () for condition in rule.conditions):
        if names and condition.feature_name not in names:
            hint = near_miss(condition.feature_name, names) or f"there are {', '.join(names)}"
            msg = f"must name an enabled feature, got {quoted(condition.feature_name)}; {hint}"
            raise ValueError(msg)
    return rules


Rules = Annotated[tuple[Rule, ...] | None, BeforeValidator(_of_the_plugin), AfterValidator(_of_features)]
"""Type of the key `rules`, which needs `profile` and `feature_attributes` before it."""

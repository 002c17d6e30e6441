"""Imputation: what a detector says stands in for a number that is not there. The form is the plugin's."""

from collections.abc import Sequence
from enum import StrEnum
from math import nan
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo

from detector.configuration.names import refuse_repeated
from detector.configuration.near_miss import near_miss
from detector.configuration.problem import quoted


class Method(StrEnum):
    """What stands in."""

    ZERO = "ZERO"
    FIXED_VALUES = "FIXED_VALUES"
    PREVIOUS = "PREVIOUS"


def _method(word: object) -> object:
    """Take a method in any case, and refuse one that does not exist."""
    known = isinstance(word, str) and word.upper() in list(Method)
    if not known:
        hint = near_miss(str(word).upper(), Method) or f"one of {', '.join(Method)}"
        msg = f"must be a way to fill in, got {quoted(word)}; {hint}"
        raise ValueError(msg)
    return str(word).upper()


class Fill(BaseModel):
    """The number that stands in for one feature."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    feature_name: str = Field(description="An enabled feature.")
    data: float = Field(allow_inf_nan=False, description="The number that stands in.")


class Imputation(BaseModel):
    """What stands in for a number that is not there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Annotated[Method, BeforeValidator(_method)] = Field(
        default=Method.ZERO,
        description="ZERO, FIXED_VALUES, or PREVIOUS: the last number of the entity.",
        json_schema_extra={"enum": list(Method)},
    )
    default_fill: tuple[Fill, ...] | None = Field(
        default=None, description="With FIXED_VALUES, one for each enabled feature."
    )

    @property
    def repeats(self) -> bool:
        """Whether the last number stands in."""
        return self.method == Method.PREVIOUS

    def values(self, names: Sequence[str]) -> list[float]:
        """Return the number that stands in for each feature; NaN where it is the last one or none."""
        if self.method == Method.FIXED_VALUES:
            given = {fill.feature_name: fill.data for fill in self.default_fill or ()}
            return [given[name] for name in names]
        return [nan if self.repeats else 0.0] * len(names)


def _of_features(option: Imputation | None, info: ValidationInfo) -> Imputation | None:
    """Refuse fixed values that are not one for each enabled feature, and values that no method would use."""
    if option is None:
        return None
    fills = option.default_fill or ()
    if option.method != Method.FIXED_VALUES:
        if fills:
            msg = f"must have no `default_fill` with {option.method}; remove it, or set `method` to FIXED_VALUES"
            raise ValueError(msg)
        return option
    refuse_repeated("feature_name", [fill.feature_name for fill in fills])
    features = [feature for feature in info.data.get("feature_attributes", ()) if feature.feature_enabled]
    names = [feature.feature_name for feature in features]
    for fill in fills:
        if names and fill.feature_name not in names:
            hint = near_miss(fill.feature_name, names) or f"there are {', '.join(names)}"
            msg = f"must name an enabled feature, got {quoted(fill.feature_name)}; {hint}"
            raise ValueError(msg)
    missing = [name for name in names if name not in {fill.feature_name for fill in fills}]
    if missing:
        msg = f"must have a number for each enabled feature with FIXED_VALUES; add {', '.join(missing)}"
        raise ValueError(msg)
    return option


ImputationOption = Annotated[Imputation | None, AfterValidator(_of_features)]
"""Type of the key `imputation_option`, which needs `feature_attributes` before it."""

"""Configuration of a detector: what its JSON may say, and what that means.

The names are those of the anomaly-detection plugin, so that its exports load. Must not know files, forests,
clusters or the clock, and stays quick to import.
"""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from detector.configuration.imputation import ImputationOption
from detector.configuration.names import (
    DetectorName,
    FieldName,
    IndexName,
    Profile,
    ProfileName,
    ZoneName,
    refuse_one_key,
    refuse_repeated,
)
from detector.configuration.not_yet import NotYet, not_yet
from detector.configuration.period import Duration, duration
from detector.configuration.rules import Rules
from detector.configuration.sensitivity import MOST_ALARMS, SENSITIVITY, refuse_without_effect
from features.feature import Feature
from features.source import Source
from features.windows import Interval, Unit, interval_problem

LONGEST_DESCRIPTION = 1_000
MOST_FEATURES = 100
"""Each feature adds columns to every model; a hundred are more than a forest can tell apart."""
MOST_HISTORY = 10_000
LARGEST_SHINGLE = 128
LARGEST_POINT = 254
"""Columns that a forest can hold."""
DEFAULT_SHINGLE = 8
LEAST_EMPTY, DEFAULT_MOST_EMPTY, MOST_EMPTY = 10, 1_440, 100_000
"""Windows without documents that are reported by default, at least and at most, and the largest setting."""
HISTORY_BEYOND_SHINGLE = 32
"""Windows read for a new model beyond those that fill the first shingle."""
RECENCY_EMPHASIS = 2_560
"""Ten times the 256 points a tree holds."""
LARGEST_INTEGER = 2**31 - 1
LONGEST_DELAY_MS = 366 * 86_400_000


def _carried(meaning: str) -> Any:  # noqa: ANN401 - a field's default, as pydantic has it
    """Return the field of a key that exports carry and that has no effect on detection."""
    return Field(default=None, exclude=True, description=f"{meaning} Accepted, without effect.")


class DetectorConfig(BaseModel):
    """One detector, as its JSON describes it. Null means the same as leaving a key out."""

    model_config = ConfigDict(frozen=True, extra="forbid", title="Outrider detector")

    name: DetectorName = Field(
        description="Unique name of the detector; letters, digits, `.`, `_` and `-`.",
        json_schema_extra={"pattern": r"^[A-Za-z0-9._-]{1,64}$"},
    )
    description: str = Field(default="", max_length=LONGEST_DESCRIPTION, description="Words for people.")
    time_field: FieldName = Field(
        description="Field of type date or date_nanos that says which window a document belongs to."
    )
    indices: tuple[IndexName, ...] = Field(
        description="Index names, aliases or patterns to read.", json_schema_extra={"minItems": 1}
    )
    filter_query: dict[str, Any] | None = Field(
        default=None, description="Query a document must match to count; without it all documents do."
    )
    feature_attributes: tuple[Feature, ...] = Field(
        description="The features, each one number a window.",
        json_schema_extra={"minItems": 1, "maxItems": MOST_FEATURES},
    )
    timezone: ZoneName = Field(
        default="UTC",
        description=(
            "Own extension: IANA name of the time zone whose days and weeks are compared, and that windows of a "
            "day or a week follow."
        ),
    )
    detection_interval: Duration = Field(
        default=duration(10, Unit.MINUTES),
        description="Length of a window, default 10 minutes; 1 Days and 1 Weeks follow the calendar.",
    )
    window_delay: Duration = Field(
        default=duration(0, Unit.MINUTES),
        description="How long after its end a window may still receive documents, default 0.",
    )
    category_field: tuple[FieldName, ...] = Field(
        default=(),
        description="Fields whose values name an entity, each with its own model; any number of fields.",
        json_schema_extra={"uniqueItems": True},
    )
    history: int | None = Field(
        default=None,
        strict=True,
        ge=1,
        le=MOST_HISTORY,
        description="Past windows a new model learns from at once; default 32 + shingle_size, or 40.",
    )
    empty_windows: int | None = Field(
        default=None,
        strict=True,
        ge=0,
        le=MOST_EMPTY,
        description=(
            "Own extension: for so many windows without documents an entity that is known stays in the results, with 0 "
            "for counts and sums; 0 = not at all; default: a day, at least 10 and at most 1,440 windows; `trcf` "
            "without `imputation_option`: 0."
        ),
    )
    recency_emphasis: int = Field(
        default=RECENCY_EMPHASIS,
        strict=True,
        ge=2,
        le=LARGEST_INTEGER,
        description="After so many windows a point counts a third (1/e) of a new one.",
    )
    sensitivity: float = Field(
        default=SENSITIVITY, strict=True, ge=0, le=1, description="Own extension: 0 few, 1 many anomalies."
    )
    alarms_per_week: float | None = Field(
        default=None,
        strict=True,
        gt=0,
        le=MOST_ALARMS,
        description="Own extension, instead of `sensitivity`: anomalies a week an entity may have in the long run.",
    )
    shingle_size: int | None = Field(
        default=None,
        strict=True,
        ge=1,
        le=LARGEST_SHINGLE,
        description="Consecutive windows that make one point, as in the plugin; default: several scales.",
    )
    profile: ProfileName = Field(
        default=Profile.MULTISCALE,
        description="Own extension: kind of model; multiscale, or trcf for the plugin's own.",
        json_schema_extra={"enum": list(Profile)},
    )
    rules: Rules = Field(
        default=None,
        description="Alarms to ignore, with the profile trcf only; default: within 20 % of the value.",
    )

    imputation_option: ImputationOption = Field(
        default=None,
        description="What stands in for numbers that are missing; default: 0 for counts and sums of silent windows.",
    )

    frequency: NotYet = not_yet("how often the detector runs.", {"type": ["object", "null"]})
    suggested_seasonality: NotYet = not_yet("length of a season in windows.")
    detection_date_range: NotYet = not_yet("the time range of a historical detector.")
    result_index: NotYet = not_yet("an index of its own for the results.")
    result_index_min_size: NotYet = not_yet("size at which a result index is rolled over.")
    result_index_min_age: NotYet = not_yet("age at which a result index is rolled over.")
    result_index_ttl: NotYet = not_yet("age at which a result index is deleted.")
    flatten_custom_result_index: NotYet = not_yet(
        "a second result index with flat fields.", {"type": ["boolean", "null"], "enum": [False, None]}
    )

    ui_metadata: Any = _carried("What the plugin's user interface keeps.")
    user: Any = _carried("Who created the detector in the plugin.")
    detector_type: Any = _carried("Derived by the plugin from `category_field`.")
    schema_version: Any = _carried("Version of the plugin's configuration index.")
    last_update_time: Any = _carried("When the plugin last saved the detector.")
    last_ui_breaking_change_time: Any = _carried("When the plugin's charts last became meaningless.")
    auto_created: Any = _carried("Whether an agent created the detector.")
    json_schema: Any = Field(
        default=None, alias="$schema", exclude=True, description="Where an editor finds this schema."
    )

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, document: object) -> object:
        """Leave out keys that are null, so that they mean their default."""
        if not isinstance(document, dict):
            return document
        return {key: value for key, value in document.items() if value is not None}

    @field_validator("indices")
    @classmethod
    def _some_index(cls, indices: tuple[str, ...]) -> tuple[str, ...]:
        if not indices:
            msg = "must name at least one index, alias or pattern, got []"
            raise ValueError(msg)
        return indices

    @field_validator("filter_query")
    @classmethod
    def _some_filter(cls, query: dict[str, Any] | None) -> dict[str, Any] | None:
        """Take a query that matches everything for none; the plugin fills one in."""
        matches_all = query is not None and (query == {} or set(query) == {"match_all"})
        return None if matches_all else query

    @field_validator("feature_attributes")
    @classmethod
    def _distinct_features(cls, features: tuple[Feature, ...]) -> tuple[Feature, ...]:
        if len(features) > MOST_FEATURES:
            msg = f"must be at most {MOST_FEATURES} features, got {len(features)}; split the detector"
            raise ValueError(msg)
        if not any(feature.feature_enabled for feature in features):
            got = f"{len(features)} that are disabled; enable one" if features else "none; add one"
            msg = f"must hold at least one enabled feature, got {got}"
            raise ValueError(msg)
        refuse_repeated("feature_name", [feature.feature_name for feature in features])
        refuse_repeated("name of an aggregation", [feature.aggregation_name for feature in features])
        refuse_one_key([feature.feature_name for feature in features])
        return features

    @field_validator("detection_interval")
    @classmethod
    def _possible_interval(cls, value: Duration) -> Duration:
        problem = interval_problem(value.period.interval, value.period.unit)
        if problem is not None:
            raise ValueError(problem)
        return value

    @field_validator("window_delay")
    @classmethod
    def _possible_delay(cls, value: Duration) -> Duration:
        if not 0 <= value.milliseconds <= LONGEST_DELAY_MS:
            msg = f"must be at least 0 and at most 366 days, got {value.period}"
            raise ValueError(msg)
        return value

    @field_validator("category_field")
    @classmethod
    def _distinct_fields(cls, fields: tuple[str, ...]) -> tuple[str, ...]:
        refuse_repeated("field", fields)
        refuse_one_key(fields)
        return fields

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        """Refuse more columns than a forest can hold, and settings without effect."""
        refuse_without_effect(self.sensitivity, self.alarms_per_week, is_trcf=self.is_trcf)
        width = len(self.source.features) * (self.trcf_shingle if self.is_trcf else self.shingle_size or 1)
        if width > LARGEST_POINT:
            msg = f"must have at most {LARGEST_POINT} features times `shingle_size`, got {width}; split it"
            raise ValueError(msg)
        return self

    @property
    def is_trcf(self) -> bool:
        """Whether the models are the plugin's kind."""
        return self.profile == Profile.TRCF

    @property
    def trcf_shingle(self) -> int:
        """Windows in a point of the plugin's kind of model."""
        return self.shingle_size or DEFAULT_SHINGLE

    @property
    def detector_id(self) -> str:
        """What ids and seeds are made from: the name."""
        return self.name

    @property
    def interval(self) -> Interval:
        """How time is cut into windows."""
        period = self.detection_interval.period
        return Interval(period.interval, period.unit, self.timezone)

    @property
    def window_delay_ms(self) -> int:
        """How long after its end a window is closed (ms)."""
        return self.window_delay.milliseconds

    @property
    def history_windows(self) -> int:
        """How many past windows a new model learns from: `history`, or 32 + the shingle size (8 if none)."""
        return self.history or HISTORY_BEYOND_SHINGLE + (self.shingle_size or DEFAULT_SHINGLE)

    @property
    def longest_silence_ms(self) -> int:
        """How long after its last document an entity stays in the results (ms), 0 = not at all."""
        count = self.empty_windows
        if count is None and self.is_trcf and self.imputation_option is None:
            return 0
        if count is None:
            a_day = round(Unit.DAYS.milliseconds / self.interval.milliseconds)
            count = min(max(a_day, LEAST_EMPTY), DEFAULT_MOST_EMPTY)
        # Half a window more: a day of the calendar may have 25 hours.
        return count * self.interval.milliseconds + self.interval.milliseconds // 2 if count else 0

    @property
    def source(self) -> Source:
        """Where the numbers come from."""
        return Source(
            indices=self.indices,
            time_field=self.time_field,
            filter_query=self.filter_query,
            category_fields=self.category_field,
            features=tuple(feature for feature in self.feature_attributes if feature.feature_enabled),
            interval=self.interval,
        )

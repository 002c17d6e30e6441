"""What of a detector makes a new generation of models when it changes, as one hash."""

import json
from hashlib import blake2b
from typing import Any

from detector.configuration.config import DetectorConfig
from detector.configuration.rules import directions, margins
from detector.configuration.sensitivity import SENSITIVITY


def fingerprint_of(config: DetectorConfig) -> str:
    """Return the hash of everything that makes a new generation of models when it changes; 32 hexadecimal digits."""
    text = json.dumps(_essence(config), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return blake2b(text.encode(), digest_size=16).hexdigest()


def _essence(config: DetectorConfig) -> dict[str, Any]:
    """Return what models are made for; spelling, order of keys and defaults left out.

    Where the documents come from is not part of it: a new index or a better filter must not cost the models.
    """
    source, own, option = config.source, config.sensitivity, config.imputation_option
    names = [feature.feature_name for feature in source.features]
    return (
        {
            "category_field": source.category_fields,
            "features": [[feature.feature_name, feature.aggregation] for feature in source.features],
            "interval_ms": source.interval.milliseconds,
            "calendar": config.timezone,
            "model": [config.shingle_size, config.recency_emphasis, config.longest_silence_ms],
        }
        | _essence_of_trcf(config)
        | ({"sensitivity": own} if own != SENSITIVITY else {})
        | ({"alarms_per_week": config.alarms_per_week} if config.alarms_per_week else {})
        | ({"imputation": [option.method, *option.values(names)]} if option else {})
    )


def _essence_of_trcf(config: DetectorConfig) -> dict[str, Any]:
    """Return what else the plugin's kind of model is made for; nothing for the default, whose hash it leaves."""
    if not config.is_trcf:
        return {}
    names = [feature.feature_name for feature in config.source.features]
    return {
        "profile": config.profile,
        "ignored": margins(config.rules, names),
        "told": directions(config.rules, names),
    }

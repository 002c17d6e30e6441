"""Result documents, one at a time and as dictionaries: what `detector.documents` must write, said plainly."""

import math

from detector.comparison import compared_with, duration_text, season_of, trait_text
from detector.reason import Seen, Wording, direction, sentence
from detector.roster import result_key


def naive_documents(maker, roster, scored_entry, now_ms):
    """Yield (id, fields) of each window in which an entity had data, entity by entity."""
    entry, scored = scored_entry.entry, scored_entry.scored
    for column, row in enumerate(entry.rows):
        entity = roster.entities[row]
        for window, end_ms in enumerate(entry.end_times_ms.tolist()):
            if scored.status[window, column]:
                times = {
                    "execution_start_time": now_ms,
                    "execution_end_time": now_ms,
                    "data_start_time": maker.interval.previous(end_ms),
                    "data_end_time": end_ms,
                }
                fields = common(maker, entity) | times | found(maker, scored_entry, window, column)
                key = result_key(maker.detector_id, maker.run_id, maker.generation, entity)
                yield f"{end_ms:013d}-{key}", fields


def common(maker, entity):
    fields = {
        "detector_id": maker.detector_id,
        "schema_version": 1,
        "generation": maker.generation,
        "run_id": maker.run_id,
        "model_id": result_key(maker.detector_id, "model", maker.generation, entity),
    }
    if maker.category_fields:
        pairs = sorted(zip(maker.category_fields, entity, strict=True))
        fields["entity"] = [{"name": name, "value": value} for name, value in pairs]
        fields["entity_attributes"] = {name.replace(".", "_"): value for name, value in pairs}
        fields["entity_key"] = ", ".join(f"{name}={value}" for name, value in pairs)
    return fields


def found(maker, scored_entry, window, column):
    at = (window, column)
    entry, scored = scored_entry.entry, scored_entry.scored
    numbers = {
        name: array[at].tolist()
        for name, array in (
            ("value", entry.values),
            ("expected", scored.expected),
            ("lower", scored.lower),
            ("upper", scored.upper),
        )
    }
    fields = {name: flat(maker, each) for name, each in numbers.items()}
    fields["status"] = (None, "warming_up", "scored", "missing")[scored.status[at]]
    fields["feature_data"] = nested(maker, numbers["value"])
    is_silent = bool(entry.doc_counts[at] == 0)
    imputed = scored_entry.is_imputed[at].tolist()
    if is_silent or True in imputed:
        fields["feature_imputed"] = [
            {"feature_id": feature_id, "imputed": each}
            for feature_id, each in zip(maker.feature_ids, imputed, strict=True)
        ]
    if fields["status"] == "scored":
        fields["anomaly_score"] = null(scored.score[at])
        fields["anomaly_grade"] = null(scored.grade[at])
        fields["confidence"] = null(scored.confidence[at])
        fields["threshold"] = null(scored.threshold[at])
        fields["is_anomaly"] = bool(scored.grade[at] > 0)
    if scored.grade[at] > 0:
        share = scored.contribution[at].tolist()
        fields["contribution"] = flat(maker, share)
        fields["relevant_attribution"] = nested(maker, share)
        fields["expected_values"] = [{"likelihood": 1.0, "value_list": nested(maker, numbers["expected"])}]
        sides = map(direction, numbers["value"], numbers["expected"])
        fields["direction"] = {
            name.replace(".", "_"): side for name, side in zip(maker.feature_names, sides, strict=True)
        }
        codes = (each[at].tolist() for each in (scored.basis, scored.departed, scored.routine, scored.trait))
        seen = Seen(*numbers.values(), share, *codes, int(scored.lasted_ms[at]), is_silent)
        interval_ms = maker.interval.milliseconds
        wording = Wording(
            lambda basis: compared_with(basis, interval_ms),
            lambda trait: trait_text(trait, interval_ms),
            duration_text,
            season_of(interval_ms),
        )
        fields["reason"] = sentence(maker.feature_names, seen, wording)
    return fields


def flat(maker, numbers):
    return {
        name.replace(".", "_"): null(number)
        for name, number in zip(maker.feature_names, numbers, strict=True)
    }


def nested(maker, numbers):
    named = zip(maker.feature_ids, maker.feature_names, numbers, strict=True)
    return [
        {"feature_id": feature_id, "feature_name": name, "data": number}
        for feature_id, name, number in named
        if not math.isnan(number)
    ]


def null(number):
    return None if math.isnan(number) else float(number)

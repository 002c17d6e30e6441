"""Required: the fields without which a detector would quietly find nothing.

A cluster answers a search over a field that it does not know with no buckets and no error, which looks like data
that has stopped. So a detector that begins to run, or runs again after a failure, asks first.
"""

from detector.check.asking import Probe
from detector.check.fields import TIME_TYPES, check_fields
from detector.check.finding import Level
from detector.configuration.config import DetectorConfig
from storage.errors import BadRequest


def require_fields(config: DetectorConfig, probe: Probe) -> None:
    """Refuse a detector of which some field is not known to any index, or of a type that cannot serve.

    An index among several that lacks the time field is no reason: its documents do not count, as a search has it.

    Raises
    ------
    BadRequest
        Naming the fields. Nothing has been read then, so nothing is lost when it is mended.
    storage.errors.StorageError
        When an index does not exist, or the cluster cannot be asked.
    """
    time_types = probe.field_types(config.indices, [config.time_field]).types.get(config.time_field, {})
    if not time_types and not probe.field_types(config.indices).types:
        msg = (
            f"{_names(config)} holds no document and no field yet: nothing is read, and nothing lost, until it "
            "does; or correct `indices`"
        )
        raise BadRequest(msg)
    has_time = any(kind in TIME_TYPES for kind in time_types)
    errors = [
        finding
        for finding in check_fields(config, probe)
        if finding.level is Level.ERROR and not (has_time and finding.path == ("time_field",))
    ]
    if errors:
        msg = f"{_names(config)}: " + "; ".join(finding.message for finding in errors)
        raise BadRequest(msg)


def _names(config: DetectorConfig) -> str:
    return f"{'index' if len(config.indices) == 1 else 'indices'} {', '.join(config.indices)}"

"""The checks of one detector, in the order in which one would ask; a wrong answer ends what depends on it."""

from detector.check.asking import Probe
from detector.check.data import check_data, check_features
from detector.check.fields import check_fields, check_indices
from detector.check.finding import Finding, Level
from detector.check.history import check_cost, check_entities, check_history
from detector.configuration.config import DetectorConfig


def check_detector(config: DetectorConfig, probe: Probe, own_prefix: str, now_ms: int) -> list[Finding]:
    """Ask a cluster everything about a detector that can be known before it runs.

    Parameters
    ----------
    config
        The detector.
    probe
        The cluster.
    own_prefix
        How the names of Outrider's own indices begin.
    now_ms
        The present (epoch ms): documents dated later do not count.

    Raises
    ------
    storage.errors.StorageError
        If the cluster cannot be asked.
    """
    findings = check_indices(config, probe, own_prefix)
    if has_error(findings):
        return findings
    fields = check_fields(config, probe)
    findings += fields
    if has_error(fields):
        return findings
    data, span = check_data(config, probe, now_ms)
    findings += data
    if span is None:
        return findings
    features = check_features(config, probe, span)
    findings += [*features, check_history(config, probe, span), *check_entities(config, probe, span)]
    return findings if has_error(features) else [*findings, check_cost(config, probe, span)]


def has_error(findings: list[Finding]) -> bool:
    """Say whether something must be mended."""
    return any(finding.level is Level.ERROR for finding in findings)

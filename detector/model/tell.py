"""What a verdict says of an alarm beside its grade: which metrics made it, in what, and since when.

Alarms are rare, so this is compiled aside: what runs at every row stays small.
"""

from detector.forest.kernels.kernel import aside, inner
from detector.model.attribution import attribute_departures, attribute_score, tell_traits
from detector.model.desk import Desk
from detector.model.routine import AS_USUAL
from detector.model.skew import bent
from detector.model.state import Models
from detector.model.threshold import Verdict
from detector.model.verdicts import ScoredBlock


@aside
def tell(
    models: Models,
    model: int,
    is_shingled: bool,  # noqa: FBT001 - kernels have no keywords
    desk: Desk,
    verdict: Verdict,
    scored: ScoredBlock,
    window: int,
    place: int,
) -> None:
    """Write what made the alarm of a row; call before the forest takes its point."""
    if verdict.departed:
        _tell_departures(models, model, desk, scored, window, place)
        return
    scored.lasted_ms[window, place] = verdict.lasted_ms
    attribute_score(models.forest, model, desk.scratch, desk.columns, scored.contribution[window, place])
    if not is_shingled:
        tell_traits(desk.columns, scored.trait[window, place])


@inner
def _tell_departures(
    models: Models, model: int, desk: Desk, scored: ScoredBlock, window: int, place: int
) -> None:
    """Write which metrics departed from their routine further than ever, and what that is in their own units."""
    attribute_departures(desk.times, scored.contribution[window, place])
    for metric in range(desk.times.shape[0]):
        if desk.times[metric] > 1.0 and desk.kind[metric] != AS_USUAL:
            skew = models.metric[model, metric]["transform"]["skew"]
            scored.departed[window, place, metric] = desk.kind[metric]
            scored.routine[window, place, metric] = bent(skew, desk.usual[metric])

"""The one kernel of the fleet: entity by entity, window by window, from values to verdicts.

A model is loaded into cache once for all the windows of a block, and the memory of the next ones is on its way
meanwhile. Nothing here depends on other models, on the composition of a block or on the clock. Knows neither
entities' names nor documents.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detector.forest.kernels.kernel import aside, inner, kernel
from detector.forest.kernels.prepare import NO_SLOT, Ahead, prepare_query
from detector.forest.kernels.scratch import Scratch
from detector.forest.kernels.update import score_keeping, take_kept
from detector.model.bars import Bars
from detector.model.desk import Desk, make_desk
from detector.model.expected import forecast, learn, predict, without_nonsense
from detector.model.pace import Pace, make_pace
from detector.model.parts import Parts, mute
from detector.model.prefetch import Lines, ask_for_past, ask_for_records, ask_for_shape
from detector.model.routine import departure_of, reset_routine
from detector.model.season import Record, Rhythm, enter, turn_to
from detector.model.shingle import push_shingle, write_shingle
from detector.model.skew import straightened
from detector.model.state import Models, forget_waiting, restart
from detector.model.surprise import excess_of, rarity_of
from detector.model.tell import tell
from detector.model.threshold import Verdict, Witness, confidence, judge
from detector.model.transform import FAR_OUT, N_COLUMNS, NOVEL, clean, freeze_scale, push, write_columns
from detector.model.verdicts import ScoredBlock
from detector.model.week import turn_to_hour, widened

ABSENT, WARMING_UP, SCORED, MISSING = 0, 1, 2, 3
"""Status of a row: not there or not newer than the model; there, but too few before it for a score; scored; there
without a value."""

PROVISIONAL = 32
"""Windows from which the scale is frozen for the time being."""

CATCH_UP = 5
"""Windows that waited and are learnt with each one after that: entities that start together, without history, must not
all be replayed in one window."""

FIRST_SCORED = PROVISIONAL * CATCH_UP // (CATCH_UP - 1)
"""The window that catches up, and so the first that is scored: the 40th, as in the plugin."""

MIN_WARM_UP, WARM_UP_SPREAD = 192, 128
"""The scale is frozen for good after 192 + (seed mod 128) windows:
half that measures worse, more does not measure better, and entities that start together must not all be
replayed in the same window."""

MAX_WARM_UP = MIN_WARM_UP + WARM_UP_SPREAD - 1

NOTHING_LEFT, TO_SCORE, TO_CATCH_UP, TO_REPLAY = 0, 1, 2, 3
"""What is left of a row after its first half."""


class Plan(NamedTuple):
    """What all models of a fleet have in common.

    Attributes
    ----------
    rhythm
        Slots and season.
    time_decay
        Rate at which forest and statistics forget, per window.
    interval_ms
        Nominal distance of two windows in milliseconds.
    shingle_size
        Windows in the forest's input; 0 = the five columns a metric.
    bars
        What an alarm takes.
    parts
        What the models are made of.
    """

    rhythm: Rhythm
    time_decay: float
    interval_ms: int
    shingle_size: int
    bars: Bars
    parts: Parts


class Rows(NamedTuple):
    """Rows of a block to be observed: arrays as in `Fleet.observe`.

    Of each window its slot, where in it it ends, and its place in the season, records of `PLACE`, shape (n_windows,).
    """

    models: NDArray[np.int64]
    end_times_ms: NDArray[np.int64]
    slots: NDArray[np.int64]
    into_ms: NDArray[np.int64]
    places: NDArray[np.void]
    values: NDArray[np.float64]
    present: NDArray[np.bool_]


@kernel
def walk(models: Models, lines: Lines, plan: Plan, rows: Rows, scored: ScoredBlock) -> None:
    """Observe a block and write the verdicts into `scored`."""
    if rows.models.shape[0] > 0 and rows.end_times_ms.shape[0] > 0:
        pace = make_pace(plan.time_decay, plan.interval_ms)
        _walk(models, lines, plan, pace, rows, scored, make_desk(models), make_desk(models))


@inner
def _walk(
    models: Models,
    lines: Lines,
    plan: Plan,
    pace: Pace,
    rows: Rows,
    scored: ScoredBlock,
    even: Desk,
    odd: Desk,
) -> None:
    """Take every row through its two halves; the first half of another model's row comes before the second of this.

    What the first half asks for is there when the second needs it. A model's next row has to wait for the second half
    of its last one.
    """
    n_windows = rows.end_times_ms.shape[0]
    n_cells = rows.models.shape[0] * n_windows
    left_even = left_odd = NOTHING_LEFT
    started = next_place = next_window = place = window = 0
    for cell in range(n_cells):
        is_last_of_model = window + 1 == n_windows
        while started < min(cell + 1 + is_last_of_model, n_cells):
            is_even = started & 1 == 0
            desk = even if is_even else odd
            left = _first_half(models, lines, plan, pace, rows, next_place, next_window, scored, desk)
            if is_even:
                left_even = left
            else:
                left_odd = left
            started += 1
            next_place, next_window = _following(next_place, next_window, n_windows)
        is_even = cell & 1 == 0
        left, left_next = (left_even, left_odd) if is_even else (left_odd, left_even)
        if left != NOTHING_LEFT:
            now, later = (even, odd) if is_even else (odd, even)
            ahead = _ahead(rows, place, window, left_next, later.scratch)
            _second_half(models, plan, pace, rows, place, window, left, scored, now, ahead)
        place, window = _following(place, window, n_windows)


@inner
def _following(place: int, window: int, n_windows: int) -> tuple[int, int]:
    """Return the row after one: all windows of a model come before the next model."""
    window += 1
    return (place + 1, 0) if window == n_windows else (place, window)


@inner
def _ahead(rows: Rows, place: int, window: int, left_next: int, later: Scratch) -> Ahead:
    """Return what to ask for: from the last row of a model on, the next one's points and the records of one more."""
    n_models, n_windows = rows.models.shape[0], rows.end_times_ms.shape[0]
    is_last = window + 1 == n_windows
    points_of, records_of = NO_SLOT, NO_SLOT
    if is_last and place + 1 < n_models and left_next == TO_SCORE:
        points_of = rows.models[place + 1]
    if is_last and place + 2 < n_models:
        records_of = rows.models[place + 2]
    return Ahead(points_of, later, records_of)


@inner
def _first_half(
    models: Models,
    lines: Lines,
    plan: Plan,
    pace: Pace,
    rows: Rows,
    place: int,
    window: int,
    scored: ScoredBlock,
    desk: Desk,
) -> int:
    """Say what is expected, learn what came, and take the point down the trees; return what is left to do."""
    if window == 0 and place + 2 < rows.models.shape[0]:
        _ask_ahead(models, lines, plan, rows, rows.models[place + 2])
    model, time_ms = rows.models[place], rows.end_times_ms[window]
    course = models.model[model]["course"]
    if not rows.present[window, place] or time_ms <= course["last_ms"]:
        return NOTHING_LEFT
    course["last_ms"] = time_ms
    n_known = clean(rows.values[window, place], desk.row)
    _count(course, n_known / desk.row.shape[0], pace.time_decay)
    _turn_to(models, plan.rhythm, model, rows.slots[window])
    _expect(models, rows, model, window, place, scored, desk)
    scored.status[window, place] = WARMING_UP if n_known > 0 else MISSING
    if n_known == 0:
        return NOTHING_LEFT
    n_points = course["n_points"] + 1
    course["n_points"] = n_points
    warm_up = _warm_up(course["seed"]) if plan.parts.freezes_again else FIRST_SCORED
    if n_points <= warm_up:
        _wait(models, model, n_points - 1, time_ms, rows.slots[window], desk)
        if n_points == warm_up:
            return TO_REPLAY
        if n_points <= FIRST_SCORED:
            _enter_season(models, model, desk)
            return TO_CATCH_UP if n_points > PROVISIONAL else NOTHING_LEFT
    _enter_columns(models, plan, model, desk, True)  # noqa: FBT003 - kernels have no keywords
    _enter_season(models, model, desk)
    _describe(models, plan, model, desk)
    return TO_SCORE


@inner
def _ask_ahead(models: Models, lines: Lines, plan: Plan, rows: Rows, model: int) -> None:
    """Ask for what the first window of a model needs beside the forest."""
    slot, into_ms = rows.slots[0], rows.into_ms[0]
    ask_for_records(lines, model)
    ask_for_shape(models.shape, model, rows.places[0])
    if plan.rhythm.lag > 0 and into_ms < plan.interval_ms:
        ask_for_past(models.ring, plan.rhythm, model, slot)


@inner
def _turn_to(models: Models, rhythm: Rhythm, model: int, slot: int) -> None:
    """Look up what was a day and a week before a slot."""
    record, metrics = models.model[model], models.metric[model]
    if turn_to(models.ring, rhythm, model, record["season"], metrics, slot):
        turn_to_hour(models.week, rhythm, model, record["week"], metrics, slot)


@inner
def _warm_up(seed: int) -> int:
    """Return the row at which the scale is frozen for good."""
    return int(MIN_WARM_UP + np.int64(seed % np.uint64(WARM_UP_SPREAD)))


@inner
def _count(course: Record, known: float, time_decay: float) -> None:
    """Enter the share of known values of a row into the data quality."""
    weight = max(time_decay, 1.0 / float(course["n_rows"] + 1))
    course["quality"] += weight * (known - course["quality"])
    course["n_rows"] += 1


@inner
def _expect(
    models: Models,
    rows: Rows,
    model: int,
    window: int,
    place: int,
    scored: ScoredBlock,
    desk: Desk,
) -> None:
    """Write expectation and band of every metric, then let them learn from the values that are there.

    How far they fell outside is compared with a season ago and with what is usual, and they with their routine.
    """
    excess = 0.0
    moment = rows.places[window]
    for metric in range(desk.row.shape[0]):
        band = models.metric[model, metric]["expected"]
        past_middle = models.metric[model, metric]["season"]["past_middle"]
        predict(band, past_middle, desk.panel)
        said = forecast(band, desk.panel)
        told = without_nonsense(band, said)
        scored.expected[window, place, metric] = told.expected
        scored.lower[window, place, metric] = told.lower
        scored.upper[window, place, metric] = told.upper
        scored.basis[window, place, metric] = told.basis
        desk.times[metric] = 0.0
        if not np.isnan(desk.row[metric]):
            excess = max(excess, excess_of(said, desk.row[metric]))
            learn(band, past_middle, desk.panel, said, desk.row[metric])
            routine = models.metric[model, metric]["routine"]
            value = straightened(models.metric[model, metric]["transform"]["skew"], desk.row[metric])
            departure = departure_of(models.shape, model, metric, routine, moment, value)
            desk.times[metric], desk.usual[metric] = departure.times, departure.usual
            desk.kind[metric] = departure.kind
    record = models.model[model]
    season = record["season"]
    desk.excess[0] = excess
    desk.rarity[0] = rarity_of(record["surprise"], excess - season["past_top_excess"])
    season["top_excess"] = max(season["top_excess"], excess)


@inner
def _wait(models: Models, model: int, place: int, time_ms: int, slot: int, desk: Desk) -> None:
    """Keep a row for the replay."""
    models.waiting.times_ms[model, place] = time_ms
    models.waiting.slots[model, place] = slot
    for metric in range(desk.row.shape[0]):
        models.waiting.values[model, place, metric] = desk.row[metric]


@inner
def _enter_season(models: Models, model: int, desk: Desk) -> None:
    """Enter a row into slot and hour being filled."""
    for metric in range(desk.row.shape[0]):
        if not np.isnan(desk.row[metric]):
            enter(models.metric[model, metric]["season"], desk.row[metric])
            enter(models.metric[model, metric]["week"], desk.row[metric])


@inner
def _enter_columns(
    models: Models,
    plan: Plan,
    model: int,
    desk: Desk,
    has_past: bool,  # noqa: FBT001 - kernels have no keywords
) -> None:
    """Enter a row into the columns; without a past it is compared with no season."""
    desk.reach[0] = 0.0
    for metric in range(desk.row.shape[0]):
        record, value = models.metric[model, metric], desk.row[metric]
        columns, span = record["transform"], record["season"]
        if not np.isnan(value):
            low, high = (span["past_low"], span["past_high"]) if has_past else (np.inf, -np.inf)
            if has_past and plan.parts.has_week:
                low, high = widened(record["week"], low, high, value)
            desk.reach[0] = max(desk.reach[0], push(columns, low, high, value))
        if plan.shingle_size > 0:
            push_shingle(models.shingle, model, metric, columns["last"], columns["pushed"])


@inner
def _describe(models: Models, plan: Plan, model: int, desk: Desk) -> None:
    """Write the point of the row just entered, and take it down the trees."""
    for metric in range(desk.row.shape[0]):
        columns = models.metric[model, metric]["transform"]
        if plan.shingle_size > 0:
            write_shingle(models.shingle, model, metric, columns, desk.point)
        else:
            write_columns(columns, desk.point, metric * N_COLUMNS)
            mute(plan.parts, desk.point, metric * N_COLUMNS)
    prepare_query(models.forest, model, desk.point, desk.scratch)


@inner
def _second_half(
    models: Models,
    plan: Plan,
    pace: Pace,
    rows: Rows,
    place: int,
    window: int,
    left: int,
    scored: ScoredBlock,
    desk: Desk,
    ahead: Ahead,
) -> None:
    """Score, judge and learn a row; where a scale is frozen, after all those that waited, of which it is the last."""
    model, time_ms = rows.models[place], rows.end_times_ms[window]
    if left != TO_SCORE and not _catch_up(models, plan, pace, model, left == TO_REPLAY, desk):
        return
    course = models.model[model]["course"]
    score = score_keeping(models.forest, model, desk.scratch, ahead)
    verdict = _judge(models, plan, pace, model, time_ms, score, _witness(desk), True)  # noqa: FBT003
    scored.status[window, place] = SCORED
    scored.score[window, place] = score
    scored.grade[window, place] = verdict.grade
    scored.threshold[window, place] = verdict.threshold
    certainty = confidence(course["n_points"], course["quality"], pace)
    scored.confidence[window, place] = verdict.trust * certainty
    if verdict.grade > 0.0:
        tell(models, model, plan.shingle_size > 0, desk, verdict, scored, window, place)
    take_kept(models.forest, model, desk.scratch, pace.time_decay)
    if left == TO_REPLAY:
        forget_waiting(models.waiting, model)


@aside
def _catch_up(
    models: Models,
    plan: Plan,
    pace: Pace,
    model: int,
    is_replay: bool,  # noqa: FBT001 - kernels have no keywords
    desk: Desk,
) -> bool:
    """Learn rows that waited: in a replay all of them, else a few; return whether the one at hand is next.

    Then it is taken up as well.
    """
    n_points = models.model[model]["course"]["n_points"]
    first, end = 0, n_points
    if is_replay:
        _freeze(models, plan, model, n_points, desk)
        restart(models, model)
    else:
        first, end = CATCH_UP * (n_points - PROVISIONAL - 1), CATCH_UP * (n_points - PROVISIONAL)
        if first == 0:
            _freeze(models, plan, model, PROVISIONAL, desk)
    nobody = Ahead(NO_SLOT, desk.scratch, NO_SLOT)
    for index in range(first, end):
        _take_up(models, plan, model, index, is_replay, desk)
        if index + 1 == n_points:
            return True
        time_ms = models.waiting.times_ms[model, index]
        score = score_keeping(models.forest, model, desk.scratch, nobody)
        # They were compared with bands and routines when they came; only what the last one is like is at hand.
        witness = Witness(desk.reach[0] > NOVEL, 0.0, 0.0, False)  # noqa: FBT003
        _judge(models, plan, pace, model, time_ms, score, witness, is_replay)
        take_kept(models.forest, model, desk.scratch, pace.time_decay)
    return False


@inner
def _witness(desk: Desk) -> Witness:
    """Return what is known of the row at hand beside its score."""
    reach, departure = desk.reach[0], 0.0
    # The methods of arrays would count references.
    for metric in range(desk.times.shape[0]):
        departure = max(departure, desk.times[metric])
    return Witness(reach > NOVEL, desk.rarity[0], departure, reach >= FAR_OUT and desk.excess[0] == 0.0)


@inner
def _judge(
    models: Models,
    plan: Plan,
    pace: Pace,
    model: int,
    time_ms: int,
    score: float,
    witness: Witness,
    has_past: bool,  # noqa: FBT001 - kernels have no keywords
) -> Verdict:
    """Judge a score, and enter it into the season; a row that catches up has neither past nor place in it."""
    moment = models.model[model]["season"]
    past = moment["past_top_score"] if has_past else 0.0
    alarm, rest_ms = models.model[model]["alarm"], plan.rhythm.rest_ms
    verdict = judge(alarm, past, pace, plan.bars, rest_ms, time_ms, score, witness)
    if has_past:
        moment["top_score"] = max(moment["top_score"], score)
    return verdict


@inner
def _freeze(models: Models, plan: Plan, model: int, n_rows: int, desk: Desk) -> None:
    """Freeze the scale of every metric with the first rows that waited."""
    for metric in range(models.metric.shape[1]):
        columns = models.metric[model, metric]["transform"]
        values = models.waiting.values[model, :, metric]
        freeze_scale(columns, values, n_rows, plan.parts.straightens, desk.known, desk.means)
        if columns["skew"]["unit"] != 0.0:
            # Its values are others from now on.
            reset_routine(models.shape, model, metric, models.metric[model, metric]["routine"])


@inner
def _take_up(
    models: Models,
    plan: Plan,
    model: int,
    index: int,
    has_past: bool,  # noqa: FBT001 - kernels have no keywords
    desk: Desk,
) -> None:
    """Enter a row that waited, and take its point down the trees.

    With a past the season starts again as well; a model that catches up has it already, and is compared with none: what
    was a season before a row that waited is not kept.
    """
    for metric in range(models.metric.shape[1]):
        desk.row[metric] = models.waiting.values[model, index, metric]
    if has_past:
        _turn_to(models, plan.rhythm, model, models.waiting.slots[model, index])
    _enter_columns(models, plan, model, desk, has_past)
    if has_past:
        _enter_season(models, model, desk)
    _describe(models, plan, model, desk)

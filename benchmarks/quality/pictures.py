"""Pictures of the quality benchmark as SVG: a stream with band, flags and labels, and curves over rows.

Needs matplotlib, which comes with the extra `bench`.
"""

import io
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter
from numpy.typing import NDArray

INK, FAINT, BAND, LABEL = "#1d3b53", "#8a97a3", "#bcd7ee", "#fbe3b5"
RIGHT, FALSE, MISSED = "#1a7f5a", "#c8372d", "#c77700"
CURVES = ("#1d3b53", "#c8372d", "#1a7f5a", "#c77700")

N_COLUMNS = 900
"""Points along a picture: more than that is drawn as the range of what falls together."""

STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "outrider",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.edgecolor": FAINT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.labelcolor": INK,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.titlelocation": "left",
    "axes.titlecolor": INK,
}


class Stream(NamedTuple):
    """One metric of one stream and what a model said of it.

    Attributes
    ----------
    title
        Above the picture.
    times_ms
        Window starts, epoch milliseconds, int64, shape (n_windows,).
    values, lower, upper, grade
        Float64, shape (n_windows,), NaN = none.
    spans
        First and last time of what is labelled, epoch milliseconds, and its name.
    uncounted_ms
        Time before which nothing counts.
    """

    title: str
    times_ms: NDArray[np.int64]
    values: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    grade: NDArray[np.float64]
    spans: tuple[tuple[int, int, str], ...]
    uncounted_ms: int


class Curve(NamedTuple):
    """Points of a curve, and what the seeds reached there."""

    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]


def stream_picture(stream: Stream, *, height: float = 2.9) -> bytes:
    """Return an SVG: value and band above, with labels and flags; grades below."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(11, height), layout="constrained")
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[5, 1])
        _draw_values(top, stream)
        _draw_flags(top, bottom, stream)
        top.set_title(stream.title, fontsize=10)
        bottom.set_ylim(0, 1)
        bottom.set_yticks([0, 1])
        bottom.set_ylabel("grade")
        locator = AutoDateLocator(minticks=4, maxticks=10)
        bottom.xaxis.set_major_locator(locator)
        bottom.xaxis.set_major_formatter(ConciseDateFormatter(locator))
        bottom.set_xlim(_day(stream.times_ms[0]), _day(stream.times_ms[-1]))
        return _svg(figure)


def _draw_values(axes: Axes, stream: Stream) -> None:
    column = np.linspace(0, N_COLUMNS, len(stream.values), endpoint=False).astype(np.int64)
    starts = np.flatnonzero(np.diff(column, prepend=-1))
    times = _day(stream.times_ms[starts])
    with np.errstate(invalid="ignore"):
        low, high = (pick.reduceat(stream.values, starts) for pick in (np.fmin, np.fmax))
        lower = np.fmin.reduceat(stream.lower, starts)
        upper = np.fmax.reduceat(stream.upper, starts)
    for start, end, name in stream.spans:
        axes.axvspan(_day(start), _day(end), color=LABEL, lw=0, zorder=0)
        place = (_day(start), 0.99)
        axes.annotate(
            name, place, xycoords=("data", "axes fraction"), va="top", ha="right", fontsize=7, color=INK
        )
    axes.fill_between(times, lower, upper, color=BAND, lw=0, zorder=1, label="band")
    axes.plot(np.repeat(times, 2), np.column_stack([low, high]).ravel(), color=INK, lw=0.7, zorder=2)
    if stream.uncounted_ms > stream.times_ms[0]:
        axes.axvspan(times[0], _day(stream.uncounted_ms), color="#ffffff", alpha=0.6, lw=0, zorder=3)
    _limit(axes, stream.values)
    axes.yaxis.set_major_formatter(EngFormatter(sep=""))
    axes.margins(x=0)


def _limit(axes: Axes, values: NDArray[np.float64]) -> None:
    """Show all values; a band that leaves them by far is cut."""
    low, high = np.nanmin(values), np.nanmax(values)
    room = 0.12 * (high - low) or 1.0
    axes.set_ylim(low - room, high + 1.6 * room)


def _draw_flags(top: Axes, bottom: Axes, stream: Stream) -> None:
    """Mark each alarm by whether it is right, false or not counted; outline a label without one."""
    flags = np.flatnonzero(np.nan_to_num(stream.grade) > 0)
    times = stream.times_ms[flags]
    inside = np.zeros(len(flags), np.bool_)
    for start, end, _ in stream.spans:
        hit = (times >= start) & (times <= end)
        inside |= hit
        if not hit.any() and end > stream.uncounted_ms:
            top.axvspan(_day(start), _day(end), fill=False, ec=MISSED, lw=1.2, ls="--", zorder=4)
    uncounted = times < stream.uncounted_ms
    for chosen, colour in ((inside & ~uncounted, RIGHT), (~inside & ~uncounted, FALSE), (uncounted, FAINT)):
        rows = flags[chosen]
        place = stream.values[rows]
        top.plot(
            _day(stream.times_ms[rows]),
            place,
            ls="",
            marker="o",
            ms=5,
            mfc="none",
            mec=colour,
            mew=1.5,
            zorder=5,
        )
        bottom.vlines(_day(stream.times_ms[rows]), 0, stream.grade[rows], color=colour, lw=1.8)


def curves_picture(
    title: str,
    x_label: str,
    y_label: str,
    curves: Mapping[str, Curve],
    *,
    is_log: bool = False,
) -> bytes:
    """Return an SVG of curves by name."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(5.2, 3.0), layout="constrained")
        axes = figure.subplots()
        for (name, (x, y, low, high)), colour in zip(sorted(curves.items()), CURVES, strict=False):
            axes.fill_between(x, low, high, color=colour, alpha=0.15, lw=0)
            axes.plot(x, y, color=colour, lw=1.6, marker="o", ms=4, label=name)
        if is_log:
            axes.set_xscale("log")
        ticks = sorted({place for curve in curves.values() for place in curve.x})
        axes.set_xticks(ticks, labels=[f"{tick:,g}" for tick in ticks])
        axes.minorticks_off()
        axes.set_ylim(bottom=0)
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        axes.set_title(title, fontsize=10)
        axes.grid(axis="y", color="#e6eaee", lw=0.8)
        axes.set_axisbelow(True)
        axes.legend(frameon=False, fontsize=8)
        return _svg(figure)


def _day(times_ms: NDArray[np.int64] | int) -> NDArray[np.float64]:
    """Return days since the epoch, as matplotlib counts them."""
    return np.asarray(times_ms) / 86_400_000


def _svg(figure: Figure) -> bytes:
    target = io.BytesIO()
    figure.savefig(target, format="svg", metadata={"Date": None})
    return target.getvalue()

"""Draws the lines of `benchmarks.tradeoff`: `python -m benchmarks.tradeoff_plot docs/tradeoff.svg < lines.jsonl`."""

import json
import sys
from collections import defaultdict
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from detector.model.fleet import N_TREES, SAMPLE_SIZE

Lines = dict[int, dict[int, dict[str, dict[str, float]]]]
"""Line of each metric, by samples and trees."""

COLOURS = {64: "#9ecae1", 128: "#4292c6", 256: "#084594", 512: "#f16913"}
INK, FAINT = "#333333", "#dddddd"

PANELS = (
    ("NAB, own decision", "nab_standard_fixed"),
    ("false flags on NAB", "nab_false_flags"),
    ("cold points a second, of the default's", "cold_points_per_second"),
    ("noisy cosine, average precision of the score", "cosine_1_average_precision"),
)


def read() -> Lines:
    """Read the lines on standard input."""
    found: Lines = defaultdict(lambda: defaultdict(dict))
    for text in sys.stdin:
        if text.startswith("{"):
            line = json.loads(text)
            n_trees, sample_size = map(int, line["case"].split("x"))
            found[sample_size][n_trees][line["metric"]] = line
    return found


def draw(axes: Axes, lines: Lines, title: str, metric: str) -> None:
    """Draw one metric over the bytes of a model: a curve a sample size, a point a number of trees."""
    for sample_size, by_trees in sorted(lines.items()):
        trees = sorted(by_trees)
        kilobytes = [by_trees[n]["forest_bytes"]["ours"] / 1000 for n in trees]
        rows = [by_trees[n][metric] for n in trees]
        key = "ratio" if "ratio" in rows[0] else "ours"
        values = [row[key] for row in rows]
        colour = COLOURS.get(sample_size, INK)
        if key == "ours" and any(row["low"] != row["high"] for row in rows):
            low = [value - row["low"] for value, row in zip(values, rows, strict=True)]
            high = [row["high"] - value for value, row in zip(values, rows, strict=True)]
            axes.errorbar(
                kilobytes, values, yerr=[low, high], fmt="none", ecolor=colour, alpha=0.3, linewidth=1
            )
        axes.plot(
            kilobytes,
            values,
            "o-",
            color=colour,
            markersize=3.5,
            linewidth=1.2,
            label=f"{sample_size} samples",
        )
        if sample_size == SAMPLE_SIZE and N_TREES in trees:
            place = trees.index(N_TREES)
            axes.plot(kilobytes[place], values[place], "o", color=colour, markersize=9, fillstyle="none")
    axes.set_title(title, fontsize=10, loc="left", color=INK)
    axes.set_xscale("log")
    axes.set_xticks([10, 30, 100, 300, 1000], ["10", "30", "100", "300", "1,000"])
    axes.minorticks_off()
    axes.grid(color=FAINT, linewidth=0.6)
    axes.tick_params(labelsize=8, colors=INK)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def main(path: Path) -> None:
    """Draw all panels and write the picture."""
    mpl.rcParams |= {"svg.hashsalt": "outrider", "svg.fonttype": "none"}
    lines = read()
    figure = Figure(figsize=(10, 7), layout="constrained")
    panels = figure.subplots(2, 2)
    for axes, (title, metric) in zip(panels.ravel(), PANELS, strict=True):
        draw(axes, lines, title, metric)
    panels[1, 0].set_yscale("log")
    panels[1, 0].set_yticks([0.125, 0.25, 0.5, 1, 2, 4, 8], ["1/8", "1/4", "1/2", "1", "2", "4", "8"])
    panels[1, 0].minorticks_off()
    for axes in panels[1]:
        axes.set_xlabel("kilobytes a model (one metric)", fontsize=9, color=INK)
    panels[0, 0].legend(fontsize=8, frameon=False, loc="lower right")
    figure.suptitle(
        "10 to 100 trees along each curve; bars: range of the seeds; ring: the default", fontsize=9, color=INK
    )
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""Draws `bench/results/*.json` as PNG beside them. `python -m bench.plots`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot
from matplotlib.axes import Axes

RESULTS = Path(__file__).parent / "results"
FLOOR, LINE = "#9aa5b1", "#1f5f99"

Rows = list[dict[str, Any]]


def bars(axes: Axes, rows: Rows, label: str, floor: str, line: str) -> None:
    """Floor and line side by side, a pair a row."""
    places = range(len(rows))
    below = axes.bar([n - 0.2 for n in places], [row[floor] for row in rows], 0.4, color=FLOOR, label="floor")
    above = axes.bar([n + 0.2 for n in places], [row[line] for row in rows], 0.4, color=LINE, label="payagent")
    for bar in (below, above):
        axes.bar_label(bar, fmt="%.3g", fontsize=8)
    axes.set_xticks(list(places), [str(row[label]) for row in rows])
    axes.legend(frameon=False)


def wait(axes: Any, rows: Rows) -> None:
    """The caller's wait."""
    for each, percent in zip(axes, ("p50", "p99"), strict=True):
        bars(each, rows, "calls", f"floor {percent}", f"line {percent}")
        each.set(title=f"the caller's wait, {percent}", xlabel="calls at once", ylabel="ms, less the model's own time")


def growth(axes: Any, rows: Rows) -> None:
    """Payments a second and waits."""
    at_once = [row["at once"] for row in rows]
    axes[0].plot(at_once, [row["payments/s"] for row in rows], "o-", color=LINE)
    axes[0].set(title="payments a second", xlabel="callers at once", xscale="log", ylim=0)
    axes[1].plot(at_once, [row["p50 wait ms"] for row in rows], "o-", color=FLOOR, label="p50")
    axes[1].plot(at_once, [row["p99 wait ms"] for row in rows], "o-", color=LINE, label="p99")
    axes[1].set(title="from a deed to the sentence it led to", xlabel="callers at once", ylabel="ms")
    axes[1].set(xscale="log", yscale="log")
    axes[1].legend(frameon=False)


def journal(axes: Any, rows: Rows) -> None:
    """Appends a second."""
    named = [row | {"who": f"{row['database']}, {row['callers']}"} for row in rows]
    bars(axes, named, "who", "raw appends/s", "journal appends/s")
    axes.set(title="appends a second (floor: the raw driver)", yscale="log", xlabel="database, callers at once")


def left(axes: Any, rows: Rows) -> None:
    """Memory after calls that are over."""
    axes.plot([row["calls over"] for row in rows], [row["MiB resident"] for row in rows], "o-", color=LINE)
    axes.set(title="what calls that are over leave", xlabel="calls begun and ended", ylabel="MiB resident", ylim=0)


PLOTS: dict[str, tuple[Callable[[Any, Rows], None], int]] = {
    "wait": (wait, 2),
    "growth": (growth, 2),
    "journal": (journal, 1),
    "left": (left, 1),
}
"""Who draws each, on how many panels."""


def main() -> None:
    """Draw whatever results there are."""
    for name, (draw, panels) in PLOTS.items():
        path = RESULTS / f"{name}.json"
        if path.exists():
            found = json.loads(path.read_text("utf-8"))
            figure, axes = pyplot.subplots(1, panels, figsize=(4.5 * panels + 1, 3.6), layout="constrained")
            draw(axes, found["rows"])
            figure.text(0.01, -0.04, found["machine"], fontsize=7, color="#555555")
            figure.savefig(path.with_suffix(".png"), dpi=120, bbox_inches="tight", metadata={"Software": None})
            pyplot.close(figure)


if __name__ == "__main__":
    main()

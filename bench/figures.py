"""Rows of figures: percentiles, a table to read, and a file that the plots are drawn from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that `percent` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def table(rows: Sequence[Mapping[str, object]]) -> str:
    """The rows as a Markdown table."""
    names = list(rows[0])
    lines = [names, ["---"] * len(names), *[[_shown(row[name]) for name in names] for row in rows]]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _shown(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) and abs(value) < 1000 else str(value)


def save(folder: Path | None, name: str, machine: str, rows: Sequence[Mapping[str, object]]) -> None:
    """Keep the rows as `folder`/`name`.json, if a folder is given."""
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"machine": machine, "rows": rows}, indent=1)
        (folder / f"{name}.json").write_text(f"{text}\n", "utf-8")

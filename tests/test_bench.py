"""Every bench runs, in miniature: what is counted adds up. How fast anything is, only a run of its own can say."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest

from bench import bill, figures, growth, journal, memory, payment, wait, workers

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="a server's cost is read from /proc")


@pytest.mark.parametrize(("pace", "most"), [("model", 10), ("automatic", 6)])
async def test_a_payment_costs_few_requests_to_the_model(pace: str, most: int) -> None:
    """Fixed sentences and most tools cost none, and each prompt begins with all that is stable of the one before."""
    requests = await bill.requests_of(pace)

    assert len(requests) <= most
    assert [bill.kept(*pair) for pair in pairwise(requests)] == [True] * (len(requests) - 1)
    assert bill.bill(pace, requests)["requests a payment"] == len(requests)


async def test_the_callers_wait() -> None:
    """Each turn of each call is waited for once, on the floor and on the line."""
    (row,) = await wait.compare([wait.Load(calls=2, turns=2, pause=0.2, chunks=3, between=0.01, first=0.01)], rounds=1)

    assert (row["calls"], row["turns"]) == (2, 4)
    assert row["line p50"] > 0 < row["floor p50"]


async def test_the_cpu_of_a_payment() -> None:
    """Floor and line lead the same callers through whole payments."""
    row = await payment.compare(payments=2, at_once=2, rounds=1)

    assert row["payments"] == 2
    assert row["CPU ratio"] > 0


async def test_growth() -> None:
    """A row for each number of callers at once, with at least two payments each."""
    rows = await growth.grow([1], payments=1)

    assert [(row["at once"], row["payments"]) for row in rows] == [(1, 2)]


async def test_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of live calls, and after calls that are over."""
    monkeypatch.setattr(memory, "SETTLE_SECONDS", 0.1)
    row, left = await memory.measure(calls=2, over=4, marks=2)

    assert row["live calls"] == 2
    assert [point["calls over"] for point in left] == [0, 2, 4]


@pytest.mark.needs("postgresql")
def test_appends_of_both_journals() -> None:
    """Beside the raw drivers, for one caller and for several at once."""
    rows = journal.measure([1, 2], steps=3)

    assert [(row["database"], row["callers"]) for row in rows] == [
        ("SQLite", 1),
        ("SQLite", 2),
        ("PostgreSQL", 1),
        ("PostgreSQL", 2),
    ]


@pytest.mark.needs("postgresql")
def test_workers() -> None:
    """A payment through two workers on PostgreSQL."""
    (row,) = workers.measure([2], payments=1, at_once=1)

    assert (row["workers"], row["payments"]) == (2, 1)


def test_figures(tmp_path: Path) -> None:
    """Percentiles are values that occurred; rows are kept as they are shown."""
    rows = [{"calls": 2, "ms": 1.234567}]
    figures.save(tmp_path, "rows", "this machine", rows)

    assert [figures.percentile([3, 1, 2], percent) for percent in (0, 50, 99)] == [1, 2, 3]
    assert figures.table(rows) == "| calls | ms |\n| --- | --- |\n| 2 | 1.23 |"
    assert json.loads((tmp_path / "rows.json").read_text()) == {"machine": "this machine", "rows": rows}

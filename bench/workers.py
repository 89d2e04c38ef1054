"""CPU of a payment on PostgreSQL for one worker and for two; the database's own is not counted.

Two cores carry the load, the database and the workers: no scaling can be read from it.
`python -m bench.workers --help`.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench import journal, payment
from bench.figures import percentile, save, table
from bench.processes import machine


async def row(url: str, workers: int, payments: int, at_once: int) -> dict[str, object]:
    """A row of figures."""
    with tempfile.TemporaryDirectory() as folder:
        settings = {"DATABASE_URL": url, "JOURNAL_KEY": "a key for the bench"}
        async with payment.ours(Path(folder), 2 * payments, workers, **settings) as under:
            await payment.measure(under, 0, payments, at_once)  # warm, and not counted
            paid = await payment.measure(under, payments, payments, at_once)
    return {
        "workers": workers,
        "payments": payments,
        "ms of CPU a payment": 1000 * paid.cpu / payments,
        "payments/s": payments / paid.wall,
        "p99 wait ms": 1000 * percentile(paid.waits, 99),
    }


def measure(numbers: Sequence[int], payments: int, at_once: int) -> list[dict[str, object]]:
    """A row for each number of workers; none where there is no PostgreSQL."""
    with journal.postgres() as make:
        return [asyncio.run(row(make(), number, payments, at_once)) for number in numbers] if make else []


def main() -> None:
    """Measure, print, save."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    options.add_argument("--payments", type=int, default=60)
    options.add_argument("--at-once", type=int, default=20)
    options.add_argument("--save", type=Path)
    given = options.parse_args()
    where = machine()
    rows = measure(given.workers, given.payments, given.at_once)
    print(where)
    if rows:
        print(table(rows))
        save(given.save, "workers", where, rows)


if __name__ == "__main__":
    main()

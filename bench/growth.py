"""How payments grow with the callers at once, until they bend: payments a second, waits, and who was busy.

`python -m bench.growth --help`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench import payment
from bench.figures import percentile, save, table
from bench.processes import machine, take_load_core


async def grow(steps: Sequence[int], payments: int) -> list[dict[str, float]]:
    """A row a step: that many callers at once, and at least `payments` payments."""
    rows, first, warm = [], 0, min(20, payments)
    total = sum(max(payments, 2 * at_once) for at_once in steps) + warm
    with tempfile.TemporaryDirectory() as folder:
        async with payment.ours(Path(folder), total) as under:
            await payment.measure(under, first, warm, 10)  # not counted
            first = warm
            for at_once in steps:
                number, busy = max(payments, 2 * at_once), sum(os.times()[:2])
                paid = await payment.measure(under, first, number, at_once)
                first += number
                rows.append(
                    {
                        "at once": at_once,
                        "payments": number,
                        "payments/s": number / paid.wall,
                        "p50 wait ms": 1000 * percentile(paid.waits, 50),
                        "p99 wait ms": 1000 * percentile(paid.waits, 99),
                        "ms of CPU a payment": 1000 * paid.cpu / number,
                        "line core": paid.cpu / paid.wall,
                        "load core": (sum(os.times()[:2]) - busy) / paid.wall,
                    }
                )
    return rows


def main() -> None:
    """Measure, print, save."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--at-once", type=int, nargs="+", default=[1, 2, 5, 10, 20, 50, 100, 200])
    options.add_argument("--payments", type=int, default=60, help="at least, a step")
    options.add_argument("--save", type=Path)
    given = options.parse_args()
    where = machine()
    take_load_core()
    rows = asyncio.run(grow(given.at_once, given.payments))
    print(where)
    print(table(rows))
    save(given.save, "growth", where, rows)


if __name__ == "__main__":
    main()

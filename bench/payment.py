"""CPU seconds of a completed payment call, beside a floor that says the same words and sends the same requests.

`python -m bench.payment --help`.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

from bench import line, model
from bench.callers import AFTER_CALLBACK, fill, pay_all
from bench.figures import percentile, save, table
from bench.processes import Server, machine, take_load_core
from payagent.lab.brain import Brain
from payagent.lab.model import ScriptedModel
from payagent.lab.serving import serve
from payagent.lab.twilio import StandInTwilio

SCALE = 0.001
"""Of the stand-in's own waits (ringing, the processor); the line's are Twilio's."""


@dataclass(frozen=True, slots=True)
class Under:
    """A server with everything it talks to."""

    server: Server
    twilio: StandInTwilio
    scripted: ScriptedModel


@dataclass(frozen=True, slots=True)
class Paid:
    """What a number of payments took: CPU and wall seconds, and the callers' waits."""

    payments: int
    cpu: float
    wall: float
    waits: tuple[float, ...]


@asynccontextmanager
async def ours(folder: Path, callers: int, workers: int = 1, **settings: str) -> AsyncIterator[Under]:
    """The line with a book of that many callers, the scripted model and the stand-in Twilio."""
    await fill(settings.get("DATABASE_URL") or folder / "payagent.db", callers)
    twilio, scripted = StandInTwilio(scale=SCALE), ScriptedModel(Brain())
    async with (
        serve(scripted) as origin,
        serve(twilio) as rest,
        twilio,
        line.several(folder, origin, rest, workers, DEMO_ACCOUNTS="no", **settings) as server,
    ):
        twilio.point_at(server.origin)
        yield Under(server, twilio, scripted)


@asynccontextmanager
async def floor(folder: Path) -> AsyncIterator[Under]:
    """The floor, with a model that answers at once with as many pieces as the scripted one does."""
    twilio, scripted = StandInTwilio(scale=SCALE), ScriptedModel(Brain())
    async with (
        model.serving(model.PacedModel(4, 0, 0)) as origin,
        serve(twilio) as rest,
        twilio,
        line.floor(folder, origin, rest, SCRIPT="payment") as server,
    ):
        twilio.point_at(server.origin)
        yield Under(server, twilio, scripted)


async def measure(under: Under, first: int, payments: int, at_once: int) -> Paid:
    """That many callers pay."""
    cpu, at = under.server.cpu_seconds(), perf_counter()
    charged = len(under.twilio.charges)
    waits = await pay_all(under.twilio, range(first, first + payments), at_once)
    wall = perf_counter() - at
    await under.twilio.settle()
    cpu = under.server.cpu_seconds() - cpu
    if len(under.twilio.charges) - charged != payments or under.twilio.violations:
        raise RuntimeError(f"{len(under.twilio.charges) - charged} charges, {under.twilio.violations[:3]}")
    return Paid(payments, cpu, wall, tuple(waits))


async def compare(payments: int, at_once: int, rounds: int, pace: str = "model") -> dict[str, float]:
    """Floor and line in turn, `rounds` times; one row of figures."""
    found: dict[str, list[Paid]] = {"floor": [], "line": []}
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        async with floor(Path(one)) as under, ours(Path(other), payments * (rounds + 1), PACE=pace) as line_up:
            for each in (under, line_up):  # warm, and not measured
                await measure(each, 0, min(payments, 10), at_once)
            for n in range(1, rounds + 1):
                for name, each in (("floor", under), ("line", line_up)):
                    found[name].append(await measure(each, n * payments, payments, at_once))
    pairs = list(zip(found["floor"], found["line"], strict=True))
    return {
        "payments": payments * rounds,
        "at once": at_once,
        "floor ms of CPU": median(1000 * each.cpu / each.payments for each in found["floor"]),
        "line ms of CPU": median(1000 * each.cpu / each.payments for each in found["line"]),
        "CPU ratio": median(above.cpu / below.cpu for below, above in pairs),
        "floor p50 ms, callback to sentence": _p50_after_callback(found["floor"]),
        "line p50 ms, callback to sentence": _p50_after_callback(found["line"]),
        "floor p99 wait ms": median(1000 * percentile(each.waits, 99) for each in found["floor"]),
        "line p99 wait ms": median(1000 * percentile(each.waits, 99) for each in found["line"]),
    }


def _p50_after_callback(rounds: list[Paid]) -> float:
    return median(1000 * percentile(each.waits[AFTER_CALLBACK], 50) for each in rounds)


def main() -> None:
    """Measure, print, save."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--payments", type=int, default=100, help="a round")
    options.add_argument("--at-once", type=int, default=20)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--save", type=Path)
    given = options.parse_args()
    where = machine()
    take_load_core()
    rows = [asyncio.run(compare(given.payments, given.at_once, given.rounds))]
    print(where)
    print(table(rows))
    save(given.save, "payment", where, rows)


if __name__ == "__main__":
    main()

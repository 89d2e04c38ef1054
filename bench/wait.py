"""The caller's wait: from their words to the first word of the answer, less the model's own time.

Each call speaks every few seconds and hears a streamed answer of 60 pieces, beside a floor that only pipes the same
stream. Both servers have one core for themselves; load and model share another. `python -m bench.wait --help`.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

import aiohttp

from bench import line, model
from bench.figures import percentile, save, table
from bench.processes import Server, machine, take_load_core


@dataclass(frozen=True, slots=True)
class Load:
    """`turns` turns of each of `calls` calls, `pause` seconds from one to the next, of `chunks` pieces each."""

    calls: int
    turns: int
    pause: float = 5.0
    chunks: int = 60
    between: float = 0.025
    first: float = 0.2


@dataclass(frozen=True, slots=True)
class Waits:
    """Milliseconds waited, one a turn, and the share of its core that the server used."""

    milliseconds: tuple[float, ...]
    core: float

    @property
    def p50(self) -> float:
        """Half of the turns waited no longer."""
        return percentile(self.milliseconds, 50)

    @property
    def p99(self) -> float:
        """All but one in a hundred waited no longer."""
        return percentile(self.milliseconds, 99)


async def measure(server: Server, paced: model.PacedModel, load: Load, first_call: int) -> Waits:
    """Play the load once."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        begun = asyncio.Barrier(load.calls + 1)
        calls = [
            asyncio.create_task(_call(http, server, paced, load, first_call + n, n, begun)) for n in range(load.calls)
        ]
        await begun.wait()
        cpu, at = server.cpu_seconds(), perf_counter()
        waits = await asyncio.gather(*calls)
        core = (server.cpu_seconds() - cpu) / (perf_counter() - at)
    return Waits(tuple(1000 * wait for each in waits for wait in each), core)


async def _call(
    http: aiohttp.ClientSession,
    server: Server,
    paced: model.PacedModel,
    load: Load,
    number: int,
    place: int,
    begun: asyncio.Barrier,
) -> list[float]:
    """One call's waits; the calls speak evenly spread over the pause."""
    waits = []
    async with line.relay(http, server, number) as socket:
        await begun.wait()
        start = perf_counter() + load.pause * place / load.calls
        for turn in range(load.turns):
            await asyncio.sleep(start + turn * load.pause - perf_counter())
            words = f"call {number} asks about turn {turn}"
            sent = perf_counter()
            await socket.send_json({"type": "prompt", "voicePrompt": words, "lang": "en-US", "last": True})
            waits.append(await _heard(socket, sent) - paced.took.pop(words))
    await line.hang_up(http, server, number)  # or what is left of it would be at work in the next round
    return waits


async def _heard(socket: aiohttp.ClientWebSocketResponse, sent: float) -> float:
    """Seconds to the first word; returns when the answer is over."""
    first = 0.0
    while True:
        text = await socket.receive_str()
        if not first and model.WORD in text:
            first = perf_counter() - sent
        if '"last":true' in text and first:
            return first


async def compare(loads: Sequence[Load], rounds: int, **settings: str) -> list[dict[str, float]]:
    """Play each load on floor and line in turn, `rounds` times; a row of figures a load."""
    rows, number = [], 0
    with tempfile.TemporaryDirectory() as folder:
        for load in loads:
            found: dict[str, list[Waits]] = {"floor": [], "line": []}
            paced = model.PacedModel(load.chunks, load.first, load.between)
            async with AsyncExitStack() as stack:
                origin = await stack.enter_async_context(model.serving(paced))
                floor = await stack.enter_async_context(line.floor(Path(folder), origin))
                ours = await stack.enter_async_context(line.serving(Path(folder), origin, **settings))
                for _ in range(rounds):
                    for name, server in (("floor", floor), ("line", ours)):
                        number += load.calls
                        found[name].append(await measure(server, paced, load, number))
            rows.append(_row(load, found["floor"], found["line"]))
    return rows


def _row(load: Load, floor: list[Waits], ours: list[Waits]) -> dict[str, float]:
    return {
        "calls": load.calls,
        "turns": load.turns * load.calls * len(ours),
        "floor p50": median(each.p50 for each in floor),
        "line p50": median(each.p50 for each in ours),
        "floor p99": median(each.p99 for each in floor),
        "line p99": median(each.p99 for each in ours),
        "p50 more by ms": median(line.p50 - under.p50 for line, under in zip(ours, floor, strict=True)),
        "p99 ratio": median(line.p99 / under.p99 for line, under in zip(ours, floor, strict=True)),
        "floor core": median(each.core for each in floor),
        "line core": median(each.core for each in ours),
    }


def main() -> None:
    """Measure, print, save."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--calls", type=int, nargs="+", default=[1, 50, 300])
    options.add_argument("--turns", type=int, default=6)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--database", default="sqlite:///payagent.db", help="of the line, as DATABASE_URL")
    options.add_argument("--save", type=Path)
    given = options.parse_args()
    where = machine()
    take_load_core()
    loads = [
        Load(calls, given.turns if calls > 10 else 4 * given.turns, 5.0 if calls > 10 else 2.0) for calls in given.calls
    ]
    rows = asyncio.run(compare(loads, given.rounds, DATABASE_URL=given.database))
    print(where)
    print(table(rows))
    save(given.save, "wait", where, rows)


if __name__ == "__main__":
    main()

"""Memory of a live call beyond its socket's, and what calls that are over leave behind.

`python -m bench.memory --help`.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp

from bench import line, model
from bench.figures import save, table
from bench.processes import Server, machine, take_load_core

SETTLE_SECONDS = 3.0
"""Longer than the sweep takes to let go of calls that are over."""
KIB = 1024


async def live(server: Server, calls: int, first: int) -> int:
    """Bytes a live call takes: its caller has spoken once and was answered."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http, AsyncExitStack() as stack:
        await _talk(http, stack, server, first, min(calls, 20))  # what the first calls load is not theirs
        before = server.memory()
        for start in range(0, calls, 50):
            await _talk(http, stack, server, first + 1000 + start, min(50, calls - start))
        await asyncio.sleep(0.5)
        return (server.memory() - before) // calls


async def _talk(http: aiohttp.ClientSession, stack: AsyncExitStack, server: Server, first: int, calls: int) -> None:
    sockets = await asyncio.gather(
        *[stack.enter_async_context(line.relay(http, server, first + n)) for n in range(calls)]
    )
    for n, socket in enumerate(sockets):
        await socket.send_json({"type": "prompt", "voicePrompt": f"hello {first + n}", "lang": "en-US", "last": True})
    await asyncio.gather(*[_answered(socket) for socket in sockets])


async def _answered(socket: aiohttp.ClientWebSocketResponse) -> None:
    spoke = False
    while True:
        text = await socket.receive_str()
        spoke = spoke or model.WORD in text
        if spoke and '"last":true' in text:
            return


async def ended(server: Server, calls: int, marks: int, at_once: int = 20) -> list[tuple[int, int]]:
    """Begin and end that many calls; the calls so far and the server's bytes, `marks` times on the way."""
    turn, points = asyncio.Semaphore(at_once), [(0, server.memory())]
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:

        async def one(n: int) -> None:
            async with turn, line.relay(http, server, 10_000_000 + n) as socket:
                await socket.send_json({"type": "prompt", "voicePrompt": f"hello {n}", "lang": "en-US", "last": True})
                await _answered(socket)
                await socket.close()
                await line.hang_up(http, server, 10_000_000 + n)

        for start in range(0, calls, calls // marks):
            stop = min(calls, start + calls // marks)
            await asyncio.gather(*[one(n) for n in range(start, stop)])
            await asyncio.sleep(SETTLE_SECONDS)
            points.append((stop, server.memory()))
    return points


async def measure(calls: int, over: int, marks: int) -> tuple[dict[str, object], list[dict[str, object]]]:
    """A row of a live call's memory, and rows of what calls that are over leave."""
    paced = model.PacedModel(3, 0, 0)
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        async with (
            model.serving(paced) as origin,
            line.floor(Path(one), origin) as floor,
            line.serving(Path(other), origin, SILENCE_SECONDS="3600") as ours,
        ):
            below, above = await live(floor, calls, 0), await live(ours, calls, 0)
            await asyncio.sleep(1)
            points = await ended(ours, over, marks)
    row = {
        "live calls": calls,
        "floor KiB a call": below / KIB,
        "line KiB a call": above / KIB,
        "beyond the socket KiB": (above - below) / KIB,
    }
    return row, [{"calls over": n, "MiB resident": size / KIB**2} for n, size in points]


def main() -> None:
    """Measure, print, save."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--live", type=int, default=500)
    options.add_argument("--over", type=int, default=30_000)
    options.add_argument("--marks", type=int, default=15)
    options.add_argument("--save", type=Path)
    given = options.parse_args()
    where = machine()
    take_load_core()
    row, left = asyncio.run(measure(given.live, given.over, given.marks))
    print(where)
    print(f"{table([row])}\n\n{table(left)}")
    save(given.save, "memory", where, [row])
    save(given.save, "left", where, left)


if __name__ == "__main__":
    main()

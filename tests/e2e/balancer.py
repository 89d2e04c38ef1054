"""A balancer without sticky sessions: every connection goes to the worker that `choose` names for its path.

It asks the worker to close after each answer, so that the next request is a choice of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

Choose = Callable[[str], str]
"""From a request's path to the origin of the worker that gets it."""

HEAD = 64 * 1024


class Balancer:
    """`choose` may be changed at any time; `seen` has what went where, in order."""

    def __init__(self, choose: Choose) -> None:
        self.choose = choose
        self.seen: list[tuple[str, str]] = []
        self.origin = ""
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A connection has come."""
        task = asyncio.create_task(self._pass_on(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = [writer]
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ", 2)[1].decode()
            origin = self.choose(path)
            self.seen.append((path, origin))
            host, _, port = origin.removeprefix("http://").rpartition(":")
            up_reader, up_writer = await asyncio.open_connection(host, int(port))
            ends.append(up_writer)
            if b"upgrade: websocket" not in head.lower():
                head = head.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
                head = head.replace(b"Connection: keep-alive\r\n", b"")
            up_writer.write(head)
            await asyncio.gather(_copy(reader, up_writer), _copy(up_reader, writer))
        for end in ends:
            end.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(HEAD):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def balancing(choose: Choose) -> AsyncIterator[Balancer]:
    """A balancer on a port of its own."""
    balancer = Balancer(choose)
    server = await asyncio.start_server(balancer.take, "127.0.0.1", 0, limit=HEAD)
    port = server.sockets[0].getsockname()[1]
    balancer.origin = f"http://127.0.0.1:{port}"
    try:
        yield balancer
    finally:
        server.close()
        await balancer.close()

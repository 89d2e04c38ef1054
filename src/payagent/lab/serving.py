"""Serves an ASGI app on loopback for as long as a block lasts.

`bind` first and `serve` later, when an app must know its own address before it is built.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn


@dataclass(frozen=True, slots=True)
class Listener:
    """A bound loopback socket and the origin (`http://127.0.0.1:port`) it will answer on."""

    socket: socket.socket
    origin: str


def bind(port: int = 0) -> Listener:
    """Take a loopback port; 0 lets the system choose.

    Raises:
        OSError: the port is taken.
    """
    # With the protocol named, asyncio turns Nagle's algorithm off; else every small answer may wait 40 ms for an ACK.
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(("127.0.0.1", port))
    except OSError:
        bound.close()
        raise
    return Listener(bound, f"http://127.0.0.1:{bound.getsockname()[1]}")


class _Server(uvicorn.Server):
    """A server that leaves the program's signals alone, says when it is up, and stops as soon as it is told to."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()
        self.stop = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets)
        except SystemExit:  # uvicorn's answer to a lifespan that failed
            self.should_exit = True
        self.up.set()

    async def main_loop(self) -> None:
        """Wait to be stopped; uvicorn would look for it every tenth of a second, and a rehearsal has three servers."""
        await self.on_tick(0)
        await self.stop.wait()


@asynccontextmanager
async def serve(app: Any, listener: Listener | None = None) -> AsyncIterator[str]:
    """Serve `app` and yield its origin.

    Raises:
        RuntimeError: the app's lifespan did not start.
    """
    listener = listener or bind()
    # permessage-deflate costs 37 KiB a socket and buys nothing on loopback (measured.md)
    config = uvicorn.Config(app, log_config=None, access_log=False, ws_per_message_deflate=False, ws_ping_interval=None)
    config.timeout_graceful_shutdown = 2
    config.timeout_keep_alive = 3600  # one closed just as it is used again would look like the app's fault
    server = _Server(config)
    running = asyncio.create_task(server.serve([listener.socket]))
    up = asyncio.create_task(server.up.wait())
    await asyncio.wait({running, up}, return_when=asyncio.FIRST_COMPLETED)
    up.cancel()
    try:
        if running.done() or server.should_exit:
            raise RuntimeError("the app did not start")
        yield listener.origin
    finally:
        server.stop.set()
        await running
        listener.socket.close()

"""Runs the line: one process or several on one socket, and each of them to its end in good order.

* SIGTERM drains: `/readyz` says so, so that the balancer sends new calls elsewhere; those that come all the same are
  taken. The process ends a moment after the last caller has left, at the latest after `DRAIN_SECONDS`: a relay that is
  closed then comes back at another worker. SIGINT, or a second SIGTERM, ends at once.
* Several workers are processes of their own on one listening socket. One that dies is replaced; one that cannot start
  ends all of them, since the next would fare no better; and without their parent they drain.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import sys
import tempfile
from contextlib import suppress
from types import FrameType

import structlog
import uvicorn
from starlette.applications import Starlette

from payagent.metrics import SHARED, worker_gone
from payagent.settings import Settings
from payagent.web.desk import Drain, FrontDesk

_log = structlog.get_logger("payagent.serving")

KEEP_ALIVE_SECONDS = 75
"""Longer than nginx and AWS's balancers keep a resting connection (60 s, unless told otherwise): this end must not be
the first to close it, or a callback is lost that is sent at that very moment."""

CLOSE_SECONDS = 5
"""What requests under way get when the sockets are closed."""

LAST_QUESTION_SECONDS = 1.0
"""After the last caller's relay is closed, Twilio asks what next; a process that is gone by then cannot say goodbye."""

AGAIN_SECONDS = 1.0
"""Before a worker that died is replaced: one that dies at once must not do so a thousand times a second."""

USAGE, STARTUP = 2, 3
"""Exit codes of a worker that cannot start: settings (ours), and the app or the socket (uvicorn's)."""


class DrainingServer(uvicorn.Server):
    """uvicorn's server, which drains before it closes."""

    def __init__(self, config: uvicorn.Config, app: Starlette, drain: Drain, seconds: float, *, parent: int) -> None:
        super().__init__(config)
        self._app = app
        self._drain = drain
        self._seconds = seconds
        self._parent = parent
        self._end = 0.0
        self._asked_until = 0.0
        self._told = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve; uvicorn itself says so only where it has opened the socket."""
        await super().startup(sockets)
        if sockets and self.started:
            _log.info("Uvicorn running on the workers' socket")

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal asks for the end."""
        if sig != signal.SIGTERM or self._drain.begun or not self.started:
            super().handle_exit(sig, frame)
        else:
            self._begin()

    def _begin(self) -> None:
        self._drain.begun = True
        self._end = asyncio.get_running_loop().time() + self._seconds

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second; whether to end."""
        if self._parent and os.getppid() != self._parent and not self._drain.begun:
            self._begin()
        if self._drain.begun and not self._told:  # not by the signal's handler: a line in the midst of a line is lost
            self._told = True
            _log.info("draining", callers=self._callers(), longest=self._seconds)
        if self._drain.begun and self._is_over(asyncio.get_running_loop().time()):
            self.should_exit = True
        return await super().on_tick(counter)

    def _is_over(self, now: float) -> bool:
        if self._callers():
            self._asked_until = now + LAST_QUESTION_SECONDS
            return now >= self._end
        return now >= min(self._end, self._asked_until)

    def _callers(self) -> int:
        desk: FrontDesk = self._app.state.desk
        return desk.switchboard.callers


def serve(app: Starlette, settings: Settings, drain: Drain, descriptor: int | None = None) -> None:
    """Run one process; on an open socket, if its descriptor is given."""
    config = uvicorn.Config(
        app,
        host=settings.listen_address,
        port=settings.port,
        log_config=None,
        access_log=False,
        ws_per_message_deflate=False,
        ws_max_size=128 * 1024,
        ws_ping_interval=30,
        ws_ping_timeout=60,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=CLOSE_SECONDS,
        server_header=False,
    )
    _settle_memory()
    # uvicorn shuts down in good order and then sends itself the signal again: the end that was asked for is no failure.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    sockets = None if descriptor is None else [socket.socket(fileno=descriptor)]
    parent = 0 if descriptor is None else os.getppid()
    server = DrainingServer(config, app, drain, settings.drain_seconds, parent=parent)
    server.run(sockets)
    if not server.started:
        sys.exit(STARTUP)


def _settle_memory() -> None:
    """What is loaded by now stays: a full collection of garbage passes over it, and is seldom needed for the rest."""
    import openai  # noqa: F401 - what the line would load when it opens
    import twilio.rest  # noqa: F401

    gc.collect()
    gc.freeze()
    # What a call leaves in circles has grown old by its end, and goes in full collections only.
    gc.set_threshold(10_000, 20, 3)


def serve_many(settings: Settings, workers: int) -> int:
    """Run so many processes of `payagent serve` on one socket; the exit status.

    Raises:
        OSError: the socket cannot be opened.
    """
    with (
        socket.create_server((settings.listen_address, settings.port), backlog=2048) as listening,
        tempfile.TemporaryDirectory(prefix="payagent-metrics-") as shared,
    ):
        os.environ.setdefault(SHARED, shared)
        return asyncio.run(Workers(listening, workers).run())


COMMAND = (sys.executable, "-m", "payagent", "serve", "--socket")


class Workers:
    """So many processes on the socket; `command` gets its descriptor for a last argument."""

    def __init__(self, listening: socket.socket, number: int, command: tuple[str, ...] = COMMAND) -> None:
        self._listening = listening
        self._number = number
        self._command = command
        self._running: set[asyncio.subprocess.Process] = set()
        self._stopping = False
        self._status = 0

    async def run(self) -> int:
        """Until all have ended; the exit status."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop, number)
        address, port = self._listening.getsockname()[:2]
        _log.info("workers are starting", workers=self._number, address=address, port=port)
        await asyncio.gather(*(self._keep_one() for _ in range(self._number)))
        return self._status

    def _stop(self, number: int) -> None:
        """Pass the signal on; the workers drain, and none is replaced."""
        self._stopping = True
        for process in self._running:
            _signal(process, number)

    async def _keep_one(self) -> None:
        while not self._stopping:
            status = await self._one()
            if self._stopping:
                return
            if status in (USAGE, STARTUP):
                self._status = status
                self._stop(signal.SIGTERM)
                return
            _log.critical("a worker is gone; another one is started", status=status)
            await asyncio.sleep(AGAIN_SECONDS)

    async def _one(self) -> int:
        descriptor = self._listening.fileno()
        process = await asyncio.create_subprocess_exec(*self._command, str(descriptor), pass_fds=[descriptor])
        self._running.add(process)
        if self._stopping:  # asked for while it was being made
            _signal(process, signal.SIGTERM)
        try:
            return await process.wait()
        finally:
            self._running.discard(process)
            if SHARED in os.environ:
                worker_gone(process.pid)


def _signal(process: asyncio.subprocess.Process, number: int) -> None:
    with suppress(ProcessLookupError):  # it has just ended by itself
        process.send_signal(number)

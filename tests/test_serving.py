"""The end in good order, and several processes on one socket; whole lines are in e2e/test_workers_on_postgres.py."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import uvicorn
from starlette.applications import Starlette
from structlog.testing import capture_logs

from payagent import serving
from payagent.serving import DrainingServer, Workers
from payagent.settings import Settings
from payagent.web.desk import Drain


class Drained:
    """A server that is up, with so many callers connected."""

    def __init__(self, callers: int, seconds: float = 100, parent: int = 0) -> None:
        self.switchboard = SimpleNamespace(callers=callers)
        self.drain = Drain()
        app = Starlette()
        app.state.desk = SimpleNamespace(switchboard=self.switchboard)
        self.server = DrainingServer(uvicorn.Config(app, log_config=None), app, self.drain, seconds, parent=parent)
        self.server.started = True

    async def ends(self) -> bool:
        return await self.server.on_tick(1)


def test_the_other_end_closes_resting_connections_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proxies and balancers keep theirs for a minute; one that we close just as it is used again costs a callback."""
    configs: list[uvicorn.Config] = []

    def captured(config: uvicorn.Config, *rest: object, **named: object) -> SimpleNamespace:
        configs.append(config)
        return SimpleNamespace(run=lambda sockets: None, started=True)

    monkeypatch.setattr(serving, "DrainingServer", captured)
    monkeypatch.setattr(serving, "_settle_memory", lambda: None)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    settings = SimpleNamespace(listen_address="127.0.0.1", port=8080, drain_seconds=30)
    serving.serve(Starlette(), cast(Settings, settings), Drain())

    assert [config.timeout_keep_alive > 60 for config in configs] == [True]


async def test_callers_may_finish(monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGTERM only takes leave: the end comes when the last caller is gone."""
    monkeypatch.setattr(serving, "LAST_QUESTION_SECONDS", 0.0)
    line = Drained(callers=2)
    line.server.handle_exit(signal.SIGTERM, None)
    early = (line.drain.begun, await line.ends(), line.server.should_exit)
    line.switchboard.callers = 0

    assert early == (True, False, False)
    assert await line.ends()


async def test_draining_is_told_once_and_not_by_the_signal() -> None:
    """A signal that arrives while a line is being written would lose its own: the next tick tells."""
    line = Drained(callers=2)
    with capture_logs() as logs:
        line.server.handle_exit(signal.SIGTERM, None)
        early = list(logs)
        for _ in range(2):
            await line.ends()

    assert early == []
    assert [(log["event"], log["callers"]) for log in logs] == [("draining", 2)]


async def test_the_last_caller_is_still_asked_about() -> None:
    """Twilio asks what next when a relay is closed; a line that nobody called has nothing to wait for."""
    line, quiet = Drained(callers=1), Drained(callers=0)
    for one in (line, quiet):
        one.server.handle_exit(signal.SIGTERM, None)
    await line.ends()
    line.switchboard.callers = 0

    assert not await line.ends()
    assert await quiet.ends()


async def test_not_for_ever() -> None:
    """When the time is over the callers are moved."""
    line = Drained(callers=1, seconds=0)
    line.server.handle_exit(signal.SIGTERM, None)

    assert await line.ends()


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_ends_at_once(second: signal.Signals) -> None:
    """So does Ctrl-C as the first one."""
    line = Drained(callers=1)
    line.server.handle_exit(signal.SIGTERM, None)
    line.server.handle_exit(second, None)
    interrupted = Drained(callers=1)
    interrupted.server.handle_exit(signal.SIGINT, None)

    assert await line.ends()
    assert await interrupted.ends()


async def test_nothing_ends_unasked() -> None:
    """A line without callers goes on waiting for them."""
    assert not await Drained(callers=0).ends()


async def test_a_worker_without_its_parent_drains() -> None:
    """Nobody would ever tell it to end."""
    orphan, child = Drained(callers=1, parent=1), Drained(callers=1, parent=os.getppid())

    assert (await orphan.ends(), orphan.drain.begun) == (False, True)
    assert (await child.ends(), child.drain.begun) == (False, False)


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def command(script: str, *arguments: str) -> tuple[str, ...]:
    return sys.executable, "-c", script, *arguments


async def test_workers_that_cannot_start_end_all(listening: socket.socket) -> None:
    """The next one would fare no better; the status is theirs."""
    assert await Workers(listening, 2, command("raise SystemExit(3)")).run() == 3


async def test_a_worker_that_dies_is_replaced(
    listening: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By one on the same socket; SIGTERM is passed on, and then none is replaced."""
    monkeypatch.setattr(serving, "AGAIN_SECONDS", 0)
    script = (
        "import os, pathlib, signal, socket, sys\n"
        "socket.socket(fileno=int(sys.argv[2])).getsockname()\n"
        "first = not (mark := pathlib.Path(sys.argv[1])).exists()\n"
        "mark.touch()\n"
        "first and os.kill(os.getpid(), signal.SIGKILL)\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\n"
        "os.kill(os.getppid(), signal.SIGTERM)\n"
        "signal.pause()\n"
    )
    async with asyncio.timeout(30):
        status = await Workers(listening, 1, command(script, str(tmp_path / "mark"))).run()

    assert status == 0
    assert (tmp_path / "mark").exists()

"""Server processes on a core of their own, what they cost, and the machine they run on.

CPU time and memory are read from `/proc`: this runs on Linux only.
"""

from __future__ import annotations

import asyncio
import os
import platform
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import aiohttp

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
UP_SECONDS = 30.0
SERVER_CORE, LOAD_CORE = 0, 1
CORES = sorted(os.sched_getaffinity(0))
"""Those there are for us: asked once, since what starts after the load took its core would see only that one."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server and where it answers."""

    process: asyncio.subprocess.Process
    origin: str

    def cpu_seconds(self) -> float:
        """CPU time it and its children have used until now."""
        return sum(_cpu(pid) for pid in self._pids())

    def memory(self) -> int:
        """Bytes of its own memory that are resident, children included."""
        return sum(_resident(pid) for pid in self._pids())

    def _pids(self) -> list[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [self.process.pid, *map(int, children)]


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _resident(pid: int) -> int:
    _size, resident, shared = map(int, Path(f"/proc/{pid}/statm").read_text().split()[:3])
    return (resident - shared) * PAGE


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def running(
    command: Sequence[str], environment: Mapping[str, str], port: int, folder: Path, cores: Sequence[int] = ()
) -> AsyncIterator[Server]:
    """The server `command`, once it answers `/healthz`; its output goes to `folder`/server.log."""
    on = set(cores) or _core(SERVER_CORE)
    with (folder / "server.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *command, env=dict(environment), cwd=folder, stdout=log, stderr=log,
            preexec_fn=lambda: os.sched_setaffinity(0, on),
        )  # fmt: skip
    try:
        server = Server(process, f"http://127.0.0.1:{port}")
        await _until_up(server, folder)
        yield server
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            process.kill()
            await process.wait()


async def _until_up(server: Server, folder: Path) -> None:
    async with asyncio.timeout(UP_SECONDS), aiohttp.ClientSession() as http:
        while True:
            try:
                async with http.get(f"{server.origin}/healthz") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                if server.process.returncode is not None:
                    raise RuntimeError((folder / "server.log").read_text()[-2000:]) from None
            await asyncio.sleep(0.02)


def take_load_core() -> None:
    """Let this process, which makes the load, stay off the servers' core."""
    os.sched_setaffinity(0, _core(LOAD_CORE))


def _core(n: int) -> set[int]:
    return {CORES[min(n, len(CORES) - 1)]}


def machine() -> str:
    """One line about where and when this was measured, and under what load."""
    model = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "")
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    load = " ".join(f"{each:.1f}" for each in os.getloadavg())
    return (
        f"{now}, {os.cpu_count()} cores ({model.partition(': ')[2]}), Python {platform.python_version()}, "
        f"{platform.system()} {platform.release()}, load average {load} when it began"
    )


def python(*arguments: str) -> list[str]:
    """This Python with these arguments."""
    return [sys.executable, *arguments]

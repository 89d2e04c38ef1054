"""`payagent serve` as processes of its own: told everything by the environment, killed and started again at will.

No setting of the machine's own reaches it, no `.env` and no `TWILIO_*`: a storm can never touch a real account.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from payagent.errors import PayagentError
from payagent.lab.signing import CONNECT_TRY_SECONDS

LOG = "server.log"
READY = b"Uvicorn running"
LONGEST_START = 30.0
LOOK_SECONDS = 0.1
KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV", "SYSTEMROOT")
"""What of this process's environment a program needs to run at all."""


class ServerFailed(PayagentError):
    """The server under test did not start, or ended by itself."""


class Server:
    """One server: `origin` is where it listens, `log` the file its words go to.

    `away` are the times (monotonic seconds) between which it took no calls.
    """

    def __init__(self, directory: Path, settings: Mapping[str, str], origin: str, workers: int = 1) -> None:
        self.origin = origin
        self.log = directory / LOG
        self.away: list[tuple[float, float]] = []
        self._directory = directory
        self._workers = workers
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        port = origin.rpartition(":")[2]
        self._environment = kept | dict(settings) | {"PORT": port, "PUBLIC_URL": origin, "PYTHONUNBUFFERED": "1"}
        self._process: asyncio.subprocess.Process | None = None
        self._gone_since: float | None = None

    async def start(self) -> None:
        """Start it and wait until it takes calls.

        Raises:
            ServerFailed: it ended, or took too long.
        """
        ready = self._readiness()
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "payagent",
                "serve",
                f"--workers={self._workers}",
                cwd=self._directory,
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        await self._until(lambda: self._readiness() >= ready + self._workers)

    async def kill(self, whom: float) -> None:
        """`kill -9`: of several workers one (`whom`, from 0 to 1, says which), who is replaced; else the whole server.

        A server that is gone is started again. Returns when calls are taken again by all.

        Raises:
            ServerFailed: that took too long.
        """
        assert self._process is not None
        if workers := _children(self._process.pid):
            ready = self._readiness()
            os.kill(workers[int(whom * len(workers))], signal.SIGKILL)
            await self._until(lambda: self._readiness() > ready)
            return
        self._gone_since = time.monotonic()
        self._signal(signal.SIGKILL)
        await self._gone()
        await self.start()
        # Twilio asks a second time within this long; what is not heard until then is the storm's doing
        self.away.append((self._gone_since, time.monotonic() + CONNECT_TRY_SECONDS))
        self._gone_since = None

    async def stop(self) -> None:
        """Ask it to end; kill it when it does not."""
        if self._process is None or self._process.returncode is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self._process.wait(), LONGEST_START)
        except TimeoutError:
            self._signal(signal.SIGKILL)
            await self._gone()

    def away_between(self, start: float, end: float) -> float:
        """How many of these seconds it took no calls; one that is away now counts until it is back."""
        now = [] if self._gone_since is None else [(self._gone_since, end)]
        return sum(max(0.0, min(end, back) - max(start, gone)) for gone, back in [*self.away, *now])

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.returncode is None

    async def _until(self, holds: Callable[[], bool]) -> None:
        """Look again and again."""
        deadline = time.monotonic() + LONGEST_START
        while not holds():
            if not self.running:
                status = self._process.returncode if self._process else None
                raise ServerFailed(f"the server ended with status {status}; see {self.log}")
            if time.monotonic() > deadline:
                raise ServerFailed(f"the server took no calls within {LONGEST_START:g} s; see {self.log}")
            await asyncio.sleep(LOOK_SECONDS)

    def _readiness(self) -> int:
        """How many processes have begun to take calls so far, by the log."""
        return self.log.read_bytes().count(READY) if self.log.exists() else 0

    def _signal(self, number: signal.Signals) -> None:
        """To the process and all it has started (they are a session of their own)."""
        assert self._process is not None
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return

    async def _gone(self) -> None:
        assert self._process is not None
        await self._process.wait()


def _children(pid: int) -> list[int]:
    """The processes it has started, where the system tells."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []

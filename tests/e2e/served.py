"""`payagent serve` as a process of its own, for tests to start, watch and end."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from payagent.lab.serving import bind

PAYAGENT = Path(sys.executable).parent / "payagent"
LONGEST = 60.0
SCALE = 0.05


@dataclass
class Served:
    """The running process, where it listens, and what it has logged so far."""

    process: asyncio.subprocess.Process
    origin: str
    log: list[str]
    news: asyncio.Condition

    async def logs(self, word: str, times: int = 1) -> None:
        """Until it has logged that, so many times."""
        async with asyncio.timeout(LONGEST), self.news:
            await self.news.wait_for(lambda: sum(word in line for line in self.log) >= times)

    async def stop(self) -> int:
        """Ask it to end, as a service manager does; its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self.process.wait(), LONGEST)


@asynccontextmanager
async def running(directory: Path, environment: dict[str, str], *arguments: str) -> AsyncIterator[Served]:
    """`payagent serve` in this directory with this environment and no other, once it takes calls.

    Without a `PUBLIC_URL` in the environment it is where it listens.
    """
    listener = bind()
    port = listener.origin.rpartition(":")[2]
    listener.socket.close()
    process = await asyncio.create_subprocess_exec(
        PAYAGENT,
        "serve",
        *arguments,
        cwd=directory,
        env={"PUBLIC_URL": listener.origin} | environment | {"PORT": port},
        stderr=asyncio.subprocess.PIPE,
    )
    log: list[str] = []
    served = Served(process, listener.origin, log, asyncio.Condition())
    reading = asyncio.create_task(_read(served))
    try:
        await served.logs("Uvicorn running")
        yield served
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await reading


async def _read(served: Served) -> None:
    """Keep what it logs."""
    assert served.process.stderr is not None
    async for line in served.process.stderr:
        async with served.news:
            served.log.append(line.decode())
            served.news.notify_all()


def environment(rest: str, model: str, **more: str) -> dict[str, str]:
    """Credentials of the lab's account, the stand-ins' addresses, and nothing that has a default."""
    return {
        "TWILIO_ACCOUNT_SID": "AC" + "0a" * 16,
        "TWILIO_AUTH_TOKEN": "ab" * 16,
        "TWILIO_API_KEY": "SK" + "0b" * 16,
        "TWILIO_API_SECRET": "cd" * 16,
        "TRANSFER_PHONE_NUMBER": "+15550177",
        "TWILIO_API_BASE_URL": rest,
        "OPENAI_API_KEY": "lab",
        "OPENAI_BASE_URL": f"{model}/v1",
        "TIME_SCALE": str(SCALE),
        **more,
    }

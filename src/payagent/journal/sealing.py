"""Seals the record again and again while a line runs, and once more at its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

import structlog

from payagent.errors import JournalFailed
from payagent.journal.protocol import Journal

_log = structlog.get_logger("payagent.journal.sealing")


class Sealing:
    """Seals `journal` every `seconds`; a seal that cannot be written is told, and the next one covers its steps too."""

    def __init__(self, journal: Journal, seconds: float, now: Callable[[], datetime]) -> None:
        self._journal = journal
        self._seconds = seconds
        self._now = now
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Go on until `close`."""
        self._task = asyncio.create_task(self._seal_for_ever())

    async def close(self) -> None:
        """The last seal, if sealing was begun."""
        task, self._task = self._task, None
        if task:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self._seal()

    async def _seal_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._seconds)
            await self._seal()

    async def _seal(self) -> None:
        try:
            await self._journal.seal(self._now())
        except JournalFailed as error:
            _log.error("the record could not be sealed", error=str(error))

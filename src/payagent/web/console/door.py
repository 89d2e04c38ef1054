"""Checks a name and a password: always at the same cost, one at a time, and only so often.

One check costs a fifth of a second of a core that callers wait for too, so no more than two run at once: one for
browsers that have logged in before, one for all others, so that whoever guesses keeps nobody out who belongs here.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from payagent.web.console.guesses import Guesses
from payagent.web.console.passwords import BLOCK, COST, LANES, Hash, read

LONGEST_PASSWORD = 1024
LONGEST_QUEUE = 10
QUEUE_WAIT = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class TryAgain:
    """Not looked at: too many tries failed, or too many are waiting. Ask again after `wait`."""

    wait: timedelta


class Door:
    """Who may come in: `passwords` are the hashes by name."""

    def __init__(self, passwords: Mapping[str, str], guesses: Guesses) -> None:
        self._hashes = {name: read(text) for name, text in passwords.items()}
        like = next(iter(self._hashes.values()), Hash(COST, BLOCK, LANES, b"", b""))
        # An unknown name is checked against this, which nothing fits, so that refusing it takes as long.
        self._nobody = Hash(like.cost, like.block, like.lanes, secrets.token_bytes(16), secrets.token_bytes(32))
        self._guesses = guesses
        self._lanes = {True: asyncio.Lock(), False: asyncio.Lock()}
        self._waiting = {True: 0, False: 0}

    def knows(self, name: str) -> bool:
        """Whether somebody has that name; for the log only, never for an answer."""
        return name in self._hashes

    async def opens(self, name: str, password: str, address: str, mark: str) -> bool | TryAgain:
        """Whether name and password belong together. `mark` is this browser's for that name, "" for none."""
        lane = bool(mark)
        if self._waiting[lane] >= LONGEST_QUEUE:
            return TryAgain(QUEUE_WAIT)
        self._waiting[lane] += 1
        try:
            async with self._lanes[lane]:
                return await self._check(name, password, address, mark)
        finally:
            self._waiting[lane] -= 1

    async def _check(self, name: str, password: str, address: str, mark: str) -> bool | TryAgain:
        if wait := self._guesses.wait(name, address, mark):
            return TryAgain(wait)
        opened = await asyncio.to_thread(self._hashes.get(name, self._nobody).fits, password[:LONGEST_PASSWORD])
        if not opened:
            self._guesses.failed(name, address, mark)
        return opened

"""A thread for each tab: its booth, and a clock that no other tab shares.

A tab that is gone for a while gives its room back.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from payagent.demo.booth import Booth, Leisure
from payagent.demo.feed import Feed
from payagent.demo.tempo import PacedLoop, Tempo
from payagent.rehearsal import RealModel

MOST_ROOMS = 16
MOST_KEYS = 200
AWAY_SECONDS = 10.0
CLOSING_SECONDS = 8.0
HURRY = 20.0

T = TypeVar("T")


class Full(Exception):
    """Every room is taken."""


class Room:
    """One tab's booth in its thread."""

    def __init__(self, directory: Path, name: str, real_model: RealModel | None, rate: float, leisure: Leisure) -> None:
        self.feed = Feed(asyncio.get_running_loop())
        self.watched = 0
        tempo = Tempo()
        tempo.set(rate)
        self._tempo = tempo
        self._loop = PacedLoop(tempo)
        self._booth = Booth(self.feed, tempo, directory, name, real_model, leisure)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    async def do(self, deed: Callable[[Booth], Awaitable[T]]) -> T:
        """Have the booth do this, in its own thread."""

        async def done() -> T:
            return await deed(self._booth)

        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(done(), self._loop))

    def pace(self, rate: float) -> None:
        """Let the tab's time go at this rate; 0 stops it."""
        self._loop.pace(rate)
        self.feed.add("clock", rate=rate)

    def go_on(self) -> None:
        """Let time go again, if it stands still."""
        if not self._tempo.rate:
            self.pace(1.0)

    async def close(self) -> None:
        """Hang up, take the line down, end the thread."""
        self._loop.pace(HURRY)  # its time-outs are not worth anybody's while
        try:
            await asyncio.wait_for(self.do(Booth.close), CLOSING_SECONDS)
        except TimeoutError:
            self.feed.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        await asyncio.to_thread(self._thread.join, CLOSING_SECONDS)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()


class Rooms:
    """The rooms by their keys; a key is given out with the page and known to its tab alone.

    `rate` is how fast a new tab's time goes and `leisure` how long its pauses are; `name` tells this program's records
    from another's.
    """

    def __init__(
        self,
        directory: Path,
        name: str,
        real_model: RealModel | None = None,
        rate: float = 1.0,
        leisure: Leisure = Leisure(),  # noqa: B008 - it is frozen
        away_seconds: float = AWAY_SECONDS,
    ) -> None:
        self.real_model = real_model
        self._directory = directory
        self._name = name
        self._rate = rate
        self._leisure = leisure
        self._away_seconds = away_seconds
        self._keys: deque[str] = deque(maxlen=MOST_KEYS)
        self._rooms: dict[str, Room] = {}
        self._leaving: dict[str, asyncio.TimerHandle] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._opened = 0

    def new_key(self) -> str:
        """A key for a page that is being loaded; its room is opened when it is first used."""
        self._keys.append(secrets.token_urlsafe(18))
        return self._keys[-1]

    def room(self, key: str) -> Room:
        """The room of this key.

        Raises:
            KeyError: no such key was given out.
            Full: it has no room yet, and all are taken.
        """
        if key not in self._keys:
            raise KeyError
        if key not in self._rooms:
            if len(self._rooms) >= MOST_ROOMS:
                raise Full
            self._opened += 1
            name = f"{self._name}-{self._opened}"
            self._rooms[key] = Room(self._directory, name, self.real_model, self._rate, self._leisure)
            self._leave_later(key)
        return self._rooms[key]

    @contextmanager
    def watching(self, key: str) -> Iterator[Room]:
        """The room, kept for as long as its tab looks on, and a while longer.

        Raises:
            KeyError, Full: as `room`.
        """
        room = self.room(key)
        room.watched += 1
        self._stay(key)
        try:
            yield room
        finally:
            room.watched -= 1
            if not room.watched:
                self._leave_later(key)

    async def close(self) -> None:
        """Close every room."""
        for key in list(self._rooms):
            self._leave(key)
        await asyncio.gather(*self._closing, return_exceptions=True)

    def _stay(self, key: str) -> None:
        if key in self._leaving:
            self._leaving.pop(key).cancel()

    def _leave_later(self, key: str) -> None:
        self._stay(key)
        self._leaving[key] = asyncio.get_running_loop().call_later(self._away_seconds, self._leave, key)

    def _leave(self, key: str) -> None:
        self._stay(key)
        room = self._rooms.pop(key, None)
        if room:
            task = asyncio.create_task(room.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

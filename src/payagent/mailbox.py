"""The mailbox of one call: events go in from anywhere and are taken out one at a time; each poster gets an answer.

A letter without an event asks to see what other workers have recorded.
"""

from __future__ import annotations

import asyncio

from payagent.errors import JournalFailed
from payagent.flow.events import Event
from payagent.flow.step import Step


class Letter:
    """One event (or none), and the answer its poster waits for. Only the first answer counts."""

    __slots__ = ("_answer", "event")

    def __init__(self, event: Event | None) -> None:
        self.event = event
        self._answer: asyncio.Future[Step | None] = asyncio.get_running_loop().create_future()

    async def answer(self) -> Step | None:
        """What came of it; raises what `fail` was given."""
        return await self._answer

    def reply(self, step: Step | None) -> None:
        """The event is recorded as `step`; None: it was not worth a record."""
        if not self._answer.done():
            self._answer.set_result(step)

    def fail(self, error: Exception) -> None:
        """The event has not happened."""
        if not self._answer.done():
            self._answer.set_exception(error)
            self._answer.exception()  # seen here: not every poster waits for its answer


class Mailbox:
    """Letters in the order they came."""

    def __init__(self) -> None:
        self._letters: asyncio.Queue[Letter] = asyncio.Queue()
        self._closed = False

    @property
    def empty(self) -> bool:
        """Whether no letter waits."""
        return self._letters.empty()

    def put(self, event: Event | None) -> Letter:
        """Hand in an event; after `close` its letter has failed already."""
        letter = Letter(event)
        if self._closed:
            letter.fail(JournalFailed("nobody is at work on this call here any more"))
        else:
            self._letters.put_nowait(letter)
        return letter

    async def take(self) -> Letter:
        """The next letter, as soon as there is one."""
        return await self._letters.get()

    def close(self) -> None:
        """Nobody takes letters any more: those that wait have failed."""
        self._closed = True
        while not self._letters.empty():
            self._letters.get_nowait().fail(JournalFailed("nobody is at work on this call here any more"))

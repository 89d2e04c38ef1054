"""What a journal promises, whichever database keeps it.

* A step is on the record when `append` returns, and not before; a step that failed left no trace.
* `(call_sid, seq)` is written once. The first step of a call is 1, and no number is skipped.
* All times are aware; they are kept in UTC.
* Whatever goes wrong below is a `JournalFailed`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from payagent.flow.effects import DurableOrder
from payagent.flow.states import State
from payagent.flow.step import Step, Timer


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """A durable order that is not done and that nobody is at work on.

    `key` is `order_key(call_sid, seq, n)`. `claimed_before` says that a worker took it and never came back: it may
    have been sent, so only what is safe to repeat may be sent again.
    """

    key: str
    call_sid: str
    seq: int
    n: int
    order: DurableOrder
    claimed_before: bool
    ordered_at: datetime


@dataclass(frozen=True, slots=True)
class CallSummary:
    """One line about a call: where it is, since when, and how many steps it took."""

    call_sid: str
    state: State
    started_at: datetime
    updated_at: datetime
    steps: int


class Journal(Protocol):
    """The record of all calls."""

    async def append(self, step: Step, done: str = "") -> None:
        """Write the step, its durable orders, its timers, and that order `done` (a key, if given) is done: all or none.

        Raises:
            JournalConflict: this call already has a step of that number.
            JournalFailed: it could not be written (disk full, locked, gone, or not the call's next number).
        """
        ...

    async def steps(self, call_sid: str, after: int = 0) -> list[Step]:
        """The call's steps numbered above `after`, in order; empty for a call that is not on the record."""
        ...

    async def claim(self, key: str, worker: str, until: datetime, now: datetime) -> bool:
        """Take the order for `worker`; False when it is done, unknown, or claimed by anybody until later than `now`."""
        ...

    async def open_orders(self, now: datetime) -> list[OpenOrder]:
        """The orders that are neither done nor under a running claim, oldest first."""
        ...

    async def due(self, now: datetime) -> list[tuple[str, Timer]]:
        """The running waits that are over, each with its call, the longest overdue first."""
        ...

    async def live_calls(self) -> list[str]:
        """The calls that have not ended, oldest first."""
        ...

    async def calls(self, limit: int = 50) -> list[CallSummary]:
        """The calls last written to, newest first."""
        ...

    async def verify(self, call_sid: str) -> list[str]:
        """What is wrong with the call's record, in words naming call and step; empty when it is whole."""
        ...

    async def verify_all(self) -> list[str]:
        """What is wrong with any call or seal: also calls and last steps that a seal covers and that are gone."""
        ...

    async def seal(self, now: datetime) -> None:
        """Write down, chained to the seal before, the last step of every call that went on since that seal."""
        ...

    async def erase_words(self, older_than: datetime) -> int:
        """Erase what was spoken before `older_than`; the number of utterances erased. The steps stay whole."""
        ...

    async def close(self) -> None:
        """Finish what was handed in and let the database go."""
        ...

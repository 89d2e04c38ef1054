"""What a journal promises, whichever database keeps it.

* A step is on the record when `append` returns, and not before; a step that failed left no trace.
* `(call_sid, seq)` is written once. The first step of a call is 1, and no number is skipped.
* All times are aware; they are kept in UTC.
* Whatever goes wrong below is a `JournalFailed`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from typing import Protocol

from payagent.flow.effects import DurableOrder
from payagent.flow.money import Money
from payagent.flow.states import Outcome, State
from payagent.flow.step import Step, Timer

Heard = Callable[[str, int], None]
"""Is told of a step: its call and its number. Must not raise."""


class Claim(Enum):
    """What a worker that reaches for an order is told."""

    REFUSED = "done, unknown, or under another running claim"
    FIRST = "taken, and nobody had it before"
    AGAIN = "taken, and somebody had it before who never came back: it may have been sent"


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """A durable order that is not done and that nobody is at work on; `key` is `order_key(call_sid, seq, n)`."""

    key: str
    call_sid: str
    seq: int
    n: int
    order: DurableOrder
    ordered_at: datetime


@dataclass(frozen=True, slots=True)
class CallSummary:
    """One line about a call, as the index of calls has it.

    `entered_at`: since when it is in its state. `next_due`: the first running wait. `amount`: of the latest payment
    opened at Twilio. `tries`: all that failed in this call: identity, fields, declined cards. `reason`: of the
    hand-off, "" when there was none.
    """

    call_sid: str
    state: State
    started_at: datetime
    updated_at: datetime
    entered_at: datetime
    steps: int
    ended: bool
    next_due: datetime | None
    language: str
    account: str
    amount: Money | None
    outcome: Outcome
    last_four: str
    card_type: str
    tries: int
    reconnects: int
    reason: str


@dataclass(frozen=True, slots=True)
class Search:
    """Which calls are looked for: those that fit all that is given.

    `since` (from then on) and `until` (before then) are about the call's start. The next page is what stands behind
    the last line of this one: `before` is that call's start, `before_call` its SID (several may have begun at once).
    `needs_person`: its outcome is unknown, or it is being handed off.
    """

    call_sid: str = ""
    account: str = ""
    outcome: Outcome | None = None
    state: State | None = None
    since: datetime | None = None
    until: datetime | None = None
    live: bool = False
    needs_person: bool = False
    limit: int = 50
    before: datetime | None = None
    before_call: str = ""


@dataclass(frozen=True, slots=True)
class DayTotals:
    """What became of the calls that began on one day, in UTC, and of their payments.

    `paid` and `amounts` (one a currency) are of payments that stand on a bill; `declined`, `cancelled` and `unknown`
    count payments, too.
    """

    day: date
    calls: int
    paid: int
    amounts: tuple[Money, ...]
    declined: int
    cancelled: int
    unknown: int


class Journal(Protocol):
    """The record of all calls."""

    async def open(self) -> None:
        """Open the database; a SQLite file is made when there is none, and brought up when it is old.

        Raises:
            JournalFailed: it is out of reach, no journal, or its schema is not the one this payagent knows.
        """
        ...

    async def take_over(self, now: datetime) -> None:
        """Begin to work on the calls that are there. Where one process works alone, claims of its predecessor end now.

        Raises:
            JournalFailed: only one process may, and another one does.
        """
        ...

    async def append(self, *steps: Step) -> None:
        """Write these steps of one call, each the next of the one before, and what is theirs: all or none.

        Theirs are their durable orders and timers, and that the orders which their events answer are done.

        Raises:
            JournalConflict: this call already has a step of the first one's number.
            JournalFailed: they could not be written (disk full, locked, gone, or not the call's next number).
        """
        ...

    async def steps(self, call_sid: str, after: int = 0) -> list[Step]:
        """The call's steps numbered above `after`, in order; empty for a call that is not on the record."""
        ...

    async def claim(self, key: str, worker: str, until: datetime, now: datetime) -> Claim:
        """Take the order for `worker`, unless it is done, unknown, or claimed by anybody until later than `now`.

        Of all that ever reach for an order exactly one is told `Claim.FIRST`.
        """
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

    async def lengths(self, call_sids: Collection[str]) -> dict[str, int]:
        """How many steps each of these calls has; those not on the record are left out."""
        ...

    async def search(self, search: Search) -> list[CallSummary]:
        """The calls looked for, the one that began last first."""
        ...

    async def states(self) -> dict[State, int]:
        """How many of the calls that have not ended are in each state."""
        ...

    async def totals(self, since: datetime | None = None, until: datetime | None = None) -> list[DayTotals]:
        """The days on which calls began from `since` on and before `until`, the last one first."""
        ...

    async def verify(self, call_sid: str) -> list[str]:
        """What is wrong with the call's record, in words naming call and step; empty when it is whole.

        Where the steps are whole, the index of calls is compared with them.
        """
        ...

    async def verify_all(self) -> list[str]:
        """What is wrong with any call or seal: also calls and last steps that a seal covers and that are gone."""
        ...

    async def seal(self, now: datetime) -> None:
        """Write down, chained to the seal before, the last step of every call that went on since that seal."""
        ...

    async def erase_words(self, older_than: datetime, *, try_out: bool = False) -> int:
        """Erase what was spoken before `older_than`, and who it was; of how many steps. The steps stay whole.

        `try_out` only counts.
        """
        ...

    def listen(self, heard: Heard) -> None:
        """Have `heard` told of every step that is written from now on, by whomever: a hint, and it may get lost."""
        ...

    async def close(self) -> None:
        """Finish what was handed in and let the database go."""
        ...

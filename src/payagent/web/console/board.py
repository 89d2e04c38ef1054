"""What the board shows: looked up once a second at most, however many people look at it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2s

from payagent.flow.states import Outcome, State
from payagent.journal.protocol import CallSummary, DayTotals, Journal, Search

FRESH = timedelta(seconds=1)
TODAY_FRESH = timedelta(seconds=10)
"""The day's totals add up all of its calls, so they are looked up less often."""

MOST = 100
"""So many calls stand in each list of the board; the rest is a search away."""

GRACE = timedelta(seconds=5)
"""A wait is overdue only when the sweep, too, has had its time."""


@dataclass(frozen=True, slots=True)
class Need:
    """A call that a person has to look after. `why` is `unknown`, `overdue` or `hand-off`, the most urgent first."""

    call: CallSummary
    why: str


@dataclass(frozen=True, slots=True)
class Look:
    """The board at one moment; `today` is None before the day's first call."""

    at: datetime
    states: dict[State, int]
    needs: list[Need]
    more_needs: bool
    live: list[CallSummary]
    today: DayTotals | None

    @property
    def live_count(self) -> int:
        """How many calls have not ended."""
        return sum(self.states.values())

    @property
    def version(self) -> str:
        """The same for as long as nothing but time has gone on."""
        lines = [(need.call.call_sid, need.call.steps, need.why) for need in self.needs]
        lines += [(call.call_sid, call.steps, "") for call in self.live]
        shown = repr((sorted(self.states.items()), lines, self.today))
        return blake2s(shown.encode(), digest_size=8).hexdigest()


class Board:
    """Looks at the record for everybody who watches."""

    def __init__(self) -> None:
        self._looking = asyncio.Lock()
        self._last: Look | None = None
        self._today: tuple[datetime, DayTotals | None] | None = None

    async def look(self, journal: Journal, now: datetime) -> Look:
        """The board as it was no more than a second ago."""
        async with self._looking:
            if self._last is None or not timedelta() <= now - self._last.at < FRESH:
                self._last = await self._look(journal, now)
            return self._last

    async def _look(self, journal: Journal, now: datetime) -> Look:
        states = await journal.states()
        waiting = await journal.search(Search(needs_person=True, limit=MOST + 1))
        overdue = await self._overdue(journal, now)
        needs = [*_needs(waiting, overdue)]
        return Look(
            at=now,
            states={state: states[state] for state in State if state in states},
            needs=needs[:MOST],
            more_needs=len(needs) > MOST,
            live=await journal.search(Search(live=True, limit=MOST)),
            today=await self._totals(journal, now),
        )

    async def _overdue(self, journal: Journal, now: datetime) -> list[CallSummary]:
        """The calls whose waits are over and that nobody has gone on with, the longest overdue first."""
        late = dict.fromkeys(call_sid for call_sid, _ in await journal.due(now - GRACE))
        found = [await journal.search(Search(call_sid=call_sid, limit=1)) for call_sid in list(late)[:MOST]]
        return [call for calls in found for call in calls]

    async def _totals(self, journal: Journal, now: datetime) -> DayTotals | None:
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        if self._today is None or not timedelta() <= now - self._today[0] < TODAY_FRESH or self._today[0] < midnight:
            days = await journal.totals(since=midnight)
            self._today = (now, days[0] if days else None)
        return self._today[1]


def _needs(waiting: list[CallSummary], overdue: list[CallSummary]) -> Iterator[Need]:
    """Unknown outcomes, then overdue waits, then hand-offs; each call once, who has waited longest first."""
    waiting = sorted(waiting, key=lambda call: (call.entered_at, call.call_sid))
    unknown = [call for call in waiting if call.outcome is Outcome.UNKNOWN]
    yield from (Need(call, "unknown") for call in unknown)
    seen = {call.call_sid for call in unknown}
    late = [call for call in overdue if call.call_sid not in seen]
    yield from (Need(call, "overdue") for call in late)
    seen |= {call.call_sid for call in late}
    yield from (Need(call, "hand-off") for call in waiting if call.call_sid not in seen)

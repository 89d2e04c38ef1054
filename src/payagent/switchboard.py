"""Call SID → session: starts calls, brings them back from the journal, and sweeps for what nobody is at work on.

The sweep posts waits that are over and takes up orders that were left lying, so that a call whose worker and caller
are both gone still comes to a true end. It also looks whether others have recorded steps of the calls whose callers
are connected here: the journal tells of such steps, but not for certain. A payment's result that the record cannot
take is kept in the spool, and the sweep takes it in from there.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from weakref import WeakValueDictionary

import structlog

from payagent.errors import JournalFailed, UnknownCall
from payagent.flow import events as ev
from payagent.flow.call import Call
from payagent.flow.machine import Engine
from payagent.flow.step import Step
from payagent.flow.table import Flow
from payagent.journal.spool import Kept, Result, Spool
from payagent.session import Desk, Session

_log = structlog.get_logger("payagent.switchboard")

SWEEP_SECONDS = 1.0
GRACE = timedelta(seconds=2)
"""A session here is quicker than the sweep; only what it has missed for this long is swept."""


class Switchboard:
    """The live calls of this process."""

    def __init__(self, flow: Flow, desk: Desk, spool: Spool) -> None:
        self.flow = flow
        self.metrics = desk.metrics
        self._engine = Engine(flow)
        self._desk = desk
        self._spool = spool
        self._homeless: set[Kept] = set()
        self._sessions: dict[str, Session] = {}
        self._opening: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._sweeping: asyncio.Task[None] | None = None

    async def start(self, call_sid: str, caller: str, caller_id: str) -> Session:
        """The session of a call that rings; a second delivery of the same call finds the first one's.

        Raises:
            JournalFailed: the call could not be put on record.
        """
        session = await self._find(call_sid)
        if session is None:
            session = self._sessions[call_sid] = self._session(call_sid, [])
        try:
            await session.post(ev.CallStarted(caller, caller_id))
        except JournalFailed:
            await self._let_go(call_sid, session)
            raise
        return session

    async def get(self, call_sid: str) -> Session:
        """The session of a call on the record.

        Raises:
            UnknownCall: there is no such call.
            JournalFailed: the record cannot be read.
        """
        session = await self._find(call_sid)
        if session is None or session.call.seq == 0:
            raise UnknownCall(call_sid)
        return session

    def at_hand(self, call_sid: str) -> Session | None:
        """The session of a call that is at work on here, without a look at the record."""
        return self._sessions.get(call_sid)

    async def report(self, call_sid: str, report: ev.PayReport) -> None:
        """Have a call take in a payment callback. A result that cannot be recorded is kept, and taken in by the sweep.

        Raises:
            UnknownCall: there is no such call; a success is kept all the same.
            JournalFailed: it is neither on the record nor kept.
        """
        try:
            session = await self.get(call_sid)
            await session.post(report)
        except JournalFailed:
            if not isinstance(report, Result):
                raise
            await self._keep(call_sid, report)
        except UnknownCall:
            if isinstance(report, ev.PaymentSucceeded):
                await self._keep(call_sid, report)
            raise

    async def _keep(self, call_sid: str, result: Result) -> None:
        trigger = ev.trigger_of(result)
        try:
            await self._spool.keep(call_sid, result)
        except JournalFailed as error:
            self.metrics.spooled(kept=False)
            _log.critical("a payment's result is lost", call_sid=call_sid, trigger=trigger, error=str(error))
            raise
        self.metrics.spooled(kept=True)
        _log.error("a payment's result is kept in the spool", call_sid=call_sid, trigger=trigger)

    async def _find(self, call_sid: str) -> Session | None:
        if call_sid in self._sessions:
            return self._sessions[call_sid]
        opening = self._opening.setdefault(call_sid, asyncio.Lock())
        async with opening:  # two callbacks at once bring a call back once
            session = self._sessions.get(call_sid)
            if session is None and (steps := await self._desk.journal.steps(call_sid)):
                session = self._sessions[call_sid] = self._session(call_sid, steps)
            return session

    def _session(self, call_sid: str, steps: Sequence[Step]) -> Session:
        return Session(Call(self.flow, call_sid, self._engine), self._desk, steps)

    async def _let_go(self, call_sid: str, session: Session) -> None:
        if self._sessions.get(call_sid) is session:
            del self._sessions[call_sid]
        await session.close()

    @property
    def live(self) -> int:
        """How many calls have a session here."""
        return len(self._sessions)

    @property
    def callers(self) -> int:
        """How many callers are connected here."""
        return sum(session.connected for session in self._sessions.values())

    def count(self) -> None:
        """Tell the counters where the calls are."""
        sessions = self._sessions.values()
        self.metrics.calls([each.call.state for each in sessions], sum(each.connected for each in sessions))

    def sweep_on(self) -> None:
        """Begin to sweep and to listen, and go on until `close`."""
        self._desk.journal.listen(self._heard)
        self._sweeping = asyncio.create_task(self._sweep_for_ever())

    async def close(self) -> None:
        """Stop working on every call; the record stands."""
        if self._sweeping:
            self._sweeping.cancel()
            await asyncio.gather(self._sweeping, return_exceptions=True)
        for session in list(self._sessions.values()):
            await session.close()
        self._sessions.clear()

    async def _sweep_for_ever(self) -> None:
        while True:
            with _surviving("the sweep broke off"):
                await self.sweep()
            await asyncio.sleep(SWEEP_SECONDS * random.uniform(0.75, 1.25))  # noqa: S311 - no two workers in step

    def _heard(self, call_sid: str, seq: int) -> None:
        if session := self._sessions.get(call_sid):
            session.heard_of(seq)

    async def look_around(self) -> None:
        """See whether others have recorded steps that nobody told of."""
        connected = [call_sid for call_sid, session in self._sessions.items() if session.connected]
        if connected:
            for call_sid, seq in (await self._desk.journal.lengths(connected)).items():
                self._heard(call_sid, seq)

    async def sweep(self) -> None:
        """Once: take in results kept, post waits that are over, take up orders left lying, let go of calls done."""
        self.count()
        with _surviving("what others recorded could not be read"):
            await self.look_around()
        with _surviving("the spool could not be swept"):
            for kept in await self._spool.kept():
                await self._take_in(kept)
        late = self._desk.now() - GRACE
        for call_sid, timer in await self._desk.journal.due(late):
            with _surviving("a wait that is over could not be swept", call_sid):
                session = await self.get(call_sid)
                await session.post(ev.TimeUp(timer.name, timer.armed))
        for order in await self._desk.journal.open_orders(self._desk.now()):
            if order.ordered_at <= late:
                with _surviving("an order left lying could not be taken up", order.call_sid):
                    session = await self.get(order.call_sid)
                    session.take_up(order.key, order.order)
        for call_sid, session in list(self._sessions.items()):
            if session.idle:
                await self._let_go(call_sid, session)

    async def _take_in(self, kept: Kept) -> None:
        """A kept result goes on the record once, however often it was delivered, and then out of the spool."""
        with _surviving("a kept result could not be taken in", kept.call_sid):
            try:
                session = await self.get(kept.call_sid)
            except UnknownCall:
                if kept not in self._homeless:
                    _log.critical("a payment succeeded in a call that is not on the record", call_sid=kept.call_sid)
                self._homeless.add(kept)
                return
            recorded = await self._desk.journal.steps(kept.call_sid)
            if not any(step.event == kept.result for step in recorded):
                await session.post(kept.result)
            await self._spool.drop(kept)


@contextmanager
def _surviving(what: str, call_sid: str = "") -> Iterator[None]:
    """One call that cannot be read or handled does not keep the sweep from the others."""
    try:
        yield
    except JournalFailed as error:
        _log.error(what, call_sid=call_sid, error=str(error))
    except Exception:
        _log.critical(what, call_sid=call_sid, exc_info=True)

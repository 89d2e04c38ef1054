"""Call SID → session: starts calls, brings them back from the journal, and sweeps for what nobody is at work on.

The sweep posts waits that are over and takes up orders that were left lying, so that a call whose worker and caller
are both gone still comes to a true end.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

import structlog

from payagent.errors import JournalFailed, UnknownCall
from payagent.flow import events as ev
from payagent.flow.call import Call
from payagent.flow.machine import Engine
from payagent.flow.table import Flow
from payagent.session import Desk, Session

_log = structlog.get_logger("payagent.switchboard")

SWEEP_SECONDS = 1.0
GRACE = timedelta(seconds=2)
"""A session here is quicker than the sweep; only what it has missed for this long is swept."""


class Switchboard:
    """The live calls of this process."""

    def __init__(self, flow: Flow, desk: Desk) -> None:
        self.flow = flow
        self._engine = Engine(flow)
        self._desk = desk
        self._sessions: dict[str, Session] = {}
        self._opening = asyncio.Lock()
        self._sweeping: asyncio.Task[None] | None = None

    async def start(self, call_sid: str, caller: str, caller_id: str) -> Session:
        """The session of a call that rings; a second delivery of the same call finds the first one's.

        Raises:
            JournalFailed: the call could not be put on record.
        """
        session = await self._find(call_sid)
        if session is None:
            session = self._sessions.setdefault(call_sid, self._session(call_sid))
        if session.call.seq == 0:
            await session.post(ev.CallStarted(caller, caller_id))
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

    async def _find(self, call_sid: str) -> Session | None:
        if call_sid in self._sessions:
            return self._sessions[call_sid]
        async with self._opening:  # two callbacks at once bring a call back once
            if call_sid not in self._sessions:
                steps = await self._desk.journal.steps(call_sid)
                if not steps:
                    return None
                self._sessions[call_sid] = Session(Call(self.flow, call_sid, self._engine), self._desk, steps)
        return self._sessions[call_sid]

    def _session(self, call_sid: str) -> Session:
        return Session(Call(self.flow, call_sid, self._engine), self._desk)

    def sweep_on(self) -> None:
        """Begin to sweep, and go on until `close`."""
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
            try:
                await self.sweep()
            except JournalFailed as error:
                _log.error("the sweep could not read the record", error=str(error))
            await asyncio.sleep(SWEEP_SECONDS)

    async def sweep(self) -> None:
        """Once: post waits that are over, take up orders left lying, let go of calls that are done."""
        late = self._desk.now() - GRACE
        for call_sid, timer in await self._desk.journal.due(late):
            session = await self.get(call_sid)
            await session.post(ev.TimeUp(timer.name, timer.armed))
        for order in await self._desk.journal.open_orders(self._desk.now()):
            if order.ordered_at <= late:
                session = await self.get(order.call_sid)
                await session.carry_out(order.key, order.order, claimed_before=order.claimed_before)
        for call_sid, session in list(self._sessions.items()):
            if session.idle:
                del self._sessions[call_sid]
                await session.close()

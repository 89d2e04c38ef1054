"""The payment sessions of the stand-in Twilio: the keypad, the callbacks, the processor and what was charged.

* Callbacks of a session are delivered one after another, each awaited, unless a fault says otherwise.
* The processor decides by card number (`cards.refusal_of`); what it charged stands in `charges`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from payagent.lab import cards, paysession
from payagent.lab.account import Charge, LabSettings
from payagent.lab.circumstances import Circumstances
from payagent.lab.dialect import reword
from payagent.lab.payforms import Opening, Refusal
from payagent.lab.paysession import Callback, PaySession
from payagent.lab.sids import Sids
from payagent.lab.signing import SignedPosts

PROCESSOR_SECONDS = 2.0


class Till:
    """Every payment session of the lab; `sessions` and `charges` are its ledger."""

    def __init__(self, settings: LabSettings, posts: SignedPosts, sids: Sids) -> None:
        self._s = settings
        self._posts = posts
        self._sids = sids
        self._announcements: list[tuple[PaySession, Callback]] = []
        self._held_back: dict[str, Callback] = {}
        self._turns: dict[str, asyncio.Lock] = {}
        self._timers: dict[str, asyncio.Task[None]] = {}
        self._work: set[asyncio.Task[None]] = set()
        self.sessions: list[PaySession] = []
        self.charges: list[Charge] = []

    # -- the keypad and the line

    async def key(self, call_sid: str, key: str) -> bool:
        """Press a key; False when no capture was listening, and the key is nothing of Pay's."""
        session = self.open_session(call_sid)
        if session is None or session.completing or not (session.active or key == "*"):
            return False
        self._stop_timer(session)
        for callback in session.key(key):
            await self._deliver(session, callback)
        return True

    def rest(self, call_sid: str) -> None:
        """The caller's hand rests: from here `Timeout` counts, but only after a first digit (4.1)."""
        session = self.open_session(call_sid)
        if session is not None and session.active and session.digits:
            self._stop_timer(session)
            self._timers[session.sid] = self._spawn(self._time_out(session))

    async def hung_up(self, call_sid: str) -> None:
        """The call is over; a charge already with the processor goes on (4.4)."""
        session = self.open_session(call_sid)
        if session is not None and not session.completing:
            self._stop_timer(session)
            await self._deliver(session, session.close(paysession.HUNG_UP))

    def forget(self, call_sid: str) -> None:
        """The call is over, and the app is not told (any more)."""
        session = self.open_session(call_sid)
        if session is not None and not session.completing:
            self._stop_timer(session)
            session.close(paysession.HUNG_UP)

    def open_session(self, call_sid: str) -> PaySession | None:
        """The call's open payment session."""
        return next((s for s in self.sessions if s.call_sid == call_sid and not s.end), None)

    # -- what REST requests order

    async def open(self, call_sid: str, opening: Opening) -> PaySession:
        """Open a session.

        Raises:
            Refusal: 64021, one is open already.
        """
        if self.open_session(call_sid) is not None:
            raise Refusal(64021, "a payment session is already open on this call", forbidden=False)
        session = self._new_session(call_sid, opening)
        self.sessions.append(session)
        await self._announce(session, session.opened())
        return session

    async def capture(self, session: PaySession, capture: str) -> None:
        """Listen to the keypad for `capture`; digits of a capture under way are lost.

        Raises:
            Refusal: 64020, the session was opened without that field.
        """
        if capture not in session.captures:
            raise Refusal(64020, f"the session was opened without {capture}")
        if session.active and session.digits:
            self._here(session).observer.on("digits_lost", field=session.active, count=len(session.digits))
        self._stop_timer(session)
        began = session.begin(capture)
        here = self._here(session)
        if not (here.faults.no_begin_callback and here.bites("no first callback")):
            await self._announce(session, began)
        if here.dialect.idle_time_out:
            self._timers[session.sid] = self._spawn(self._time_out(session))

    async def cancel(self, session: PaySession) -> None:
        """Close the session without a charge."""
        self._stop_timer(session)
        dialect = self._here(session).dialect
        closed = session.close(dialect.cancel_result or paysession.CANCELLED)
        if not dialect.cancel_result:
            del closed.form["Result"]
        if dialect.cancel_result != "none":
            await self._announce(session, closed)

    def complete(self, session: PaySession) -> None:
        """Send the card to the processor.

        Raises:
            Refusal: 64019, a field is missing; or the processor's own, where the dialect has it answer at once.
        """
        if session.missing:
            raise Refusal(64019, f"complete before {', '.join(session.missing)} was captured")
        refused = cards.refusal_of(session.card)
        if refused and self._here(session).dialect.gateway == "rest":
            session.close(paysession.DECLINED)
            raise Refusal(refused, "the processor refused the card", forbidden=False)
        session.completing = True
        self._spawn(self._process(session))

    # -- time

    def flush(self) -> None:
        """Let go the callbacks that waited for their request's answer."""
        waiting, self._announcements = self._announcements, []
        for session, callback in waiting:
            self._spawn(self._deliver(session, callback))

    async def settle(self) -> None:
        """Wait until nothing is under way any more."""
        while self._work:
            await asyncio.gather(*self._work, return_exceptions=True)

    async def aclose(self) -> None:
        """Stop everything under way."""
        for task in self._work:
            task.cancel()
        await self.settle()

    async def _process(self, session: PaySession) -> None:
        await asyncio.sleep(PROCESSOR_SECONDS * self._s.scale)
        refusal, here = cards.refusal_of(session.card), self._here(session)
        result = session.decline(refusal) if refusal else session.succeed(self._charge(session))
        if refusal and here.dialect.after_decline == "open":
            session.reopen()
        if not (here.faults.lose_final and here.bites("result lost")):
            await self._deliver(session, result)

    def _charge(self, session: PaySession) -> str:
        confirmation = f"ch_{self._sids.new('')[:8]}"
        charge = Charge(session.sid, session.amount, session.currency, confirmation, session.card[-4:])
        self.charges.append(charge)
        self._here(session).observer.on(
            "charge", amount=f"{charge.amount:.2f} {charge.currency}", confirmation=confirmation
        )
        return confirmation

    async def _time_out(self, session: PaySession) -> None:
        await asyncio.sleep(session.timeout_seconds * self._s.scale)
        self._timers.pop(session.sid, None)
        await self._deliver(session, session.timed_out())

    def _stop_timer(self, session: PaySession) -> None:
        timer = self._timers.pop(session.sid, None)
        if timer is not None:
            timer.cancel()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        return task

    # -- callbacks

    async def _announce(self, session: PaySession, callback: Callback) -> None:
        """The callback a request causes waits for the request's answer, unless a fault sends it ahead."""
        here = self._here(session)
        if here.faults.callback_first and here.bites("callback before the answer"):
            await self._deliver(session, callback)
        else:
            self._announcements.append((session, callback))

    async def _deliver(self, session: PaySession, callback: Callback) -> None:
        here = self._here(session)
        for one in self._worded(session, callback):
            if one.kind in here.faults.lose_callbacks and here.bites("callback lost"):
                continue
            if here.faults.late_callbacks and here.bites("callback late"):
                self._spawn(self._post(session, one, here.faults.late_callbacks))
            else:
                await self._deliver_in_turn(session, one)

    async def _deliver_in_turn(self, session: PaySession, callback: Callback) -> None:
        here = self._here(session)
        async with self._turns.setdefault(session.sid, asyncio.Lock()):
            overtaken = self._held_back.pop(session.sid, None)
            if (
                here.faults.reorder_callbacks
                and callback.kind == "partial"
                and not overtaken
                and here.bites("overtaken")
            ):
                self._held_back[session.sid] = callback
                return
            await self._post(session, callback, here.faults.delay_callbacks)
            if overtaken is not None:
                await self._post(session, overtaken, here.faults.delay_callbacks)

    async def _post(self, session: PaySession, callback: Callback, delay: float) -> None:
        here = self._here(session)
        await asyncio.sleep(delay * self._s.scale)
        here.observer.on("callback", name=callback.kind, form=callback.form)
        again = here.faults.duplicate_callbacks and here.bites("callback twice")
        for _ in range(2 if again else 1):
            await self._posts.status(session.callback_url, callback.form)

    def _worded(self, session: PaySession, callback: Callback) -> list[Callback]:
        """The callback in the call's dialect; a failed field may be told twice."""
        dialect = self._here(session).dialect
        form = reword(callback.form, dialect, f"{session.amount:.2f}", session.card)
        worded = [Callback(callback.kind, form)]
        if dialect.error_twice and callback.kind == "error":
            worded.append(Callback("error", form | {"DateUpdated": session.timestamp()}))
        return worded

    def _here(self, session: PaySession) -> Circumstances:
        return self._s.of(session.call_sid)

    def _new_session(self, call_sid: str, opening: Opening) -> PaySession:
        return PaySession(
            sid=self._sids.new("PK"),
            call_sid=call_sid,
            account_sid=self._s.account.account_sid,
            amount=opening.amount,
            currency=opening.currency,
            connector=self._s.account.connector,
            captures=opening.captures,
            rules=cards.Rules(opening.accepted, opening.min_postal_code_length, self._s.now().date()),
            timeout_seconds=opening.timeout_seconds,
            callback_url=opening.callback_url,
            now=self._s.now,
        )

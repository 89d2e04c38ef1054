"""The loop of one live call: one mailbox, one event at a time; decide, record, apply, perform.

* The journal's order is the order. If a step cannot be recorded, nothing moved and nothing is done. Once it is
  recorded it has happened, whatever becomes of its orders.
* Several workers may decide about one call; each takes in what the others have recorded before it decides, at the
  latest when it finds that its step's number is taken.
* Orders for the mouth are carried out by the worker that holds the relay which owns the call at that step, whoever
  decided it; without one they die. Durable orders are carried out by who decided, outside the mailbox, and come back
  as events.
* A caller whose words cannot be recorded is told so, and after a while the relay is ended: Twilio then asks what next.
* At most one model turn runs. It is cut as soon as the call says that it is no longer the current one; what had been
  sent of it is recorded before anything else is.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import time_ns
from typing import Any, Protocol

import structlog

from payagent.errors import JournalConflict, JournalFailed
from payagent.flow import effects as do
from payagent.flow import events as ev
from payagent.flow.call import Call
from payagent.flow.claims import OnRecord
from payagent.flow.facts import Pay
from payagent.flow.hand_off import NO_RECORD, card
from payagent.flow.script import Talk
from payagent.flow.states import FINAL, Line, Outcome, State
from payagent.flow.step import Step
from payagent.flow.tools import schema
from payagent.journal.protocol import Journal
from payagent.llm import Model
from payagent.mailbox import Letter, Mailbox
from payagent.metrics import Metrics
from payagent.outage import Outage
from payagent.performer import Caller, Performer
from payagent.phone.mouth import Mouth
from payagent.phone.redaction import CardScanner
from payagent.speech import Sentences
from payagent.traces import NO_TRACES, Traces
from payagent.turn import Turn

_log = structlog.get_logger("payagent.session")

KEPT = timedelta(seconds=60)
"""So long a call whose caller is not connected here stays in memory when nothing happens; the record brings it back."""

WRITING_RACES = 20
"""So often another worker may be faster before an event is given up."""


class Watcher(Protocol):
    """Somebody who is shown every step once it has been applied."""

    def __call__(self, call: Call, step: Step, offered: Sequence[str]) -> None:
        """Take note; must not raise."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What every session works with."""

    journal: Journal
    performer: Performer
    model: Model
    sentences: Sentences
    locales: dict[str, str]
    now: Callable[[], datetime]
    watchers: list[Watcher]
    metrics: Metrics = field(default_factory=Metrics)
    outage_seconds: float = 10.0
    traces: Traces = NO_TRACES
    alone: bool = False
    """Nobody else writes the record: there is nothing to take in from others, unless a number turns out to be taken."""


class Session:
    """One live call. `post` is the only way in."""

    def __init__(self, call: Call, desk: Desk, steps: Sequence[Step] = ()) -> None:
        self.call = call
        self.scanner = CardScanner()
        self.left = State.VERIFYING_IDENTITY
        self._desk = desk
        self._talk = Talk()
        self._caller_id = ""
        self._began = self._entered = desk.now()
        self._mouth: Mouth | None = None
        self._turn: Turn | None = None
        self._asked = ""
        self._relay_due = False
        self._touched = desk.now()
        self._floor = asyncio.Lock()
        self._letters = Mailbox()
        self._outage = Outage(desk.outage_seconds)
        self._alarm: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        for step in steps:
            self._take(step)
        self._set_alarm()
        self._start(self._run())

    async def post(self, event: ev.Event) -> Step | None:
        """Have the call take in an event; returns once its step is on the record (None: not worth a record).

        Raises:
            JournalFailed: it could not be recorded, so it has not happened; or this session is closed.
        """
        self._touched = self._desk.now()
        return await self._letters.put(event).answer()

    async def refresh(self) -> None:
        """Take in what other workers have recorded, and say what of it is this relay's to say.

        Raises:
            JournalFailed: it could not be read; or this session is closed.
        """
        await self._letters.put(None).answer()

    def heard_of(self, seq: int) -> None:
        """The record has that step: if it is news, and the caller is connected here, it is taken in."""
        if self._mouth and seq > self.call.seq:
            self._letters.put(None)

    async def admit(self) -> bool:
        """Whether a relay is due: one for each time that Twilio was told to connect one. Asking takes it.

        Raises:
            JournalFailed: the record cannot be read; or this session is closed.
        """
        if not self._relay_due:  # another worker may have told Twilio so
            await self.refresh()
        due, self._relay_due = self._relay_due and self.call.state not in FINAL, False
        return due

    @property
    def keys_are_card_data(self) -> bool:
        """From the order to open a payment session until its close."""
        return self.call.facts.pay in (Pay.HOLDING, Pay.OPENING, Pay.OPEN, Pay.CLOSING)

    @property
    def idle(self) -> bool:
        """Whether nothing is to do here: no order is under way, nobody is connected, and the call is over or quiet."""
        at_work = self._floor.locked() or not self._letters.empty or len(self._tasks) > 1
        quiet = self._desk.now() - self._touched > KEPT
        return self._mouth is None and not at_work and (quiet or self.call.state in FINAL)

    @property
    def connected(self) -> bool:
        """Whether the caller's relay is connected here."""
        return self._mouth is not None

    async def connect(self, mouth: Mouth, greeting: str) -> None:
        """A relay is up and owns the mouth from here on; on the call's first relay Twilio speaks the greeting."""
        if self._mouth:
            self._mouth.close()
        self._mouth = mouth
        with suppress(JournalFailed):
            await self.refresh()
        first = not self.call.facts.relay
        await self.post(ev.RelayConnected(mouth.session))
        if first and greeting:
            await self.post(ev.AgentSpoke("welcome", greeting))

    async def disconnect(self, mouth: Mouth) -> None:
        """That relay's socket is closed."""
        mouth.close()
        if self._mouth is mouth:
            self._mouth = None
        await self.post(ev.RelayLost(mouth.session))

    async def hear(self, words: str) -> None:
        """The caller said something; a card number in it is cut out before anybody reads it."""
        cut = self.scanner.cut(words, strict=self.keys_are_card_data)
        await self.post(ev.CallerSpoke(cut.words, cut.found))

    async def close(self) -> None:
        """Stop working on this call here; the record stands."""
        if self._alarm:
            self._alarm.cancel()
        self._outage.end()
        if self._mouth:
            self._mouth.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._letters.close()

    # The loop

    async def _run(self) -> None:
        structlog.contextvars.bind_contextvars(call_sid=self.call.call_sid)
        while True:
            letter = await self._letters.take()
            async with self._floor:
                await self._handle(letter)

    async def _handle(self, letter: Letter) -> None:
        """Decide, record, apply, answer the poster, perform. A fault of ours in one event does not silence the rest."""
        trigger = ev.trigger_of(letter.event) if letter.event else "refresh"
        try:
            step = await self._take_in(letter.event)
            letter.reply(step)
            if step:
                self._perform(step)
            await self._settle()
        except JournalFailed as error:
            _log.error("an event could not be recorded", trigger=trigger, error=str(error))
            letter.fail(error)
            if letter.event:
                self._tell_of_outage()
        except Exception:
            _log.critical("an event could not be handled", trigger=trigger, exc_info=True)
        finally:  # unanswered after a fault, and when this loop is cancelled
            letter.fail(JournalFailed(f"{trigger} was not taken in"))

    async def _take_in(self, event: ev.Event | None) -> Step | None:
        """The event's step; first of all, put on record what was said in an outage, and by a running turn."""
        with suppress(JournalFailed):  # what follows may be recorded all the same
            await self._record_said()
        turn, events = self._turn, [] if event is None else [event]
        words = turn.words if turn else ""
        if turn and words:
            events, turn.words = [ev.AgentSpoke(turn.key, words), *events], ""
        try:
            step = await self._record(*events) if events else None
        except JournalFailed:
            if turn and words:
                turn.words = words
            raise
        if event:
            return step
        await self._look_up()
        return None

    async def _record(self, *events: ev.Event) -> Step | None:
        """The last event's step, all of them on the record and applied; when another worker was faster, decided anew.

        Raises:
            JournalFailed: none of them is.
        """
        for _ in range(WRITING_RACES):
            if isinstance(events[-1], ev.CallStarted) and self.call.seq:  # Twilio delivers a webhook twice at times
                return None
            began, steps = time_ns(), self._decide(events)
            if not steps:
                if await self._look_up():  # what is not worth a record here may be after others' steps
                    continue
                return None
            try:
                with self._desk.metrics.appending():
                    await self._desk.journal.append(*steps)
            except JournalConflict:
                await self._catch_up()
                continue
            self._outage.end()
            for step in steps:
                self._go_on(step, began)
            self._set_alarm()
            return steps[-1] if steps[-1].event is events[-1] else None
        raise JournalFailed(f"step {self.call.seq + 1} of {self.call.call_sid} was written by others again and again")

    def _decide(self, events: Sequence[ev.Event]) -> list[Step]:
        """The steps of those events that are worth a record, each decided where the one before leads."""
        call, now, steps = self.call, self._desk.now(), list[Step]()
        for event in events:
            if steps and call.seq < steps[-1].seq:
                call = call.twin()
                call.apply(steps[-1])
            if step := call.decide(event, now):
                steps.append(step)
        return steps

    def _go_on(self, step: Step, began: int) -> None:
        """Apply a step decided here that is on the record now, and tell of it."""
        was, since = self.call.facts, self._entered
        self._take(step)
        row, seconds = self.call.flow.by_id.get(step.row), (step.at - since).total_seconds()
        self._desk.metrics.step(step, row, was, self.call.facts, seconds)
        self._desk.traces.step(step, row, self._began, began)
        self._show(step)

    async def _look_up(self) -> bool:
        """Whether others have recorded steps; they are taken in."""
        return not self._desk.alone and await self._catch_up()

    async def _catch_up(self) -> bool:
        """Take in the steps that other workers have recorded, saying what they order; whether there were any."""
        missed = await self._desk.journal.steps(self.call.call_sid, after=self.call.seq)
        for step in missed:
            owner = self.call.facts.relay
            self._take(step)
            self._voice(step)
            if self._mouth and self._mouth.session == owner and self.call.facts.relay not in (owner, ""):
                self._mouth.close()  # the newest relay, there, owns the mouth
        if missed:
            self._set_alarm()
        return bool(missed)

    def _take(self, step: Step) -> None:
        """Apply a recorded step."""
        self.call.apply(step)
        if step.seq == 1:
            self._began = step.at
        if step.seq == 1 or step.after is not step.before:
            self._entered = step.at
        self._talk.add(step)
        if isinstance(step.event, ev.CallStarted):
            self._caller_id = step.event.caller_id
            self._relay_due = True
        if isinstance(step.event, ev.RelayConnected):
            self._relay_due = False
        if any(isinstance(order, do.ConnectRelay) for order in step.orders):
            self._relay_due = True
        if step.after is State.HANDING_OFF and step.before is not State.HANDING_OFF:
            self.left = step.before
        if self._turn and self._turn.key != self.call.facts.turn:
            self._cut_turn()

    def _show(self, step: Step) -> None:
        # What moves nothing (a key, what was said, a turn's end) is on the record; most lines would be of such.
        tell = _log.info if step.row or step.refused else _log.debug
        tell(
            "step",
            seq=step.seq,
            state=str(step.after),
            before=str(step.before),
            trigger=ev.trigger_of(step.event),
            row=step.row,
            refused=step.refused,
            orders=[type(order).__name__ for order in step.orders],
        )
        offered = self.call.offered(step.at) if self._desk.watchers else ()
        for watch in self._desk.watchers:
            watch(self.call, step, offered)

    # Orders

    def _perform(self, step: Step) -> None:
        """Start the durable orders of a step decided here, and say what it orders."""
        durable = [(key, order) for key, order in _keyed(step) if isinstance(order, do.DurableOrder)]
        if durable:
            self._start(self._carry_out(durable))
        self._voice(step)

    def _voice(self, step: Step) -> None:
        """Carry out a step's orders for the mouth, if the relay that owns the call is connected here."""
        if self._mouth is None or self._mouth.session != self.call.facts.relay:
            return
        spoken = [text for order in step.orders for text in self._speak(order)]
        if spoken:
            key = do.order_key(step.call_sid, step.seq, 0)
            self._outage.said.append(ev.AgentSpoke(key, " ".join(spoken)))
        for key, order in _keyed(step):
            if isinstance(order, do.Think):
                self._asked = key

    async def _settle(self) -> None:
        """Put on record what was said; last let the model think, who then knows it."""
        try:
            await self._record_said()
        except JournalFailed as error:  # it was said all the same
            _log.error("what was said could not be recorded", error=str(error))
        asked, self._asked = self._asked, ""
        if asked:
            self._think(asked)

    async def _record_said(self) -> None:
        while self._outage.said:
            await self._record(self._outage.said[0])
            del self._outage.said[0]

    def _speak(self, order: do.Order) -> list[str]:
        """Carry out an order for the mouth; the words that were sent. When the relay is gone it dies."""
        mouth, facts = self._mouth, self.call.facts
        if mouth is None or mouth.closed:
            return []
        match order:
            case do.Say(sentence=sentence, values=values, interruptible=interruptible):
                text = self._desk.sentences.render(sentence, dict(values), facts.language)
                mouth.say(text, interruptible=interruptible)
                return [text]
            case do.SwitchLanguage(language=language):
                locale = self._desk.locales[language]
                mouth.language(locale, locale)
            case do.EndRelay():
                mouth.end(json.dumps(self.hand_off_card()) if self.call.state is State.HANDING_OFF else None)
        return []

    def hand_off_card(self) -> dict[str, object]:
        """What a person who takes this call has to know."""
        return card(self.call, self.left)

    def take_up(self, key: str, order: do.DurableOrder) -> None:
        """Begin to carry out a durable order that was left lying."""
        self._touched = self._desk.now()
        self._start(self._carry_out([(key, order)], left_lying=True))

    async def _carry_out(self, orders: list[tuple[str, do.DurableOrder]], *, left_lying: bool = False) -> None:
        """Do durable orders, one after the other, and take their answers in."""
        caller = Caller(self.call.call_sid, self._caller_id)

        async def wanted() -> bool:
            if left_lying:  # other workers may have moved the call meanwhile
                await self.refresh()
            return self._is_wanted(key, order)

        for key, order in orders:
            answer = await self._desk.performer.perform(key, order, caller, wanted)
            if answer:
                await self._try_post(answer)

    def _is_wanted(self, key: str, order: do.DurableOrder) -> bool:
        """Whether the call still waits for a charge, and a capture is still the latest."""
        match order:
            case do.CompletePay():
                return self.call.state is State.PROCESSING_PAYMENT and self.call.facts.awaits("CompletePay", key)
            case do.Capture():
                return self.call.facts.awaits("Capture", key)
            case _:
                return True

    async def _try_post(self, event: ev.Event) -> None:
        """Post; an answer that cannot be recorded is lost, and its order stays open for the sweep."""
        try:
            await self.post(event)
        except JournalFailed:
            _log.error("an answer could not be recorded", trigger=ev.trigger_of(event))

    # The record out of reach

    @property
    def charge_open(self) -> bool:
        """Whether the card may be charged by now, with nothing on record to tell."""
        return self.call.facts.completing and self.call.facts.outcome is Outcome.NONE

    def _tell_of_outage(self) -> None:
        """The truth at once, and the end of the relay if it lasts."""
        if self._mouth and not self._mouth.closed and self._outage.begin(self._give_up):
            self._say_unrecorded("still_working" if self.charge_open else "record_away")

    def _give_up(self) -> None:
        """The caller has waited long enough; without a record Twilio passes the call to a person."""
        if self._mouth and not self._mouth.closed:
            _log.critical("the record is out of reach; the caller is passed on")
            self._say_unrecorded("record_lost")
            self._mouth.end(json.dumps(card(self.call, self.call.state) | {"reason": NO_RECORD}))

    def _say_unrecorded(self, sentence: str) -> None:
        """A sentence nobody ordered, since nothing can be decided; it is put on record as soon as that can be."""
        self._cut_turn()
        if self._mouth:
            text = self._desk.sentences.render(sentence, {}, self.call.facts.language)
            self._mouth.say(text, interruptible=False)
            self._outage.said.append(ev.AgentSpoke("outage", text))

    # The model's turn

    def _think(self, key: str) -> None:
        """Start a turn; without a relay it dies, as it does when the call has gone on meanwhile."""
        mouth, facts = self._mouth, self.call.facts
        if mouth is None or mouth.closed or facts.turn != key:
            return
        messages = self._talk.messages(self.call.state, facts.language, self._known())
        tools = [schema(name) for name in self.call.offered(self._desk.now())]
        self._turn = Turn(key, mouth, self._floor, OnRecord.of(facts))
        self._turn.task = self._start(self._converse(self._turn, messages, tools))

    async def _converse(self, turn: Turn, messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> None:
        clock, end = asyncio.get_running_loop().time, None
        began, traced = clock(), time_ns()
        try:
            end = await turn.run(self._desk.model, messages, tools)
        finally:
            self._desk.metrics.turn(end, began, turn.first_words, clock())
            self._desk.traces.turn(self.call.call_sid, end, traced)
        self._letters.put(end)  # not waited for: what it leads to cancels the turn, this task with it

    def _known(self) -> str:
        """Facts the model may use in talking: a bill is known once a fixed sentence tells it."""
        bill = self.call.facts.bill
        return f"The bill told: {bill.description}, {bill.owed} owed." if bill else ""

    def _cut_turn(self) -> None:
        """End the running turn: its stream and its talk cycle are closed."""
        turn, self._turn = self._turn, None
        if turn and turn.words:
            self._outage.said.append(ev.AgentSpoke(turn.key, turn.words))
            turn.words = ""
        if turn and turn.task:
            turn.task.cancel()
            turn.task = None  # its error would hold the turn, and the turn its error
        if self._mouth:
            self._mouth.close_cycle()

    # Waiting

    def _set_alarm(self) -> None:
        """Wake up for the first timer that is due, unless that is for the worker the caller is connected to."""
        if self._alarm:
            self._alarm.cancel()
        facts = self.call.facts
        elsewhere = self._mouth is None and facts.relay and facts.line is Line.UP
        if self.call.timers and not elsewhere:
            first = min(self.call.timers, key=lambda timer: timer.due)
            wait = max(0.0, (first.due - self._desk.now()).total_seconds())
            time_up = ev.TimeUp(first.name, first.armed)
            self._alarm = asyncio.get_running_loop().call_later(wait, self._letters.put, time_up)

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _keyed(step: Step) -> list[tuple[str, do.Order]]:
    """The step's orders, each with its key."""
    return [(do.order_key(step.call_sid, step.seq, n), order) for n, order in enumerate(step.orders)]

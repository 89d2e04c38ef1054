"""The loop of one live call: one mailbox, one event at a time; decide, record, apply, perform.

* The journal's order is the order. If a step cannot be recorded, nothing moved and nothing is done.
* Orders for the mouth belong to the relay that is connected now; without one they die. Durable orders are carried out
  outside the mailbox and come back as events.
* At most one model turn runs. It is cut as soon as the call says that it is no longer the current one; what had been
  sent of it is recorded before anything else is.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, get_args

import structlog

from payagent.errors import JournalConflict, JournalFailed, ModelFailed
from payagent.flow import effects as do
from payagent.flow import events as ev
from payagent.flow.call import Call
from payagent.flow.facts import Pay
from payagent.flow.hand_off import card
from payagent.flow.script import Talk
from payagent.flow.states import FINAL, State
from payagent.flow.step import Step
from payagent.flow.tools import schema
from payagent.journal.protocol import Journal
from payagent.llm import Finished, Model, Tool, Words
from payagent.performer import Caller, Performer
from payagent.phone.mouth import Mouth
from payagent.phone.redaction import CardScanner
from payagent.speech import Sentences

_log = structlog.get_logger("payagent.session")

DURABLE = get_args(do.DurableOrder)
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


@dataclass(slots=True)
class _Turn:
    """The model turn that runs: its task, and the words that were sent and are not yet on the record."""

    key: str
    task: asyncio.Task[None] | None = None
    words: str = ""


@dataclass(slots=True)
class _Letter:
    event: ev.Event
    answer: asyncio.Future[Step | None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def reply(self, step: Step | None) -> None:
        if not self.answer.done():
            self.answer.set_result(step)

    def fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)
            self.answer.exception()  # seen here: not every poster waits for its answer


class Session:
    """One live call. `post` is the only way in."""

    def __init__(self, call: Call, desk: Desk, steps: Sequence[Step] = ()) -> None:
        self.call = call
        self.scanner = CardScanner()
        self.left = State.VERIFYING_IDENTITY
        self._desk = desk
        self._talk = Talk()
        self._caller_id = ""
        self._mouth: Mouth | None = None
        self._turn: _Turn | None = None
        self._letters: asyncio.Queue[_Letter] = asyncio.Queue()
        self._alarm: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        for step in steps:
            self._take(step)
        self._set_alarm()
        self._loop = self._start(self._run())

    async def post(self, event: ev.Event) -> Step | None:
        """Have the call take in an event; returns once its step is on the record (None: not worth a record).

        Raises:
            JournalFailed: it could not be recorded, so it has not happened.
        """
        letter = _Letter(event)
        self._letters.put_nowait(letter)
        return await letter.answer

    @property
    def keys_are_card_data(self) -> bool:
        """From the order to open a payment session until its close."""
        return self.call.facts.pay in (Pay.HOLDING, Pay.OPENING, Pay.OPEN, Pay.CLOSING)

    @property
    def idle(self) -> bool:
        """Whether nothing is left to do here: the call is over, nobody is connected, no order is under way."""
        return self.call.state in FINAL and self._mouth is None and len(self._tasks) == 1 and self._letters.empty()

    async def connect(self, mouth: Mouth, greeting: str) -> None:
        """A relay is up and owns the mouth from here on; on the call's first relay Twilio speaks the greeting."""
        first = not self.call.facts.relay
        if self._mouth is not None:
            self._cut_turn()
            self._mouth.close()
        self._mouth = mouth
        await self.post(ev.RelayConnected(mouth.session))
        if first and greeting:
            await self.post(ev.AgentSpoke("welcome", greeting))

    async def disconnect(self, mouth: Mouth) -> None:
        """That relay's socket is closed."""
        mouth.close()
        if self._mouth is mouth:
            self._cut_turn()
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
        if self._mouth:
            self._mouth.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # The loop

    async def _run(self) -> None:
        structlog.contextvars.bind_contextvars(call_sid=self.call.call_sid)
        while True:
            letter = await self._letters.get()
            try:
                letter.reply(await self._handle(letter.event))
            except JournalFailed as error:
                _log.error("an event could not be recorded", trigger=ev.trigger_of(letter.event), error=str(error))
                letter.fail(error)
            except Exception as error:  # a fault of ours in one event must not silence the rest of the call
                _log.critical("an event could not be handled", trigger=ev.trigger_of(letter.event), exc_info=True)
                letter.fail(error)

    async def _handle(self, event: ev.Event) -> Step | None:
        """Decide, record, apply, perform; first of all, put on record what a running turn has said."""
        if self._turn and self._turn.words:
            words, self._turn.words = self._turn.words, ""
            await self._record(ev.AgentSpoke(self._turn.key, words))
        step = await self._record(event)
        if step:
            await self._perform(step)
        return step

    async def _record(self, event: ev.Event) -> Step | None:
        """The event's step, on the record and applied; when another worker was faster, decided anew."""
        call, journal = self.call, self._desk.journal
        for _ in range(WRITING_RACES):
            step = call.decide(event, self._desk.now())
            if step is None:
                return None
            try:
                await journal.append(step, getattr(event, "order", ""))
            except JournalConflict:
                for missed in await journal.steps(call.call_sid, after=call.seq):
                    self._take(missed)
                continue
            self._take(step)
            self._show(step)
            self._set_alarm()
            return step
        raise JournalFailed(f"step {call.seq + 1} of {call.call_sid} was written by others again and again")

    def _take(self, step: Step) -> None:
        """Apply a recorded step."""
        self.call.apply(step)
        self._talk.add(step)
        if isinstance(step.event, ev.CallStarted):
            self._caller_id = step.event.caller_id
        if step.after is State.HANDING_OFF and step.before is not State.HANDING_OFF:
            self.left = step.before
        if self._turn and self._turn.key != self.call.facts.turn:
            self._cut_turn()

    def _show(self, step: Step) -> None:
        _log.info(
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

    async def _perform(self, step: Step) -> None:
        spoken: list[str] = []
        durable: list[tuple[str, do.DurableOrder]] = []
        turn = ""
        for n, order in enumerate(step.orders):
            key = do.order_key(step.call_sid, step.seq, n)
            if isinstance(order, DURABLE):
                durable.append((key, order))
            elif isinstance(order, do.Think):
                turn = key
            else:
                spoken += self._speak(order)
        if durable:
            self._start(self._carry_out(durable))
        if spoken:
            await self._record(ev.AgentSpoke(do.order_key(step.call_sid, step.seq, 0), " ".join(spoken)))
        if turn:  # last, so that the model knows what was just said
            self._think(turn)

    def _speak(self, order: do.Order) -> list[str]:
        """Carry out an order for the mouth; the words that were sent. Without a relay it dies."""
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

    async def _carry_out(self, orders: list[tuple[str, do.DurableOrder]]) -> None:
        """Durable orders of one step, one after the other."""
        for key, order in orders:
            await self.carry_out(key, order)

    async def carry_out(self, key: str, order: do.DurableOrder, *, claimed_before: bool = False) -> None:
        """Do one durable order and take its answer in."""
        caller = Caller(self.call.call_sid, self._caller_id)
        answer = await self._desk.performer.perform(key, order, caller, claimed_before=claimed_before)
        if answer:
            await self._try_post(answer)

    async def _try_post(self, event: ev.Event) -> None:
        """Post; an answer that cannot be recorded is lost, and its order stays open for the sweep."""
        try:
            await self.post(event)
        except JournalFailed:
            _log.error("an answer could not be recorded", trigger=ev.trigger_of(event))

    # The model's turn

    def _think(self, key: str) -> None:
        if self._mouth is None or self._mouth.closed:
            return
        turn = _Turn(key)
        self._turn = turn
        turn.task = self._start(self._converse(turn, self._mouth))

    async def _converse(self, turn: _Turn, mouth: Mouth) -> None:
        """One model turn: words leave as they come, tools are posted, the end is posted."""
        call = self.call
        now = self._desk.now()
        messages = self._talk.messages(call.state, call.facts.language, self._known())
        tools = [schema(name) for name in call.offered(now)]
        called = spoke = False
        try:
            async with aclosing(self._desk.model.turn(messages, tools)) as pieces:
                async for piece in pieces:
                    match piece:
                        case Words(text=text):
                            spoke = True
                            turn.words += text
                            mouth.token(text)
                        case Tool(call_id=call_id, name=name, arguments=arguments):
                            called = True
                            mouth.close_cycle()
                            await asyncio.shield(self._try_post(ev.ToolCalled(turn.key, call_id, name, arguments)))
                        case Finished(reason=reason):
                            if not called and not spoke:  # `content_filter`, `length`: the caller heard nothing
                                raise ModelFailed(reason)
                            mouth.close_cycle()
                            if not called:
                                await self._try_post(ev.TurnEnded(turn.key, reason))
        except ModelFailed as failed:
            mouth.close_cycle()
            _log.warning("the model failed", reason=failed.reason)
            await self._try_post(ev.ModelFailed(turn.key, failed.reason))

    def _known(self) -> str:
        """Facts the model may use in talking; all of them were told to the caller by fixed sentences."""
        bill = self.call.facts.bill
        if bill is None or not self.call.facts.told:
            return ""
        return f"The bill told: {bill.description}, {bill.owed} owed."

    def _cut_turn(self) -> None:
        """End the running turn: its stream is closed, its talk cycle too; a tool it already called stays called."""
        turn, self._turn = self._turn, None
        if turn is None:
            return
        if turn.task:
            turn.task.cancel()
        if self._mouth:
            self._mouth.close_cycle()

    # Waiting

    def _set_alarm(self) -> None:
        """Wake up for the first timer that is due."""
        if self._alarm:
            self._alarm.cancel()
        self._alarm = None
        if not self.call.timers:
            return
        first = min(self.call.timers, key=lambda timer: timer.due)
        wait = max(0.0, (first.due - self._desk.now()).total_seconds())
        loop = asyncio.get_running_loop()
        self._alarm = loop.call_later(
            wait, lambda: self._letters.put_nowait(_Letter(ev.TimeUp(first.name, first.armed)))
        )

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

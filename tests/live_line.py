"""A line to call on, for tests of the loop: real journal, book, sentences and table; model and Payments by hand.

Time is virtual (see `virtual_time`), so `settled` waits exactly until nothing more can go on without the clock.
"""

from __future__ import annotations

import asyncio
import copy
import inspect
import json
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from virtual_time import VirtualLoop, virtual_now

from payagent.accounts.demo import load_demo
from payagent.accounts.protocol import Accounts
from payagent.accounts.sql import SqlAccounts
from payagent.errors import TwilioRefused
from payagent.flow import events as ev
from payagent.flow.guards import PROVIDER_UNAVAILABLE
from payagent.flow.money import Money
from payagent.flow.states import Pace, State
from payagent.flow.step import Step
from payagent.flow.table import Flow, build
from payagent.journal.postgres import PostgresJournal
from payagent.journal.protocol import Journal
from payagent.journal.spool import Spool
from payagent.journal.sqlite import SqliteJournal
from payagent.llm import Finished, Model, Piece, Tool, Words
from payagent.metrics import Metrics
from payagent.performer import Performer
from payagent.phone.mouth import Mouth
from payagent.phone.payments import NeverSent, Payments
from payagent.session import Desk, Session
from payagent.speech import Sentences
from payagent.switchboard import Switchboard
from payagent.traces import NO_TRACES, Traces

CALL = "CA" + "1" * 32
PAYMENT = "PK" + "2" * 32
KEY = b"a key for tests, 32 bytes long.."
SENTENCES = Sentences.load(None)
LOCALES = {"en": "en-US", "es": "es-US"}

Script = Iterable[Piece | float | Exception | asyncio.Event]


def tool(name: str, call_id: str = "call-1", /, **arguments: object) -> Tool:
    """A tool call as the model makes it."""
    return Tool(call_id, name, json.dumps(arguments))


def says(text: str) -> Script:
    """A turn of nothing but these words."""
    return [Words(text), Finished("stop")]


def calls(name: str, /, **arguments: object) -> Script:
    """A turn of nothing but this tool."""
    return [tool(name, **arguments), Finished("tool_calls")]


NEVER = 1e9
"""Seconds that no call lasts: what waits so long never goes on."""


@dataclass
class Asked:
    """One request to the model: what it was shown, and whether its stream was closed."""

    messages: list[dict[str, Any]]
    tools: list[str]
    closed: bool = False


class ScriptedModel:
    """Has one script a turn, in order: pieces, seconds to wait, an event to wait for, an error to raise.

    Without a script left it says "Well." and no more.
    """

    def __init__(self) -> None:
        self.scripts: deque[Script] = deque()
        self.asked: list[Asked] = []
        self.at_once = 0
        self._running = 0

    async def turn(self, messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> AsyncGenerator[Piece, None]:
        asked = Asked(copy.deepcopy(messages), [one["function"]["name"] for one in tools])
        self.asked.append(asked)
        self._running += 1
        self.at_once = max(self.at_once, self._running)
        try:
            for piece in self.scripts.popleft() if self.scripts else says("Well."):
                match piece:
                    case asyncio.Event():
                        await piece.wait()
                    case float() | int():
                        await asyncio.sleep(piece)
                    case Exception():
                        raise piece
                    case _:
                        yield piece
        finally:
            self._running -= 1
            asked.closed = True


def _may_be_done(request: str, failure: Exception | None) -> bool:
    """Whether Twilio may have done what it gave this answer to."""
    match failure:
        case NeverSent():
            return False
        case TwilioRefused(code=code):
            return request == "complete" and code == PROVIDER_UNAVAILABLE
        case _:
            return True


class Till:
    """Twilio's Payments: notes each request as `open 600.00`, `capture card_number`, and answers as it is told.

    `fails` has an error, or several for as many requests, by the request's name; `waits` the seconds an answer takes.
    `after` is told of each request that was taken in. `done` are the keys of what may have been done, by the request.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.keys: list[str] = []
        self.done: dict[str, list[str]] = {}
        self.fails: dict[str, list[Exception]] = {}
        self.waits: dict[str, float] = {}
        self.after: Callable[[str], None] | None = None

    async def open(self, call_sid: str, key: str, amount: Money, description: str) -> str:
        await self._answer(f"open {amount.amount}", key)
        return PAYMENT

    async def capture(self, call_sid: str, session: str, key: str, field_name: str) -> None:
        await self._answer(f"capture {field_name}", key)

    async def complete(self, call_sid: str, session: str, key: str) -> None:
        await self._answer("complete", key)

    async def cancel(self, call_sid: str, session: str, key: str) -> None:
        await self._answer("cancel", key)

    async def _answer(self, request: str, key: str) -> None:
        self.asked.append(request)
        self.keys.append(key)
        if self.after:
            self.after(request)
        name = request.split()[0]
        failure = self.fails[name].pop(0) if self.fails.get(name) else None
        if _may_be_done(name, failure):
            self.done.setdefault(name, []).append(key)
        await asyncio.sleep(self.waits.get(name, 0))
        if failure:
            raise failure


class Ear:
    """The caller's end of one relay: `mouth` speaks, `frames` is what came over the socket."""

    def __init__(self, session: str) -> None:
        self.mouth = Mouth(session)
        self.frames: list[dict[str, Any]] = []
        self.task = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        async for frame in self.mouth.frames():
            self.frames.append(json.loads(frame))

    @property
    def heard(self) -> str:
        """All words so far."""
        return "".join(frame.get("token", "") for frame in self.frames)


class Frail:
    """A real part that fails when a test says so: `breaks` has errors for its methods, by name, each raised once.

    `after` is told of each deed that was done.
    """

    def __init__(self, part: object) -> None:
        self._part = part
        self.breaks: dict[str, list[Exception]] = {}
        self.after: Callable[[str], None] | None = None

    def __getattr__(self, name: str) -> Any:
        if self.breaks.get(name):
            raise self.breaks[name].pop(0)
        method = getattr(self._part, name)
        return self._told(name, method) if self.after else method

    def _told(self, name: str, method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def told(*args: Any, **more: Any) -> Any:
            answer = await method(*args, **more)
            if self.after:
                self.after(name)
            return answer

        return told


class Pen(Frail):
    """A journal on whose writing a test can lay a hand.

    `fails` are errors for the next appends. `before` is awaited before each append, with its step: it may wait, raise,
    or have another worker write first. `written` are the numbers of the steps of each append.
    """

    def __init__(self, journal: object) -> None:
        super().__init__(journal)
        self.fails: list[Exception] = []
        self.before: Callable[[Step], Awaitable[None]] | None = None
        self.written: list[list[int]] = []

    async def append(self, *steps: Step) -> None:
        for step in steps:
            if self.before:
                await self.before(step)
        if self.fails:
            raise self.fails.pop(0)
        await self._part.append(*steps)  # type: ignore[attr-defined]
        self.written.append([step.seq for step in steps])
        if self.after:
            self.after(f"append {steps[-1].seq}")


class Owing:
    """A part that answers over a socket: the virtual clock waits for it, as it does for threads."""

    def __init__(self, part: object) -> None:
        self._part = part

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._part, name)
        if not inspect.iscoroutinefunction(found):
            return found

        async def owed(*arguments: Any, **named: Any) -> Any:
            loop = asyncio.get_running_loop()
            assert isinstance(loop, VirtualLoop)
            return await loop.owing(asyncio.ensure_future(found(*arguments, **named)))

        return owed


@dataclass
class Worker:
    """One process at work: a switchboard over a journal connection of its own."""

    switchboard: Switchboard
    journal: Journal
    pen: Pen
    steps: list[Step] = field(default_factory=list)

    async def die(self) -> None:
        """As a killed process: from here on it can record nothing, and nobody told it to stop."""
        await self.journal.close()


class Line:
    """Everything one call needs. `session` and `ear` are of the latest worker and relay.

    `url` is the PostgreSQL that has the journal; "": it is a SQLite file.
    """

    def __init__(self, folder: Path, flow: Flow, url: str = "", traces: Traces = NO_TRACES) -> None:
        self.folder = folder
        self.url = url
        self.traces = traces
        self.flow = flow
        self.model = ScriptedModel()
        self.till = Till()
        self.accounts = SqlAccounts(folder / "book.db")
        self.book = Frail(self.accounts)
        self.spool = Frail(Spool(folder / "spool", KEY))
        self.workers: list[Worker] = []
        self.session: Session
        self.ear: Ear

    @property
    def worker(self) -> Worker:
        return self.workers[-1]

    @property
    def state(self) -> State:
        return self.session.call.state

    async def hire(self, **other: Any) -> Worker:
        """Another worker on the same journal; `other` takes the place of parts of its desk."""
        journal = await self.open_journal()
        pen = Pen(journal)
        steps: list[Step] = []
        metrics = Metrics()
        performer = Performer(
            cast(Journal, pen),
            cast(Accounts, self.book),
            cast(Payments, self.till),
            f"worker-{len(self.workers)}",
            virtual_now,
            metrics,
            traces=self.traces,
        )
        parts: dict[str, Any] = {
            "journal": pen,
            "performer": performer,
            "model": cast(Model, self.model),
            "sentences": SENTENCES,
            "locales": LOCALES,
            "now": virtual_now,
            "watchers": [lambda call, step, offered: steps.append(step)],
            "metrics": metrics,
            "traces": self.traces,
        }
        await self.spool.open()
        switchboard = Switchboard(self.flow, Desk(**(parts | other)), cast(Spool, self.spool))
        self.workers.append(Worker(switchboard, journal, pen, steps))
        return self.worker

    async def open_journal(self) -> Journal:
        """The journal by a connection of its own."""
        if self.url:
            journal = Owing(PostgresJournal(self.url, KEY))
            await journal.open()
            return cast(Journal, journal)
        file = SqliteJournal(self.folder / "journal.db", KEY)
        await file.open()
        return file

    async def ring(self) -> Session:
        """The phone rings and the relay connects; the greeting is spoken by Twilio."""
        self.session = await self.worker.switchboard.start(CALL, "…0100", "caller-hash")
        await self.connect("VX1")
        return self.session

    async def connect(self, relay: str) -> Ear:
        """A relay of that session connects."""
        self.ear = Ear(relay)
        await self.session.connect(self.ear.mouth, "Hello.")
        await settled()
        return self.ear

    async def caller_says(self, words: str, *scripts: Script) -> None:
        """The caller speaks; the model's next turns are these."""
        self.model.scripts.extend(scripts)
        await self.session.hear(words)
        await settled()

    async def reports(self, *reports: ev.Event) -> None:
        """Callbacks of the payment session come in, one after the other."""
        for report in reports:
            await self.session.post(report)
            await settled()

    async def steps(self) -> list[Step]:
        """The call's record, read with a connection of its own."""
        journal = await self.open_journal()
        try:
            return await journal.steps(CALL)
        finally:
            await journal.close()

    async def events(self) -> list[ev.Event]:
        return [step.event for step in await self.steps()]

    # How far a call has come

    async def verified(self) -> None:
        """John Doe owes 600.00 and has heard it."""
        person = {"full_name": "John Doe", "date_of_birth": "1990-05-01"}
        await self.caller_says("John Doe, the first of May 1990", calls("verify_user", **person))
        assert self.state is State.CONFIRMING_BALANCE

    async def agreed(self) -> None:
        """He has agreed to it and is asked how much he will pay."""
        await self.verified()
        await self.caller_says("Yes", calls("confirm_balance", agreed=True))
        assert self.state is State.CHOOSING_AMOUNT

    async def paying(self) -> None:
        """He pays all of it: the amount is told, the session open."""
        await self.agreed()
        await self.caller_says("All of it", calls("start_payment", amount="600.00"))

    async def keyed_in(self) -> None:
        """Automatic pace: all fields are keyed in, so the charge is ordered."""
        await self.paying()
        await self.reports(*keyed_fields(self.flow))
        assert self.state is State.PROCESSING_PAYMENT


async def at_entry(line: Line) -> None:
    """The clock has asked for the card number."""
    await line.paying()
    await asyncio.sleep(line.flow.limits.due_seconds + 20)


async def at_ready(line: Line) -> None:
    """Model pace: all fields are keyed in, and the caller is asked for the go-ahead."""
    await at_entry(line)
    for report in keyed_fields(line.flow):
        await line.reports(report)
        await asyncio.sleep(line.flow.limits.due_seconds + 20)


async def at_cancelled(line: Line) -> None:
    await at_entry(line)
    await line.caller_says("Stop that", calls("cancel_payment_processing"))


async def at_declined(line: Line) -> None:
    await at_ready(line)
    await line.caller_says("Yes", calls("complete_payment_processing"))
    await line.reports(ev.PaymentFailed(PAYMENT, "payment-connector-error", 64012, "declined"))


async def at_completed(line: Line) -> None:
    await at_ready(line)
    await line.caller_says("Yes", calls("complete_payment_processing"))
    await line.reports(ev.PaymentSucceeded(PAYMENT, "ch7", digest="success"))


async def at_identity(line: Line) -> None:
    """Where every call begins."""


WAYS: dict[State, Callable[[Line], Awaitable[None]]] = {
    State.VERIFYING_IDENTITY: at_identity,
    State.CONFIRMING_BALANCE: Line.verified,
    State.CHOOSING_AMOUNT: Line.agreed,
    State.CARD_NUMBER_DUE: Line.paying,
    State.CARD_NUMBER_ENTRY: at_entry,
    State.READY_TO_COMPLETE: at_ready,
    State.PAYMENT_CANCELLED: at_cancelled,
    State.PAYMENT_DECLINED: at_declined,
    State.PAYMENT_COMPLETED: at_completed,
}
"""The states in which the model may speak, and a way to each in model pace."""


def keyed_fields(flow: Flow) -> list[ev.Event]:
    """The callbacks of a card keyed in without a slip."""
    names = [one.name for one in flow.profile.fields]
    return [
        ev.FieldCaptured(PAYMENT, name, tuple(names[n + 1 :]), "1111", "visa", digest=f"field-{n}")
        for n, name in enumerate(names)
    ]


async def settled() -> None:
    """Until nothing more can go on but by the clock, which moves by a millisecond."""
    await asyncio.sleep(0.001)


@asynccontextmanager
async def open_line(
    folder: Path, pace: Pace = Pace.MODEL, url: str = "", traces: Traces = NO_TRACES
) -> AsyncIterator[Line]:
    """A line with one worker; at the end everything is closed, whatever state it is in."""
    line = Line(folder, build(pace), url, traces)
    await line.accounts.open()
    await load_demo(line.accounts)
    await line.hire()
    try:
        yield line
    finally:
        for worker in line.workers:
            await worker.switchboard.close()
            await worker.journal.close()
        await line.accounts.close()

"""Every scenario from the ring to the goodbye, on real sockets: what was heard, what was charged, what was left."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from card_search import ON_PURPOSE, traces
from logging_state import logging_restored
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from payagent import logs, rehearsal, wiring
from payagent.accounts.demo import DEMO
from payagent.accounts.sql import SqlAccounts
from payagent.flow.money import Bill
from payagent.flow.step import Step
from payagent.journal.protocol import Search
from payagent.journal.sqlite import SqliteJournal
from payagent.lab import scenario as scenarios
from payagent.lab.brain import Brain
from payagent.lab.model import ScriptedModel
from payagent.lab.scenario import Scenario
from payagent.lab.serving import Listener, serve
from payagent.lab.twilio import StandInTwilio

SCALE = 0.05
SLOWER = {"time_out_then_right": 0.1, "result_lost": 0.1}
"""Where it counts which of two waits is over first: a busy machine must not turn them round."""

ENOUGH_REQUESTS = {"full_payment": 10, "full_payment_automatic": 6}
SPOKEN_CARD = "4242 4242 4242 4242"


class Wiretap(ScriptedModel):
    """The scripted model, keeping every byte it is sent."""

    def __init__(self, brain: Brain) -> None:
        super().__init__(brain)
        self.received = bytearray()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def kept() -> Message:
            message = await receive()
            self.received.extend(message.get("body", b""))
            return message

        await super().__call__(scope, kept, send)


@dataclass
class Tapped:
    """An app on the wire: `sent` is every byte it answered or spoke, `received` every byte it was asked with."""

    app: ASGIApp
    sent: bytearray = field(default_factory=bytearray)
    received: bytearray = field(default_factory=bytearray)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def heard() -> Message:
            message = await receive()
            self.received.extend(message.get("body") or b"")
            return message

        async def spoken(message: Message) -> None:
            self.sent.extend(message.get("body") or (message.get("text") or "").encode())
            await send(message)

        await self.app(scope, heard, spoken)


@dataclass
class Taps:
    """What may have leaked, and where to: the wire, the model's requests, and the log at its most talkative.

    Of the program all that it sent counts (frames, TwiML, pages), of the stand-in Twilio what it was asked by REST.
    """

    models: list[Wiretap] = field(default_factory=list)
    log: io.StringIO = field(default_factory=io.StringIO)
    apps: list[Tapped] = field(default_factory=list)

    def places(self) -> dict[str, bytes]:
        """What was listened to."""
        spoken = {"log": self.log.getvalue().encode(), "model": bytes(self.models[0].received)}
        for tapped in self.apps:
            asked = isinstance(tapped.app, StandInTwilio)
            spoken |= {"REST": bytes(tapped.received)} if asked else {}
            spoken |= {} if asked or isinstance(tapped.app, Wiretap) else {"the wire": bytes(tapped.sent)}
        return spoken


@pytest.fixture
def taps(monkeypatch: pytest.MonkeyPatch) -> Iterator[Taps]:
    """Listen at the model and at the log; leave logging as it was found."""
    taps = Taps()

    def tapped(scenario: Scenario) -> Wiretap:
        taps.models.append(Wiretap(Brain(scenario.model)))
        return taps.models[-1]

    def on_the_wire(app: ASGIApp, *listener: Listener) -> AbstractAsyncContextManager[str]:
        taps.apps.append(Tapped(app))
        return serve(taps.apps[-1], *listener)

    monkeypatch.setattr(rehearsal, "scripted_model", tapped)
    monkeypatch.setattr(rehearsal, "serve", on_the_wire)
    with logging_restored():
        logs.configure("DEBUG", "json", (), taps.log)
        yield taps


@pytest.mark.promise(3, 4)
@pytest.mark.parametrize("name", scenarios.names())
async def test_a_scenario_ends_as_it_should(
    name: str, tmp_path: Path, taps: Taps, driven: Callable[[Sequence[Step]], None]
) -> None:
    """What was heard, charged and asked of Twilio is as the scenario says, and nothing of the card is left anywhere."""
    scenario = scenarios.load(name)
    result = await rehearsal.rehearse(scenario, directory=tmp_path, scale=SLOWER.get(name, SCALE))

    assert result.ok, result.report()
    if name in ENOUGH_REQUESTS:
        assert len(taps.models[0].requests) <= ENOUGH_REQUESTS[name]
    assert leaks(scenario, tmp_path, taps) == []
    assert await faults_of_record(tmp_path / f"{name}.db", driven) == []
    assert await taken_off(tmp_path / f"{name}.db") == Counter(credited(scenario))
    assert await still_held(tmp_path / f"{name}.db") == (1 if scenario.faults.lose_final else 0)


def credited(scenario: Scenario) -> tuple[Decimal, ...]:
    """The amounts the book must know of: all that were charged, unless the result never came."""
    return () if scenario.faults.lose_final else scenario.expect.charged


def leaks(scenario: Scenario, directory: Path, taps: Taps) -> list[str]:
    """Where something that was keyed in (or a spoken card number) is found again, one line each."""
    places = {path.name: path.read_bytes() for path in directory.rglob("*") if path.is_file()}
    places |= taps.places()
    assert all(text for place, text in places.items() if place != "REST"), "nothing was listened to"
    spelt = [f"{trace!r} in {place}" for place, text in places.items() for trace in traces(text)]
    return spelt + [
        f"{secret} in {place}: …{text[max(0, found.start() - 40) : found.end() + 40]!r}…"
        for place, text in places.items()
        for secret in secrets(scenario)
        for found in pattern(secret).finditer(text)
    ]


def secrets(scenario: Scenario) -> set[str]:
    """All that is keyed in, but for what happens to be a card's last four, which may be kept."""
    keyed = {digits for step in scenario.steps for digits in re.split("[*#]+", step.press) if len(digits) > 1}
    return {SPOKEN_CARD} | keyed - {digits[-4:] for digits in keyed if len(digits) > 4}


def pattern(secret: str) -> re.Pattern[bytes]:
    """How to find a keyed-in value. A short one is looked for as a word: its digits stand in hashes and times too."""
    if len(secret) > 4:
        return re.compile(re.escape(secret.encode()))
    return re.compile(rb"(?<![0-9A-Za-z.:+-])" + secret.encode() + rb"(?![0-9A-Za-z.:-])")


async def faults_of_record(database: Path, driven: Callable[[Sequence[Step]], None]) -> list[str]:
    """What is wrong with the journal; what its calls have driven is counted."""
    journal = SqliteJournal(database, wiring.LAB_KEY.encode())
    await journal.open()
    try:
        calls = await journal.search(Search())
        assert calls
        for call in calls:
            driven(await journal.steps(call.call_sid))
        return await journal.verify_all()
    finally:
        await journal.close()


async def taken_off(database: Path) -> Counter[Decimal]:
    """The amounts by which bills of the demo book owe less than at first."""
    book = SqlAccounts(database)
    await book.open()
    try:
        owed = {bill.id: bill.owed.amount for entry in DEMO for bill in await book.bills(entry.account.id)}
    finally:
        await book.close()
    less = (bill.owed.amount - owed.get(bill.id, Decimal(0)) for bill in demo_bills())
    return Counter(amount for amount in less if amount)


async def still_held(database: Path) -> int:
    """How many bills cannot be paid by another call."""
    book = SqlAccounts(database)
    await book.open()
    now = datetime.now(UTC)
    try:
        found = [
            await book.hold(bill.id, f"another {bill.id}", entry.account.id, now)
            for entry in DEMO
            for bill in entry.bills
        ]
    finally:
        await book.close()
    assert set(found) <= {"", "paid", "held"}
    return found.count("held")


def demo_bills() -> list[Bill]:
    """Every bill of the demo book as it is at first."""
    return [bill for entry in DEMO for bill in entry.bills]


@pytest.mark.promise(4)
def test_a_leak_would_be_seen(tmp_path: Path) -> None:
    """What the leak test looks for, it finds: a number, an expiry and a code, as text and as JSON."""
    scenario, taps = scenarios.load("full_payment"), Taps([Wiretap(Brain())])
    taps.models[0].received.extend(b'{"content": "it is 4242 4242 4242 4242"}')
    taps.log.write('{"event": "key", "digits": "123", "at": "2026-11-22T12:30:00.123Z"}')
    (tmp_path / "a.db").write_bytes(b"\x00ExpirationDate=1230&\x01")
    (tmp_path / "b.db").write_bytes(b"0004242424242424242fff")

    found = [leak.split(":")[0] for leak in leaks(scenario, tmp_path, taps) if not leak.startswith("'")]
    (tmp_path / ON_PURPOSE).touch()

    assert sorted(found) == ["123 in log", "1230 in a.db", "4242 4242 4242 4242 in model", "4242424242424242 in b.db"]

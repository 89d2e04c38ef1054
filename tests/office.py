"""An operator at the console of the real app: its pages by https, a clock that stands still, calls written at once."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import unescape
from pathlib import Path

import httpx
import pytest
from front import PUBLIC, given
from starlette.applications import Starlette

from payagent import wiring
from payagent.flow import events as ev
from payagent.flow.call import Call
from payagent.flow.step import Step
from payagent.flow.table import build
from payagent.journal.sqlite import SqliteJournal
from payagent.switchboard import Switchboard
from payagent.testing import START, PracticeCall
from payagent.web.console.passwords import made

NAME, PASSWORD = "ann", "a password of several words"
OTHER, OTHER_PASSWORD = "bob", "another one of several words"
CHEAP = {"cost": 2**14, "lanes": 1}
USERS = f"{NAME}:{made(PASSWORD, **CHEAP)},{OTHER}:{made(OTHER_PASSWORD, **CHEAP)}"
COOKIE = "__Host-payagent-console"
UNKNOWN = "CA" + "07" * 16
FLOW = build()


class Clock:
    """What the app takes for the time: it goes on only when it is told to."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def go_on(self, **time: float) -> None:
        """Let so much time pass."""
        self.now += timedelta(**time)


@dataclass
class Operator:
    """The app, its clock, and a browser of sorts: it keeps cookies and follows nothing."""

    app: Starlette
    client: httpx.AsyncClient
    clock: Clock

    @property
    def journal(self) -> SqliteJournal:
        """The app's own record."""
        journal: SqliteJournal = self.app.state.desk.journal
        return journal

    async def get(self, path: str, **headers: str) -> httpx.Response:
        """Ask for a page."""
        return await self.client.get(path, headers=headers)

    async def token(self, path: str = "/console/log-in") -> str:
        """What the forms of that page carry."""
        return token_of(await self.get(path))

    async def log_in(self, name: str = NAME, password: str = PASSWORD, **more: str) -> httpx.Response:
        """Fill in the log-in form of a browser that was closed since, and send it."""
        if COOKIE in self.client.cookies:
            self.client.cookies.delete(COOKIE)
        form = {"token": await self.token(), "name": name, "password": password} | more
        return await self.client.post("/console/log-in", data=form)

    async def post(self, path: str, page: str, headers: dict[str, str] | None = None, **form: str) -> httpx.Response:
        """Send a form of that page."""
        return await self.client.post(path, data={"token": await self.token(page)} | form, headers=headers)

    async def resolve(self, call_sid: str = UNKNOWN, **form: str) -> httpx.Response:
        """Say what became of an unknown payment."""
        here = f"/console/calls/{call_sid}"
        said = {"outcome": "paid", "reference": "ch_77", "why": "Seen in the processor's list."} | form
        return await self.post(f"{here}/outcome", here, **said)

    async def write(self, *calls: PracticeCall) -> None:
        """Put calls on the record; it is then at least as late as their last step."""
        self.clock.now = max(self.clock.now, *(call.now for call in calls))
        await asyncio.gather(*(self._write(call) for call in calls))

    async def _write(self, call: PracticeCall) -> None:
        for step in call.steps:
            await self.journal.append(step)

    async def steps(self, call_sid: str = UNKNOWN) -> list[Step]:
        """A call's record."""
        return await self.journal.steps(call_sid)


class Watch:
    """Sees the events of every call that this app records from here on."""

    def __init__(self, operator: Operator) -> None:
        self._came: dict[type, asyncio.Event] = {}
        operator.app.state.desk.switchboard._desk.watchers.append(self)

    def __call__(self, call: Call, step: Step, offered: Sequence[str]) -> None:
        self._of(type(step.event)).set()

    async def seen(self, kind: type[ev.Event]) -> None:
        """Wait for an event of that kind."""
        async with asyncio.timeout(10):
            await self._of(kind).wait()

    def _of(self, kind: type) -> asyncio.Event:
        return self._came.setdefault(kind, asyncio.Event())


def token_of(answer: httpx.Response) -> str:
    """What the forms of a page carry."""
    found = re.search(r'name="token" value="([0-9a-f]{64})"', answer.text)
    assert found, answer.text
    return found[1]


def text_of(answer: httpx.Response) -> str:
    """The words of a page, without its drawings."""
    words = re.sub(r"<(svg|style|script)\b.*?</\1>", " ", answer.text, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", words)).split())


def begun(call_sid: str) -> PracticeCall:
    """A call that has begun, and no more."""
    return PracticeCall(FLOW, call_sid)


def unknown(call_sid: str = UNKNOWN, after: float = 0) -> PracticeCall:
    """A call whose charge got no answer: its caller, who began `after` seconds, was told so and waits for a person."""
    call = begun(call_sid)
    call.now += timedelta(seconds=after)
    call.verify().agree().start("120.00").open()
    call.key_in_card()
    call.go_ahead()
    call.time_up("result_overdue")
    return call


def paid(call_sid: str) -> PracticeCall:
    """A call that paid its bill."""
    call = begun(call_sid).verify().agree().start().open()
    call.key_in_card()
    call.go_ahead()
    call.report(ev.PaymentSucceeded, confirmation="ch_1")
    return call


@asynccontextmanager
async def console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **changes: object) -> AsyncIterator[Operator]:
    """The app with a console, nobody logged in."""
    clock = Clock()
    monkeypatch.setattr(wiring, "utc_now", clock)
    monkeypatch.setattr(wiring, "flow_of", lambda settings: FLOW)
    # What these calls ordered was never meant for this app's hands.
    monkeypatch.setattr(Switchboard, "sweep_on", lambda self: None)
    settings = given(tmp_path / "payagent.db", **({"CONSOLE_USERS": USERS, "DEMO_ACCOUNTS": "no"} | changes))
    app = wiring.application(settings)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url=PUBLIC) as client,
    ):
        yield Operator(app, client, clock)

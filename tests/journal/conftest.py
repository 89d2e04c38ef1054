"""Journals to test: every kind is opened by a function of the same shape, so that each keeps the same promises."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from payagent.flow import effects as fx
from payagent.flow import events as ev
from payagent.flow.states import State
from payagent.flow.step import Step, Timer
from payagent.journal.postgres import PostgresJournal
from payagent.journal.protocol import Journal
from payagent.journal.sqlite import SqliteJournal

KEY = b"a key for tests, 32 bytes long.."
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)

OpenJournal = Callable[[], Awaitable[Journal]]
MakeStep = Callable[..., Step]


KINDS = ("sqlite", pytest.param("postgres", marks=pytest.mark.needs("postgresql")))


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Each database in turn."""
    return str(request.param)


@pytest.fixture
def place(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """Where the test's journal is: a file, or the URL of a database."""
    return tmp_path / "journal.db" if kind == "sqlite" else str(request.getfixturevalue("postgres_url"))


@pytest.fixture
async def open_journal(place: Path | str) -> AsyncIterator[OpenJournal]:
    """Opens the same journal, as often as it is called."""
    opened: list[SqliteJournal | PostgresJournal] = []

    async def open_one() -> Journal:
        journal = SqliteJournal(place, KEY) if isinstance(place, Path) else PostgresJournal(place, KEY)
        opened.append(journal)
        await journal.open()
        return journal

    yield open_one
    for journal in opened:
        await journal.close()


@pytest.fixture
async def journal(open_journal: OpenJournal) -> Journal:
    return await open_journal()


@pytest.fixture
async def sqlite_journal(tmp_path: Path) -> AsyncIterator[SqliteJournal]:
    """A journal for what only SQLite promises; it gives up on a lock soon."""
    journal = SqliteJournal(tmp_path / "journal.db", KEY, busy_seconds=0.05)
    await journal.open()
    yield journal
    await journal.close()


@pytest.fixture
def make_step() -> MakeStep:
    """Makes step `seq` of a call, a minute after the step before; anything else may be given."""

    def make(
        call_sid: str = "CA1",
        seq: int = 1,
        event: ev.Event | None = None,
        orders: tuple[fx.Order, ...] = (),
        timers: tuple[Timer, ...] = (),
        before: State = State.CONFIRMING_BALANCE,
        after: State = State.CONFIRMING_BALANCE,
        at: datetime | None = None,
    ) -> Step:
        return Step(
            call_sid=call_sid,
            seq=seq,
            at=at or NOON + timedelta(minutes=seq),
            event=event or ev.CallerHungUp(),
            before=before,
            after=after,
            row="caller_hung_up",
            refused="",
            reply="",
            orders=orders,
            timers=timers,
            flow="f1",
        )

    return make

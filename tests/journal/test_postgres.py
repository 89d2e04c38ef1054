"""What the PostgreSQL journal promises beyond the contract: breaks are bridged, and what became of a step is known."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
from journal.breaking_line import BreakingLine, breaking_line
from journal.conftest import KEY
from postgres_server import SCHEMAS, Server

from payagent.database.migrations import Schema
from payagent.database.postgres import migrate
from payagent.errors import JournalConflict, JournalFailed
from payagent.flow import effects as fx
from payagent.flow import events as ev
from payagent.flow.states import State
from payagent.flow.step import Step
from payagent.journal import postgres, postgres_writer
from payagent.journal.postgres import PostgresJournal
from payagent.journal.protocol import Claim

pytestmark = pytest.mark.needs("postgresql")

MakeStep = Callable[..., Step]

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOLD = fx.HoldBill("B1", "CA1:1", "A1")


@pytest.fixture
async def journal(postgres_url: str) -> AsyncIterator[PostgresJournal]:
    journal = PostgresJournal(postgres_url, KEY)
    await journal.open()
    yield journal
    await journal.close()


@pytest.fixture
async def line(postgres_url: str) -> AsyncIterator[tuple[BreakingLine, PostgresJournal]]:
    """A journal that reaches the database by a line that can be cut."""
    with tempfile.TemporaryDirectory() as folder:  # a socket's path has to be short
        async with breaking_line(postgres_url, Path(folder)) as (cut, url):
            journal = PostgresJournal(url, KEY)
            await journal.open()
            yield cut, journal
            await journal.close()


async def sql(url: str, *statements: str) -> None:
    """Done by somebody who may do everything."""
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def two_calls(journal: PostgresJournal, make_step: MakeStep) -> None:
    """Calls CA1 and CA2 with four spoken steps each, and a seal over them."""
    for seq in range(1, 5):
        for call_sid in ("CA1", "CA2"):
            await journal.append(make_step(call_sid, seq, event=ev.CallerSpoke(f"{call_sid} says {seq}")))
    await journal.seal(NOON)


# Breaks


@pytest.mark.promise(8)
@pytest.mark.parametrize("delivered", [True, False])
@pytest.mark.parametrize("together", [1, 2])
async def test_a_step_whose_answer_is_lost_is_written_once(
    line: tuple[BreakingLine, PostgresJournal], make_step: MakeStep, delivered: bool, together: int
) -> None:
    """Whether or not the statement reached the server before the break: the step is there, once, and that is told."""
    cut, journal = line
    await journal.append(make_step("CA0"))
    cut.word, cut.delivered = b"CA1", delivered
    steps = [make_step(event=ev.CallerSpoke("hello"), orders=(HOLD,)), make_step(seq=2, orders=(HOLD,))][:together]
    await journal.append(*steps)

    assert cut.cuts == 1
    assert await journal.steps("CA1") == steps
    assert len(await journal.open_orders(NOON)) == together
    assert await journal.verify_all() == []
    await journal.append(make_step(seq=together + 1))


@pytest.mark.promise(8)
async def test_a_step_another_worker_wrote_meanwhile_is_a_conflict(
    line: tuple[BreakingLine, PostgresJournal], journal: PostgresJournal, make_step: MakeStep
) -> None:
    """After a break a step of that number may be there: only one with the same MAC is this worker's own."""
    cut, broken = line
    cut.word, cut.delivered = b"CA1", False
    theirs = make_step(event=ev.CallerSpoke("theirs"))
    cut.meanwhile = lambda: journal.append(theirs)

    with pytest.raises(JournalConflict):
        await broken.append(make_step(event=ev.CallerSpoke("ours")))
    assert await journal.steps("CA1") == [theirs]


@pytest.mark.promise(8)
async def test_a_claim_whose_answer_is_lost_is_known_again(
    line: tuple[BreakingLine, PostgresJournal], make_step: MakeStep
) -> None:
    """The worker has the order, for the first time: a charge is not given up because a line broke."""
    cut, journal = line
    await journal.append(make_step(orders=(HOLD,)))
    cut.word = b"worker-1"

    assert await journal.claim("CA1:1:0", "worker-1", NOON + MINUTE, NOON) is Claim.FIRST
    assert cut.cuts == 1
    assert await journal.claim("CA1:1:0", "worker-1", NOON + MINUTE, NOON) is Claim.REFUSED
    assert await journal.claim("CA1:1:0", "worker-2", NOON + 2 * MINUTE, NOON + MINUTE) is Claim.AGAIN


@pytest.mark.promise(8)
async def test_a_restart_of_the_server_is_bridged(
    postgres_server: Server, journal: PostgresJournal, make_step: MakeStep
) -> None:
    """What is written and read while the server is away waits for it."""
    await journal.append(make_step(seq=1))
    restart = asyncio.create_task(asyncio.to_thread(postgres_server.restart))
    for seq in range(2, 40):
        await journal.append(make_step(seq=seq))
        assert len(await journal.steps("CA1")) == seq
        await asyncio.sleep(0.01)
    await restart

    assert await journal.verify_all() == []


@pytest.mark.promise(8)
async def test_a_server_that_stays_away_is_told(
    postgres_server: Server, journal: PostgresJournal, make_step: MakeStep
) -> None:
    """When the patience is over writing and reading fail; once the server is back they go on."""
    journal._postgres.patience = 0.1
    await journal.append(make_step(seq=1))
    await asyncio.to_thread(postgres_server.stop)
    try:
        with pytest.raises(JournalFailed, match="out of reach"):
            await journal.append(make_step(seq=2))
        with pytest.raises(JournalFailed, match="database failed"):
            await journal.steps("CA1")
    finally:
        await asyncio.to_thread(postgres_server.start)

    assert len(await journal.steps("CA1")) == 1
    await journal.append(make_step(seq=2))


@pytest.mark.promise(8)
async def test_a_refused_step_fails_alone(journal: PostgresJournal, make_step: MakeStep, postgres_url: str) -> None:
    """Steps that share a statement with one that the database refuses are written all the same."""
    await sql(postgres_url, "ALTER TABLE steps ADD CHECK (call_sid <> 'CA1')")
    steps = [journal.append(make_step(f"CA{n}")) for n in range(3)]
    results = await asyncio.gather(*steps, return_exceptions=True)

    assert [type(result) for result in results] == [type(None), JournalFailed, type(None)]


async def test_a_fault_of_ours_fails_its_step_only(
    journal: PostgresJournal, make_step: MakeStep, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The task that writes outlives it."""
    with monkeypatch.context() as broken:
        broken.setattr(postgres_writer.index, "columns", lambda step: {})
        with pytest.raises(JournalFailed, match="KeyError"):
            await journal.append(make_step())

    await journal.append(make_step())


async def test_a_step_nobody_waits_for_any_more_is_not_written(journal: PostgresJournal, make_step: MakeStep) -> None:
    """Cancelled while it waits for its turn."""
    first = asyncio.create_task(journal.append(make_step("CA1")))
    second = asyncio.create_task(journal.append(make_step("CA1", 2)))
    await asyncio.sleep(0)
    second.cancel()
    await first
    await journal.append(make_step("CA2"))

    assert len(await journal.steps("CA1")) == 1


async def test_a_call_that_is_over_leaves_nothing_in_memory(journal: PostgresJournal, make_step: MakeStep) -> None:
    """What still comes of it (an answer, a correction) goes on its chain all the same."""
    await journal.append(make_step())
    await journal.append(make_step(seq=2, after=State.ENDED))
    await journal.append(make_step(seq=3, before=State.ENDED, after=State.ENDED))

    assert journal._writer is not None
    assert journal._writer._heads == {}
    assert await journal.verify_all() == []


async def test_memory_of_heads_is_bounded(
    journal: PostgresJournal, make_step: MakeStep, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More calls than are kept in memory go on in turn, and their chains stay whole."""
    monkeypatch.setattr(postgres_writer, "HEADS_KEPT", 2)
    for seq in range(1, 4):
        for call_sid in ("CA1", "CA2", "CA3"):
            await journal.append(make_step(call_sid, seq))
            assert journal._writer is not None
            assert len(journal._writer._heads) <= 2

    assert await journal.verify_all() == []


# Hearing of others


async def test_others_hear_of_a_step(journal: PostgresJournal, postgres_url: str, make_step: MakeStep) -> None:
    """Each worker is told of the steps that any of them writes, also after its connection broke."""
    other = PostgresJournal(postgres_url, KEY)
    await other.open()
    heard: asyncio.Queue[tuple[str, int]] = asyncio.Queue()
    other.listen(lambda call_sid, seq: heard.put_nowait((call_sid, seq)))

    async def hears(call_sid: str) -> None:
        """A notice may be lost while nobody listens yet, so steps are written until one is heard of."""
        for seq in range(1, 500):
            await journal.append(make_step(call_sid, seq))
            await asyncio.sleep(0.02)
            while not heard.empty():
                if heard.get_nowait()[0] == call_sid:
                    return
        raise AssertionError("nothing was heard")

    await hears("CA1")
    await sql(postgres_url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'")
    await hears("CA2")
    await other.close()


# The schema


@pytest.mark.promise(8)
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE steps SET record = '' WHERE seq = 1",
        "DELETE FROM steps",
        "TRUNCATE steps",
        "UPDATE seals SET mac = ''",
        "DELETE FROM seals",
        "TRUNCATE seals",
        "INSERT INTO steps (call_sid, seq, record, mac) SELECT call_sid, seq, '', mac FROM steps "
        "ON CONFLICT (call_sid, seq) DO UPDATE SET record = ''",
    ],
)
async def test_schema_refuses_changes(
    journal: PostgresJournal, make_step: MakeStep, postgres_url: str, statement: str
) -> None:
    """Steps and seals cannot be changed or removed by a statement, not even by the owner's."""
    await two_calls(journal, make_step)

    with pytest.raises(asyncpg.RestrictViolationError, match="append-only"):
        await sql(postgres_url, statement)
    assert await journal.verify_all() == []


@pytest.mark.promise(8)
@pytest.mark.parametrize(
    ("statement", "found"),
    [
        (
            "UPDATE steps SET mac = decode(repeat('00', 32), 'hex') WHERE call_sid = 'CA1' AND seq = 4",
            ["call CA1 step 4: changed", "call CA1 step 4: not the one that seal 1 covers"],
        ),
        (
            "DELETE FROM steps WHERE call_sid = 'CA1' AND seq = 2",
            ["call CA1 step 2: missing"],
        ),
        (
            "DELETE FROM steps WHERE call_sid = 'CA1' AND seq = 4",
            ["call CA1 step 4: missing", "call CA1 step 4: missing, and seal 1 covers it"],
        ),
        ("UPDATE words SET text = 'no' WHERE call_sid = 'CA1' AND seq = 2", ["step 2: the words do not fit"]),
        (
            "UPDATE calls SET outcome = 'paid' WHERE call_sid = 'CA2'",
            ["call CA2: the index of calls says outcome paid"],
        ),
        ("DELETE FROM calls WHERE call_sid = 'CA2'", ["call CA2: not in the index of calls"]),
        ("UPDATE calls SET sealed = 99 WHERE call_sid = 'CA2'", ["call CA2: marked as sealed up to step 99"]),
        ("UPDATE seals SET record = '{}'", ["seal 1: unreadable"]),
    ],
)
async def test_tampering_is_found_and_named(
    journal: PostgresJournal, make_step: MakeStep, postgres_url: str, statement: str, found: list[str]
) -> None:
    """Whatever a superuser does behind the triggers' back is found, and what it was done to is named."""
    await two_calls(journal, make_step)
    await sql(postgres_url, "SET session_replication_role = replica; " + statement)
    problems = await journal.verify_all()

    assert len(problems) >= len(found)
    for problem, start in zip(problems, found, strict=False):
        assert start in problem


@pytest.mark.promise(8)
async def test_seals_of_two_workers_follow_each_other(
    journal: PostgresJournal, postgres_url: str, make_step: MakeStep
) -> None:
    """Whoever seals, the seals are one chain, and each step is covered once."""
    other = PostgresJournal(postgres_url, KEY)
    await other.open()
    for seq in range(1, 6):
        await journal.append(make_step(seq=seq))
        await asyncio.gather(*(each.seal(NOON) for each in (journal, other, journal)))

    assert await other.verify_all() == []
    connection = await asyncpg.connect(postgres_url)
    assert await connection.fetchval("SELECT count(*) FROM seals") == 5
    await connection.close()
    await other.close()


async def test_several_migrate_at_once(postgres_server: Server) -> None:
    """One applies each change, the others find it applied; and the database can be opened."""
    url = postgres_server.make()
    applied = await asyncio.gather(*(migrate(url, SCHEMAS) for _ in range(4)))

    assert sorted(name for each in applied for name in each) == ["accounts 1", "journal 1"]
    journal = PostgresJournal(url, KEY)
    await journal.open()
    await journal.close()


async def test_a_change_that_fails_leaves_nothing(postgres_server: Server) -> None:
    """The changes before it stand; it can be run again once what stood in its way is gone."""
    url = postgres_server.make()
    broken = Schema("journal", ("CREATE TABLE one ()", "CREATE TABLE two (); SELECT 1 / 0"))
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(url, [broken])

    mended = Schema("journal", (*broken.changes[:1], "CREATE TABLE two ()"))
    assert await migrate(url, [mended]) == ["journal 2"]


async def test_an_outdated_schema_is_refused_with_the_command(postgres_server: Server) -> None:
    """A database without the tables is not opened, and it is said what to run."""
    journal = PostgresJournal(postgres_server.make(), KEY)

    with pytest.raises(JournalFailed, match="lacks change 1; run: payagent migrate"):
        await journal.open()


async def test_a_newer_schema_is_refused_in_words(postgres_url: str) -> None:
    """It belongs to a newer payagent: neither opened nor migrated."""
    await sql(postgres_url, "INSERT INTO migrations VALUES ('journal', 99)")

    with pytest.raises(JournalFailed, match="at change 99, this payagent knows 1"):
        await PostgresJournal(postgres_url, KEY).open()
    with pytest.raises(ValueError, match="run the newer payagent"):
        await migrate(postgres_url, SCHEMAS)


async def test_a_server_that_is_not_there_is_told(tmp_path: Path) -> None:
    """Opening fails in words."""
    journal = PostgresJournal(f"postgresql://nobody@/none?host={tmp_path}", KEY)
    journal._postgres.patience = 0

    with pytest.raises(JournalFailed, match="database failed"):
        await journal.open()


def test_the_most_steps_of_a_statement_fit_into_one_notice() -> None:
    """PostgreSQL takes no payload of 8000 bytes or more."""
    assert postgres_writer.GROUP * len(f"CA{'0' * 32}:{10**6},") < 8000
    assert postgres.CHANNEL in postgres_writer.APPEND

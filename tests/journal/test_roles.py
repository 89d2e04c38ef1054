"""The roles of docs/postgresql.md, made by the statements that stand there: each can do its work and no more."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
from journal.conftest import KEY
from postgres_server import SCHEMAS, Server

from payagent.accounts.demo import DEMO
from payagent.accounts.postgres import PostgresAccounts
from payagent.database.postgres import migrate
from payagent.errors import AccountsFailed
from payagent.flow import effects as do
from payagent.flow import events as ev
from payagent.flow.step import Step
from payagent.journal.postgres import PostgresJournal
from payagent.journal.protocol import Claim

pytestmark = pytest.mark.needs("postgresql")

MakeStep = Callable[..., Step]

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DOCUMENT = Path(__file__).parents[2] / "docs" / "postgresql.md"


async def sql(url: str, statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statements)
    finally:
        await connection.close()


@pytest.fixture
async def database(postgres_server: Server) -> str:
    """The name of a database set up as the document says."""
    url = postgres_server.make()
    name = re.search(r"/(\w+)\?", url)
    assert name is not None
    once, after_each = re.findall(r"```sql\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    creating, owning = once.split("ALTER DATABASE")
    with suppress(asyncpg.DuplicateObjectError):  # roles belong to the server: an earlier test has made them
        await sql(url, creating)
    await sql(url, f"ALTER DATABASE{owning}".replace("DATABASE payagent", f"DATABASE {name[1]}"))
    owner = postgres_server.url(name[1], "payagent_owner")
    assert await migrate(owner, SCHEMAS) == ["journal 1", "accounts 1"]
    for _ in range(2):
        await sql(owner, after_each)
    book = PostgresAccounts(owner)
    await book.open()
    await book.fill(DEMO)
    await book.close()
    return name[1]


async def test_the_app_appends_claims_and_seals(postgres_server: Server, database: str, make_step: MakeStep) -> None:
    """All that a line does to the record, with the app's role."""
    journal = PostgresJournal(postgres_server.url(database, "payagent_app"), KEY)
    await journal.open()
    order = do.HoldBill("B-2001", "CA1:1", "A-1001")
    await journal.append(make_step(event=ev.CallerSpoke("hello"), orders=(order,)))
    claim = await journal.claim("CA1:1:0", "w", NOON + MINUTE, NOON)
    await journal.append(make_step(seq=2, event=ev.BillHeld("CA1:1:0")))
    await journal.seal(NOON)
    problems = await journal.verify_all()
    await journal.close()

    assert (claim, problems) == (Claim.FIRST, [])


async def test_the_app_keeps_the_book(postgres_server: Server, database: str) -> None:
    """Look-ups, holds, releases, credits; but it makes no accounts."""
    book = PostgresAccounts(postgres_server.url(database, "payagent_app"))
    await book.open()
    await book.fill(DEMO)  # filled already: no right to write is needed
    found = await book.find("John Doe", "1990-05-01", caller="c", call_sid="CA1", now=NOON)
    await book.find("John Doe", "1991-05-01", caller="c", call_sid="CA1", now=NOON)
    assert found is not None
    (bill,) = await book.bills(found.id)
    assert await book.hold(bill.id, "CA1:1", found.id, NOON) == ""
    await book.release(bill.id, "CA1:1", True, NOON)
    await book.credit(bill.id, "CA1:2", bill.owed, "ch_1", NOON)
    assert await book.bills(found.id) == ()
    with pytest.raises(AccountsFailed, match="permission denied"):
        await book.add(found, DEMO[0].birth_date)
    await book.close()


@pytest.mark.promise(8)
@pytest.mark.parametrize(
    ("role", "statement"),
    [
        ("app", "UPDATE steps SET record = ''"),
        ("app", "DELETE FROM steps"),
        ("app", "TRUNCATE steps"),
        ("app", "ALTER TABLE steps DISABLE TRIGGER ALL"),
        ("app", "DROP TABLE steps"),
        ("app", "UPDATE seals SET mac = ''"),
        ("app", "DELETE FROM seals"),
        ("app", "DELETE FROM words"),
        ("app", "UPDATE words SET text = ''"),
        ("app", "UPDATE orders SET key = ''"),
        ("app", "DELETE FROM orders"),
        ("app", "DELETE FROM calls"),
        ("app", "UPDATE bills SET account_id = ''"),
        ("app", "DELETE FROM payments"),
        ("app", "INSERT INTO migrations VALUES ('journal', 2)"),
        ("app", "SET session_replication_role = replica"),
        ("purge", "SELECT * FROM steps"),
        ("purge", "SELECT * FROM accounts"),
        ("purge", "INSERT INTO words VALUES ('CA1', 1, '', '', now())"),
    ],
)
async def test_no_role_can_do_more(postgres_server: Server, database: str, role: str, statement: str) -> None:
    """The database refuses it before any trigger is asked."""
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await sql(postgres_server.url(database, f"payagent_{role}"), statement)


async def test_words_are_erased_by_their_own_role(postgres_server: Server, database: str, make_step: MakeStep) -> None:
    """What was said is gone, and the record stays whole."""
    journals = [PostgresJournal(postgres_server.url(database, f"payagent_{role}"), KEY) for role in ("app", "purge")]
    await asyncio.gather(*(journal.open() for journal in journals))
    app, purge = journals
    await app.append(make_step(event=ev.CallerSpoke("hello")))
    erased = await purge.erase_words(NOON + 5 * MINUTE)
    problems = await app.verify_all()
    await asyncio.gather(*(journal.close() for journal in journals))

    assert (erased, problems) == (1, [])

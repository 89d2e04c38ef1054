"""What the book of accounts in a SQLite file promises beyond the contract."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from payagent.accounts.sql import SqlAccounts
from payagent.errors import AccountsFailed
from payagent.flow.money import Account, Bill, Money

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


async def open_book(path: Path) -> SqlAccounts:
    """One bill of 40.05; it gives up on a lock soon."""
    book = SqlAccounts(path / "book.db", busy_seconds=0.05)
    await book.open()
    bill = Bill("B1", "tests", Money(Decimal("40.05"), "USD"))
    await book.add(Account("A1", "Zoe Muller"), date(1990, 5, 1), (bill,))
    return book


async def test_surplus_is_kept_with_the_payment(tmp_path: Path) -> None:
    """What was paid beyond the debt can be found and given back."""
    book = await open_book(tmp_path)
    await book.credit("B1", "CA1:1", Money(Decimal("50.00"), "USD"), "ch_1", NOON)
    await book.close()

    with closing(sqlite3.connect(tmp_path / "book.db")) as db:
        query = "SELECT payment, bill_id, state, amount, surplus, confirmation FROM payments"
        assert db.execute(query).fetchall() == [("CA1:1", "B1", "credited", 5000, 995, "ch_1")]


async def test_newer_file_is_refused_in_words(tmp_path: Path) -> None:
    """A file that a newer payagent has changed is left alone, and it is said what to do."""
    await (await open_book(tmp_path)).close()
    with closing(sqlite3.connect(tmp_path / "book.db", isolation_level=None)) as db:
        db.execute("INSERT INTO migrations VALUES ('accounts', 99)")

    with pytest.raises(AccountsFailed, match="the accounts schema is at change 99"):
        await SqlAccounts(tmp_path / "book.db").open()


async def test_locked_book_fails(tmp_path: Path) -> None:
    """A lock held longer than the wait is told; what was wanted is not done, and can be done later."""
    book = await open_book(tmp_path)
    with closing(sqlite3.connect(tmp_path / "book.db", isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        with pytest.raises(AccountsFailed):
            await book.hold("B1", "CA1:1", "A1", NOON)

    assert await book.hold("B1", "CA2:1", "A1", NOON) == ""
    await book.close()


async def test_foreign_file_fails(tmp_path: Path) -> None:
    """A file that is no database is not a book."""
    (tmp_path / "letter.db").write_text("a letter, not a database" * 50)
    book = SqlAccounts(tmp_path / "letter.db")

    with pytest.raises(AccountsFailed):
        await book.open()
    await book.close()

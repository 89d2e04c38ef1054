"""What the book of accounts on PostgreSQL promises beyond the contract."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from decimal import Decimal

import asyncpg
import pytest

from payagent.accounts.postgres import PostgresAccounts
from payagent.flow.money import Account, Bill, Money

pytestmark = pytest.mark.needs("postgresql")

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


@pytest.fixture
async def book(postgres_url: str) -> AsyncIterator[PostgresAccounts]:
    """One bill of 40.05."""
    book = PostgresAccounts(postgres_url)
    await book.open()
    bill = Bill("B1", "tests", Money(Decimal("40.05"), "USD"))
    await book.add(Account("A1", "Zoe Muller"), date(1990, 5, 1), (bill,))
    yield book
    await book.close()


async def rows(url: str, query: str) -> list[tuple[object, ...]]:
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(query)]
    finally:
        await connection.close()


async def test_surplus_is_kept_with_the_payment(book: PostgresAccounts, postgres_url: str) -> None:
    """What was paid beyond the debt can be found and given back."""
    await book.credit("B1", "CA1:1", Money(Decimal("50.00"), "USD"), "ch_1", NOON)

    query = "SELECT payment, bill_id, state, amount, surplus, confirmation FROM payments"
    assert await rows(postgres_url, query) == [("CA1:1", "B1", "credited", 5000, 995, "ch_1")]


async def test_tries_at_once_are_no_more_than_tries_one_by_one(book: PostgresAccounts, postgres_url: str) -> None:
    """Whoever lets twenty calls guess at the same moment gets five guesses, as with one call after the other."""
    guesses = [
        book.find("Zoe Muller", f"19{n}-01-01", caller=f"+1555{n}", call_sid=f"CA{n}", now=NOON) for n in range(60, 80)
    ]
    await asyncio.gather(*guesses)

    query = "SELECT count(*) FROM failed_tries WHERE subject = 'account A1'"
    assert await rows(postgres_url, query) == [(5,)]

"""Books to test: every kind is opened by a function of the same shape, so that each keeps the same promises."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from payagent.accounts.postgres import PostgresAccounts
from payagent.accounts.sql import SqlAccounts

Book = SqlAccounts | PostgresAccounts
OpenBook = Callable[[], Awaitable[Book]]
KINDS = ("sqlite", pytest.param("postgres", marks=pytest.mark.needs("postgresql")))


@pytest.fixture(params=KINDS)
async def open_book(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[OpenBook]:
    """Opens the same book, as often as it is called; it gives up on a lock soon."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else ""
    opened: list[Book] = []

    async def open_one() -> Book:
        opened.append(PostgresAccounts(url) if url else SqlAccounts(tmp_path / "book.db", busy_seconds=5))
        await opened[-1].open()
        return opened[-1]

    yield open_one
    for book in opened:
        await book.close()


@pytest.fixture
async def accounts(open_book: OpenBook) -> Book:
    """An empty book."""
    return await open_book()

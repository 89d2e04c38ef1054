"""The book to test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from payagent.accounts.sql import SqlAccounts


@pytest.fixture
async def accounts(tmp_path: Path) -> AsyncIterator[SqlAccounts]:
    """An empty book; it gives up on a lock soon."""
    book = SqlAccounts(tmp_path / "book.db", busy_seconds=0.05)
    await book.open()
    yield book
    await book.close()

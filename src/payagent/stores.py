"""The journal and the book of accounts that a database URL names: a SQLite file, or PostgreSQL for many workers."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from payagent.accounts.protocol import Accounts
from payagent.accounts.sql import SqlAccounts
from payagent.errors import JournalFailed, SettingsError
from payagent.journal.protocol import Journal
from payagent.journal.sqlite import SqliteJournal

SQLITE = "sqlite:///"


def file_of(url: str) -> Path | None:
    """The SQLite file; None when the database is PostgreSQL."""
    return Path(url.removeprefix(SQLITE)) if url.startswith(SQLITE) else None


def journal_of(url: str, key: bytes) -> Journal:
    """The journal at `url`, to be opened; `key` is its chain's secret."""
    if path := file_of(url):
        return SqliteJournal(path, key)
    from payagent.journal.postgres import PostgresJournal  # its driver: nothing that a SQLite line needs

    return PostgresJournal(url, key)


def accounts_of(url: str, failures_per_day: int = 5, declined_per_day: int = 5) -> Accounts:
    """The book of accounts at `url`, to be opened; the two limits count in any 24 hours."""
    if path := file_of(url):
        return SqlAccounts(path, failures_per_day, declined_per_day)
    from payagent.accounts.postgres import PostgresAccounts

    return PostgresAccounts(url, failures_per_day, declined_per_day)


def existing(url: str) -> str:
    """The URL of a record that is to be read.

    Raises:
        SettingsError: it names a SQLite file that is not there, and reading is no reason to make one.
    """
    path = file_of(url)
    if path and not path.is_file():
        raise SettingsError([f"there is no record at {url}"])
    return url


async def check(url: str, *, to_serve: bool = False) -> None:
    """Open both and close them again. `to_serve`: also see whether this process may serve them.

    Raises:
        JournalFailed, AccountsFailed: in words, also when the schema is not the one this payagent knows.
    """
    journal, accounts = journal_of(url, b""), accounts_of(url)
    try:
        await journal.open()
        if to_serve:
            await journal.take_over(datetime.now(UTC))
        await accounts.open()
    finally:
        await accounts.close()
        await journal.close()


async def migrate(url: str) -> list[str]:
    """Bring the schema up, and name the changes that were applied to PostgreSQL; a SQLite file is changed silently.

    Raises:
        JournalFailed, AccountsFailed: in words.
    """
    if file_of(url):
        await check(url)
        return []
    from payagent.accounts import postgres as accounts
    from payagent.database import postgres
    from payagent.journal import postgres as journal

    try:
        return await postgres.migrate(url, [journal.SCHEMA, accounts.SCHEMA])
    except postgres.FAILURES as error:
        raise JournalFailed(f"the database could not be migrated: {error or type(error).__name__}") from error

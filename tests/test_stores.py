"""The databases a URL names, and the commands that open them: migrate, trace, verify."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from postgres_server import Server
from typer.testing import CliRunner

from payagent import stores, wiring
from payagent.accounts.sql import SqlAccounts
from payagent.cli import main
from payagent.errors import AccountsFailed, JournalFailed, SettingsError
from payagent.flow import events as ev
from payagent.journal.sqlite import SqliteJournal
from payagent.testing import PracticeCall

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def run(*arguments: str) -> tuple[int, str]:
    """Exit status and all output of a command, run in this process."""
    result = CliRunner().invoke(main, arguments)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def test_a_second_serve_of_a_file_is_told_who_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes that both think to write alone must not be: in words, before anything is served; a look is free."""
    url = f"sqlite:///{tmp_path}/a.db"
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "TWILIO_ACCOUNT_SID": "AC" + "0a" * 16,
        "TWILIO_AUTH_TOKEN": "ab" * 16,
        "TWILIO_API_KEY": "SK" + "0b" * 16,
        "TWILIO_API_SECRET": "cd" * 16,
        "TRANSFER_PHONE_NUMBER": "+15550177",
        "OPENAI_API_KEY": "key",
        "PUBLIC_URL": "https://pay.example.test",
        "DATABASE_URL": url,
    }.items():
        monkeypatch.setenv(name, value)

    async def while_it_is_served() -> tuple[int, str]:
        journal = stores.journal_of(url, b"key")
        await journal.open()
        await journal.take_over(NOON)
        await stores.check(url)
        told = await asyncio.to_thread(run, "serve")
        await journal.close()
        return told

    status, output = asyncio.run(while_it_is_served())

    assert status == 2
    assert f"process {os.getpid()} serves {tmp_path}/a.db: end that one first, or use PostgreSQL" in unwrapped(output)


def unwrapped(output: str) -> str:
    """A box's words in one line."""
    return " ".join(output.replace("│", " ").split())


def test_a_file_is_sqlite(tmp_path: Path) -> None:
    """A `sqlite:///` URL names a file, relative or absolute."""
    assert stores.file_of("sqlite:///payagent.db") == Path("payagent.db")
    assert stores.file_of(f"sqlite:///{tmp_path}/a.db") == tmp_path / "a.db"
    assert isinstance(stores.journal_of(f"sqlite:///{tmp_path}/a.db", b""), SqliteJournal)
    assert isinstance(stores.accounts_of(f"sqlite:///{tmp_path}/a.db"), SqlAccounts)


def test_reading_makes_no_file(tmp_path: Path) -> None:
    """A record that is not there is told."""
    with pytest.raises(SettingsError, match="there is no record"):
        stores.existing(f"sqlite:///{tmp_path}/none.db")
    status, output = run("verify", "--all", "--database", f"sqlite:///{tmp_path}/none.db")

    assert status == 2
    assert "there is no record" in output
    assert list(tmp_path.iterdir()) == []


def test_a_sqlite_file_is_migrated_without_a_word(tmp_path: Path) -> None:
    """It is made, or brought up, by whoever opens it."""
    assert run("migrate", "--database", f"sqlite:///{tmp_path}/a.db") == (0, "The schema is up to date.\n")

    with closing(sqlite3.connect(tmp_path / "a.db")) as db:
        applied = db.execute("SELECT part, max(number) FROM migrations GROUP BY part ORDER BY part").fetchall()
    assert applied == [("accounts", 1), ("journal", 3)]


@pytest.mark.needs("postgresql")
def test_postgresql_is_migrated_and_named(postgres_server: Server) -> None:
    """The first time every change is named, the second time there is nothing to do."""
    url = postgres_server.make()
    with pytest.raises(JournalFailed, match="run: payagent migrate"):
        asyncio.run(stores.check(url))

    first, second = run("migrate", "--database", url), run("migrate", "--database", url)
    asyncio.run(stores.check(url))

    assert first == (0, "applied: journal 1\napplied: accounts 1\nThe schema is up to date.\n")
    assert second == (0, "The schema is up to date.\n")


@pytest.mark.needs("postgresql")
def test_a_half_migrated_database_is_refused(postgres_server: Server) -> None:
    """The book has to be there too."""
    url = postgres_server.make("made")
    name = url.partition("@/")[2].partition("?")[0]
    postgres_server.execute("DELETE FROM migrations WHERE part = 'accounts'", name)

    with pytest.raises(AccountsFailed, match="the accounts schema lacks change 1"):
        asyncio.run(stores.check(url))


def test_a_server_that_is_not_there_is_told_by_migrate(tmp_path: Path) -> None:
    """In words, and exit 2."""
    status, output = run("migrate", "--database", f"postgresql://me:secret@/none?host={tmp_path}")

    assert status == 2
    assert "could not be migrated" in output
    assert "secret" not in output


@pytest.mark.needs("postgresql")
def test_a_record_on_postgresql_is_traced_and_verified(postgres_url: str) -> None:
    """The reviewer's commands read it like any other; a changed row is found."""

    async def record() -> None:
        journal = stores.journal_of(postgres_url, wiring.LAB_KEY.encode())
        await journal.open()
        call = PracticeCall(call_sid="CA1").verify()
        call.post(ev.CallerHungUp())
        for step in call.steps:
            await journal.append(step)
        await journal.seal(NOON)
        await journal.close()

    asyncio.run(record())
    traced, verified = (
        run(*arguments, "--database", postgres_url) for arguments in (["trace", "CA1"], ["verify", "--all"])
    )

    assert traced[0] == 0
    assert "caller_hung_up" in traced[1]
    assert verified[0] == 0, verified[1]
    assert "The record is whole." in verified[1]

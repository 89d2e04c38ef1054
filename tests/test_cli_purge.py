"""`payagent purge`: personal data goes when it is old enough; what money needs stays, and the chain holds."""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from payagent import wiring
from payagent.accounts.demo import load_demo
from payagent.accounts.sql import SqlAccounts
from payagent.cli import main
from payagent.flow import events as ev
from payagent.flow.call import Call
from payagent.flow.table import build
from payagent.journal.sqlite import SqliteJournal

OLD, NEW = "CA" + "1" * 32, "CA" + "2" * 32
KEY = wiring.LAB_KEY.encode()


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A record with a call of forty days ago and one of an hour ago, and a failed try of each."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JOURNAL_KEY", wiring.LAB_KEY)
    path = tmp_path / "line.db"
    asyncio.run(filled(path))
    return path


async def filled(path: Path) -> None:
    """Write the two calls."""
    now = datetime.now(UTC)
    journal, book = SqliteJournal(path, KEY), SqlAccounts(path)
    await journal.open()
    await book.open()
    await load_demo(book)
    ages = ((OLD, "0ldca11er", now - timedelta(days=40)), (NEW, "n3wca11er", now - timedelta(hours=1)))
    for call_sid, who, at in ages:
        call = Call(build(), call_sid)
        for event in (ev.CallStarted("***0100", who), ev.RelayConnected("VX1"), ev.CallerSpoke(f"It is {who}")):
            step = call.decide(event, at)
            assert step is not None
            call.apply(step)
            await journal.append(step)
    await journal.seal(now)
    await journal.close()
    await book.close()
    with sqlite3.connect(path) as db:  # `find` itself would drop the old one
        tries = [(f"caller {who}", call_sid, at.isoformat()) for call_sid, who, at in ages]
        db.executemany("INSERT INTO failed_tries VALUES (?, ?, ?)", tries)
    db.close()


def run(*arguments: str) -> tuple[int, str]:
    """Exit status and output of `payagent` with these arguments."""
    result = CliRunner().invoke(main, arguments)
    return result.exit_code, result.output


def purge(database: Path, *arguments: str) -> tuple[int, str]:
    """`payagent purge` on that record."""
    return run("purge", "--database", f"sqlite:///{database}", *arguments)


def content(database: Path) -> bytes:
    """All that is in the files."""
    return b"".join(path.read_bytes() for path in database.parent.glob(f"{database.name}*"))


def kept(database: Path) -> list[int]:
    """How many steps, words and failed tries there are."""
    with sqlite3.connect(database) as db:
        counts = [db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES]
    db.close()
    return counts


TABLES = ("steps", "words", "failed_tries")


@pytest.mark.promise(8)
def test_what_is_old_enough_is_erased_and_told(database: Path) -> None:
    """Younger words stay; the chain, the seal and every step hold, and are decided as before."""
    status, output = purge(database, "--older-than", "30d")

    assert status == 0
    assert "Erased" in output
    assert "words and names of 2 steps; 1 failed identity tries" in output
    assert kept(database) == [6, 2, 1]
    verified = run("verify", "--all", "--database", f"sqlite:///{database}")
    assert verified == (0, "The record is whole. Today's table decides every step of it the same.\n")


def test_nothing_of_it_is_left_on_the_disk(database: Path) -> None:
    """Not in freed pages, and not in the write-ahead log."""
    before = content(database)
    purge(database, "--older-than", "30d")
    after = content(database)

    assert (b"0ldca11er" in before, b"n3wca11er" in before) == (True, True)
    assert (b"0ldca11er" in after, b"n3wca11er" in after) == (False, True)


def test_a_dry_run_erases_nothing(database: Path) -> None:
    """It says what would go."""
    before = kept(database)
    status, output = purge(database, "--older-than", "4w", "--dry-run")

    assert status == 0
    assert "Would erase" in output
    assert "words and names of 2 steps; 1 failed identity tries" in output
    assert kept(database) == before


@pytest.mark.parametrize("age", ["", "30", "d", "-3d", "0d", "23h", "1y", "30 days", "1e3d", "99999w", "٣d", "30d; x"])
def test_nonsense_is_refused_in_words(age: str, database: Path) -> None:
    """A slip of the hand must not erase the words of a call that is going on."""
    status, output = purge(database, f"--older-than={age}")

    assert status == 2
    assert "at least a day" in output
    assert kept(database) == [6, 4, 2]


def test_an_age_has_to_be_given(database: Path) -> None:
    """There is no default that would fit everybody."""
    assert purge(database)[0] == 2


def test_a_record_that_is_not_there_is_told(tmp_path: Path) -> None:
    """And none is made."""
    status, output = purge(tmp_path / "none.db", "--older-than", "30d")

    assert (status, "there is no record" in output) == (2, True)
    assert list(tmp_path.iterdir()) == []

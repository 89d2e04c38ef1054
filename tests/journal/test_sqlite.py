"""What the SQLite journal promises beyond the contract: it refuses changes, finds them, and says when it failed."""

from __future__ import annotations

import asyncio
import os
import resource
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path

import pytest

from payagent.errors import JournalFailed
from payagent.flow import effects as fx
from payagent.flow import events as ev
from payagent.flow.states import State
from payagent.flow.step import Step
from payagent.journal import sqlite, sqlite_index
from payagent.journal.chain import decode_seal
from payagent.journal.codec import encode
from payagent.journal.protocol import Search
from payagent.journal.sqlite import SqliteJournal

MakeStep = Callable[..., Step]

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
TRIGGERS = ("steps_no_update", "steps_no_delete", "steps_no_replace", "seals_no_update", "seals_no_delete")


@contextmanager
def raw(path: Path) -> Iterator[sqlite3.Connection]:
    """The journal's file behind its back."""
    with closing(sqlite3.connect(path / "journal.db", isolation_level=None)) as db:
        yield db


def tamper(path: Path, *statements: str) -> None:
    """Change the file as somebody would who may do everything but does not have the key."""
    with raw(path) as db:
        for trigger in TRIGGERS:
            db.execute(f"DROP TRIGGER {trigger}")
        for statement in statements:
            db.execute(statement)


def on_disk(path: Path) -> bytes:
    """All that the journal's files hold."""
    return b"".join(file.read_bytes() for file in path.iterdir())


async def two_calls(journal: SqliteJournal, make_step: MakeStep) -> None:
    """Calls CA1 and CA2 with four spoken steps each, and a seal over them."""
    for seq in range(1, 5):
        for call_sid in ("CA1", "CA2"):
            await journal.append(make_step(call_sid, seq, event=ev.CallerSpoke(f"{call_sid} says {seq}")))
    await journal.seal(NOON)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE steps SET record = '{}' WHERE seq = 1",
        "DELETE FROM steps",
        "INSERT OR REPLACE INTO steps SELECT id, call_sid, seq, '{}', mac FROM steps WHERE seq = 1",
        "UPDATE seals SET mac = x'00'",
        "DELETE FROM seals",
        "INSERT OR REPLACE INTO seals SELECT number, '{}', mac FROM seals",
    ],
)
async def test_schema_refuses_changes(
    sqlite_journal: SqliteJournal, make_step: MakeStep, tmp_path: Path, statement: str
) -> None:
    """Steps and seals cannot be changed, removed or replaced by a statement, whoever sends it."""
    await two_calls(sqlite_journal, make_step)

    with raw(tmp_path) as db, pytest.raises(sqlite3.IntegrityError, match="append-only"):
        db.execute(statement)
    assert await sqlite_journal.verify_all() == []


@pytest.mark.parametrize(
    ("statements", "found"),
    [
        pytest.param(
            ["UPDATE steps SET record = replace(record, 'caller_hung_up', 'x') WHERE call_sid = 'CA1' AND seq = 2"],
            ["call CA1 step 2: changed"],
            id="changed",
        ),
        pytest.param(
            ["UPDATE steps SET mac = zeroblob(32) WHERE call_sid = 'CA1' AND seq = 2"],
            ["call CA1 step 2: changed", "call CA1 step 3: changed"],
            id="mac changed",
        ),
        pytest.param(
            ["UPDATE steps SET record = '[]' WHERE call_sid = 'CA1' AND seq = 2"],
            ["call CA1 step 2: unreadable"],
            id="overwritten",
        ),
        pytest.param(
            ["DELETE FROM steps WHERE call_sid = 'CA1' AND seq = 2"], ["call CA1 step 2: missing"], id="removed"
        ),
        pytest.param(
            ["DELETE FROM steps WHERE call_sid = 'CA1' AND seq = 1"], ["call CA1 step 1: missing"], id="head removed"
        ),
        pytest.param(
            [
                "UPDATE steps SET seq = 99 WHERE call_sid = 'CA1' AND seq = 2",
                "UPDATE steps SET seq = 2 WHERE call_sid = 'CA1' AND seq = 3",
                "UPDATE steps SET seq = 3 WHERE call_sid = 'CA1' AND seq = 99",
                "DELETE FROM words",
            ],
            [
                "call CA1 step 2: holds the record of call CA1 step 3",
                "call CA1 step 3: holds the record of call CA1 step 2",
                "call CA1 step 4: changed",
            ],
            id="swapped",
        ),
        pytest.param(
            [
                "UPDATE steps SET call_sid = 'CA3' WHERE call_sid = 'CA1' AND seq = 4",
                "UPDATE steps SET call_sid = 'CA1' WHERE call_sid = 'CA2' AND seq = 4",
                "UPDATE steps SET call_sid = 'CA2' WHERE call_sid = 'CA3'",
                "DELETE FROM words",
            ],
            ["call CA1 step 4: holds the record of call CA2 step 4"],
            id="swapped with another call",
        ),
        pytest.param(
            ["DELETE FROM steps WHERE call_sid = 'CA1' AND seq > 2"],
            ["call CA1 step 3: missing", "call CA1 step 4: missing"],
            id="tail cut",
        ),
        pytest.param(
            ["UPDATE words SET text = 'no' WHERE call_sid = 'CA1' AND seq = 2"],
            ["call CA1 step 2: the words do not fit the record"],
            id="words changed",
        ),
        pytest.param(
            ["INSERT INTO steps SELECT 99, 'CA1', 5, record, mac FROM steps WHERE call_sid = 'CA1' AND seq = 4"],
            ["call CA1 step 5: holds the record of call CA1 step 4"],
            id="added",
        ),
    ],
)
async def test_tampering_is_found_and_named(
    sqlite_journal: SqliteJournal, make_step: MakeStep, tmp_path: Path, statements: list[str], found: list[str]
) -> None:
    """Whatever is done to a call's rows behind the journal's back is found, and the steps are named."""
    await two_calls(sqlite_journal, make_step)
    tamper(tmp_path, *statements)

    assert await sqlite_journal.verify("CA1") == found


async def test_seal_shows_a_cut_tail(sqlite_journal: SqliteJournal, make_step: MakeStep, tmp_path: Path) -> None:
    """A tail cut together with the index of calls is found by the seal that covered it."""
    await two_calls(sqlite_journal, make_step)
    tamper(
        tmp_path,
        "DELETE FROM steps WHERE call_sid = 'CA1' AND seq > 2",
        "UPDATE calls SET steps = 2, updated_at = '2026-11-02T12:02:00.000000+00:00' WHERE call_sid = 'CA1'",
    )

    assert await sqlite_journal.verify("CA1") == []
    assert await sqlite_journal.verify_all() == ["call CA1 step 4: missing, and seal 1 covers it"]


async def test_seal_shows_a_missing_call(sqlite_journal: SqliteJournal, make_step: MakeStep, tmp_path: Path) -> None:
    """A call removed from every table is found, also when later seals were written without it."""
    await two_calls(sqlite_journal, make_step)
    tamper(tmp_path, *(f"DELETE FROM {table} WHERE call_sid = 'CA1'" for table in ("steps", "words", "calls")))
    await sqlite_journal.append(make_step("CA3"))
    await sqlite_journal.seal(NOON)

    assert await sqlite_journal.verify_all() == ["call CA1 step 4: missing, and seal 1 covers it"]


async def test_seal_shows_another_step_in_place(
    sqlite_journal: SqliteJournal, make_step: MakeStep, tmp_path: Path
) -> None:
    """A step that is not the sealed one is found, although it fits its chain: it was written with the key."""
    await two_calls(sqlite_journal, make_step)
    tamper(tmp_path, *(f"DELETE FROM {table} WHERE call_sid = 'CA1' AND seq = 4" for table in ("steps", "words")))
    await sqlite_journal.append(make_step(seq=4))

    assert await sqlite_journal.verify("CA1") == []
    assert await sqlite_journal.verify_all() == ["call CA1 step 4: not the one that seal 1 covers"]


async def test_seal_is_written_when_something_went_on(
    sqlite_journal: SqliteJournal, make_step: MakeStep, tmp_path: Path
) -> None:
    """Sealing again with no new step adds nothing; a seal names only the calls that went on."""
    await two_calls(sqlite_journal, make_step)
    await sqlite_journal.seal(NOON)
    await sqlite_journal.append(make_step("CA2", 5))
    await sqlite_journal.seal(NOON)

    with raw(tmp_path) as db:
        records = [record for (record,) in db.execute("SELECT record FROM seals ORDER BY number")]
    heads = [[(head.call_sid, head.seq) for head in decode_seal(record).heads] for record in records]
    assert heads == [[("CA1", 4), ("CA2", 4)], [("CA2", 5)]]


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE seals SET record = replace(record, 'CA1', 'CA2') WHERE number = 2", "seal 2: changed"),
        ("UPDATE seals SET record = '{}' WHERE number = 2", "seal 2: unreadable"),
        ("DELETE FROM seals WHERE number = 1", "seal 1: missing"),
        (
            "UPDATE seals SET record = (SELECT record FROM seals WHERE number = 1) WHERE number = 2",
            "seal 2: holds the record of seal 1",
        ),
    ],
)
async def test_tampered_seal_is_found(
    sqlite_journal: SqliteJournal, make_step: MakeStep, tmp_path: Path, statement: str, found: str
) -> None:
    """The seals have a chain of their own."""
    await two_calls(sqlite_journal, make_step)
    await sqlite_journal.append(make_step("CA1", 5))
    await sqlite_journal.seal(NOON)
    tamper(tmp_path, statement)

    assert found in await sqlite_journal.verify_all()


async def test_other_key_fits_nothing(sqlite_journal: SqliteJournal, make_step: MakeStep, tmp_path: Path) -> None:
    """Who has the file but not the key cannot make a record that fits."""
    forger = SqliteJournal(tmp_path / "journal.db", b"some other key")
    await forger.open()
    await forger.append(make_step())
    await forger.close()

    assert await sqlite_journal.verify("CA1") == ["call CA1 step 1: changed"]


async def test_erased_words_are_gone_from_the_disk(
    sqlite_journal: SqliteJournal, make_step: MakeStep, tmp_path: Path
) -> None:
    """Erased words are in none of the journal's files any more."""
    await sqlite_journal.append(make_step(event=ev.CallerSpoke("my dog is called Humphrey")))
    assert b"Humphrey" in on_disk(tmp_path)

    await sqlite_journal.erase_words(NOON + timedelta(days=1))
    assert b"Humphrey" not in on_disk(tmp_path)


async def test_only_the_owner_may_read_the_file(sqlite_journal: SqliteJournal, tmp_path: Path) -> None:
    """The file holds what callers said."""
    assert stat.S_IMODE((tmp_path / "journal.db").stat().st_mode) == 0o600


async def test_locked_file_fails(sqlite_journal: SqliteJournal, make_step: MakeStep, tmp_path: Path) -> None:
    """A lock held longer than the wait fails all that is handed in, and writing goes on once it is gone."""
    with raw(tmp_path) as db:
        db.execute("BEGIN IMMEDIATE")
        steps = [sqlite_journal.append(make_step(f"CA{n}")) for n in range(3)]
        results = await asyncio.gather(*steps, return_exceptions=True)
        assert [type(result) for result in results] == [JournalFailed] * 3

    await sqlite_journal.append(make_step())
    assert await sqlite_journal.verify_all() == []


async def test_full_disk_fails(sqlite_journal: SqliteJournal, make_step: MakeStep, tmp_path: Path) -> None:
    """A step that finds no room is not on the record, the next one cannot follow it, and it may be tried again."""
    await sqlite_journal.append(make_step(seq=1))
    written = (tmp_path / "journal.db-wal").stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (written, hard))
    try:
        with pytest.raises(JournalFailed):
            await sqlite_journal.append(make_step(seq=2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    with pytest.raises(JournalFailed, match="has no step 2"):
        await sqlite_journal.append(make_step(seq=3))
    await sqlite_journal.append(make_step(seq=2))
    assert await sqlite_journal.verify_all() == []


@pytest.mark.parametrize("replaced", [True, False])
async def test_file_that_is_gone_fails(
    sqlite_journal: SqliteJournal, make_step: MakeStep, tmp_path: Path, replaced: bool
) -> None:
    """SQLite would go on writing into a deleted file; the journal does not."""
    (tmp_path / "journal.db").unlink()
    if replaced:
        (tmp_path / "journal.db").touch()

    with pytest.raises(JournalFailed):
        await sqlite_journal.append(make_step())


async def test_read_only_file_fails(sqlite_journal: SqliteJournal, make_step: MakeStep, tmp_path: Path) -> None:
    """A step that SQLite may not write is not on the record."""
    await sqlite_journal.close()
    # A write version above 2 means read-only, for root too: https://sqlite.org/fileformat.html, section 1.3.3.
    with open(tmp_path / "journal.db", "r+b") as file:  # noqa: ASYNC230 - a test may block
        file.seek(18)
        file.write(b"\x03")
    await sqlite_journal.open()

    with pytest.raises(JournalFailed, match="readonly"):
        await sqlite_journal.append(make_step())
    assert await sqlite_journal.steps("CA1") == []


async def test_path_that_is_no_file_fails(tmp_path: Path) -> None:
    """A folder, or a place inside a file, cannot be opened."""
    (tmp_path / "file").touch()

    for path in (tmp_path, tmp_path / "file" / "journal.db"):
        with pytest.raises(JournalFailed):
            await SqliteJournal(path, b"key").open()


async def test_foreign_file_fails(tmp_path: Path) -> None:
    """A file that is no database is not touched."""
    (tmp_path / "journal.db").write_text("a letter, not a database, and long enough to tell it from a header" * 20)

    with pytest.raises(JournalFailed):
        await SqliteJournal(tmp_path / "journal.db", b"key").open()
    assert (tmp_path / "journal.db").read_text().startswith("a letter")


async def test_unreadable_record_fails(sqlite_journal: SqliteJournal, make_step: MakeStep, tmp_path: Path) -> None:
    """A record of a newer version is refused, not guessed at."""
    await sqlite_journal.append(make_step(orders=(fx.ReadBills("A1"),)))
    tamper(tmp_path, "UPDATE steps SET record = replace(record, '\"v\":1', '\"v\":2')")

    with pytest.raises(JournalFailed, match="version 2"):
        await sqlite_journal.steps("CA1")
    with pytest.raises(JournalFailed, match="version 2"):
        await sqlite_journal.open_orders(NOON)


async def test_a_call_that_is_over_leaves_nothing_in_memory(sqlite_journal: SqliteJournal, make_step: MakeStep) -> None:
    """What still comes of it (an answer, a correction) goes on its chain all the same."""
    await sqlite_journal.append(make_step())
    await sqlite_journal.append(make_step(seq=2, after=State.ENDED))
    await sqlite_journal.append(make_step(seq=3, before=State.ENDED, after=State.ENDED))

    assert sqlite_journal._heads == {}
    assert await sqlite_journal.verify_all() == []


async def test_memory_of_heads_is_bounded(
    sqlite_journal: SqliteJournal, make_step: MakeStep, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More calls than are kept in memory go on in turn, and their chains stay whole."""
    monkeypatch.setattr(sqlite, "HEADS_KEPT", 2)
    for seq in range(1, 4):
        for call_sid in ("CA1", "CA2", "CA3"):
            await sqlite_journal.append(make_step(call_sid, seq))
            assert len(sqlite_journal._heads) <= 2

    assert await sqlite_journal.verify_all() == []


# One process


async def test_orders_of_a_process_that_died_are_open_at_once(
    sqlite_journal: SqliteJournal, make_step: MakeStep
) -> None:
    """Nobody else can be at work on them, so no caller waits for them; one that is done stays so."""
    await sqlite_journal.append(make_step(orders=(fx.ReadBills("A1"), fx.ReadBills("A2"))))
    for n in range(2):
        await sqlite_journal.claim(f"CA1:1:{n}", "died", NOON + timedelta(hours=1), NOON)
    await sqlite_journal.append(make_step(seq=2, event=ev.BillHeld("CA1:1:0")))
    await sqlite_journal.take_over(NOON)

    assert [order.key for order in await sqlite_journal.open_orders(NOON)] == ["CA1:1:1"]


async def test_one_process_at_a_time_serves_a_file(tmp_path: Path) -> None:
    """A second one is told so, and changes nothing; it may when the first has ended."""
    first, second = (SqliteJournal(tmp_path / "one.db", b"key") for _ in range(2))
    await first.open()
    await second.open()
    await first.take_over(NOON)
    with pytest.raises(JournalFailed, match=rf"process {os.getpid()} serves .*one.db: end that one first, or use Po"):
        await second.take_over(NOON)
    await first.close()
    await second.take_over(NOON)
    await second.close()


# The index, and files of another age


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        (
            "UPDATE calls SET outcome = 'paid' WHERE call_sid = 'CA1'",
            "call CA1: the index of calls says outcome paid, the steps say none",
        ),
        ("DELETE FROM calls WHERE call_sid = 'CA1'", "call CA1: not in the index of calls"),
        (
            "INSERT INTO credits VALUES ('CA1:1', 'CA1', 100, 'USD')",
            "call CA1: the index of credits is not what the steps say",
        ),
    ],
)
async def test_index_is_checked_against_the_steps(
    sqlite_journal: SqliteJournal, make_step: MakeStep, tmp_path: Path, statement: str, found: str
) -> None:
    """An index that tells another story than the record is found, and what it says is named."""
    await two_calls(sqlite_journal, make_step)
    tamper(tmp_path, statement)

    assert await sqlite_journal.verify_all() == [found]


def made_by_the_first_release(path: Path, steps: list[Step]) -> None:
    """A journal's file as it was before its changes were numbered."""
    schema = files("payagent.journal").joinpath("sqlite_001.sql").read_text()
    with raw(path) as db:
        db.executescript(schema)
        for step in steps:
            entry = encode(step)
            db.execute("INSERT INTO steps VALUES (NULL, ?, ?, ?, ?)", (step.call_sid, step.seq, entry.record, b""))
            db.execute(
                "INSERT INTO calls VALUES (?, ?, ?, ?, ?, 0, NULL) ON CONFLICT DO UPDATE SET steps = excluded.steps",
                (step.call_sid, "", "", "", step.seq),
            )


async def test_old_file_is_brought_up(make_step: MakeStep, tmp_path: Path) -> None:
    """Its index is made anew from the steps; a record that cannot be read is passed over, for `verify` to tell."""
    steps = [make_step(call, seq, at=NOON + timedelta(minutes=seq)) for call in ("CA1", "CA2") for seq in (1, 2)]
    made_by_the_first_release(tmp_path, [*steps, make_step("CA3", 1)])
    with raw(tmp_path) as db:
        db.execute("DROP TRIGGER steps_no_update")
        db.execute("UPDATE steps SET record = '{}' WHERE call_sid = 'CA3'")

    for _ in range(2):  # the second time there is nothing to do
        journal = SqliteJournal(tmp_path / "journal.db", b"key")
        await journal.open()
        found = await journal.search(Search())
        await journal.close()

        assert [(call.call_sid, call.steps) for call in found] == [("CA2", 2), ("CA1", 2)]
    with raw(tmp_path) as db:
        assert db.execute("SELECT part, number FROM migrations").fetchall() == [
            ("journal", 1),
            ("journal", 2),
            ("journal", 3),
        ]


async def test_file_that_cannot_be_brought_up_stays_as_it_was(
    make_step: MakeStep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change is applied whole or not at all."""
    made_by_the_first_release(tmp_path, [make_step()])
    monkeypatch.setattr(sqlite_index.index, "columns", lambda step: {"call_sid": None})

    with pytest.raises(JournalFailed):
        await SqliteJournal(tmp_path / "journal.db", b"key").open()
    with raw(tmp_path) as db:
        assert db.execute("SELECT name FROM sqlite_master WHERE name IN ('migrations', 'credits')").fetchall() == []
        assert db.execute("SELECT steps FROM calls").fetchall() == [(1,)]


async def test_newer_file_is_refused_in_words(sqlite_journal: SqliteJournal, tmp_path: Path) -> None:
    """A file that a newer payagent has changed is left alone, and it is said what to do."""
    with raw(tmp_path) as db:
        db.execute("INSERT INTO migrations VALUES ('journal', 99)")

    with pytest.raises(JournalFailed, match=r"at change 99, this payagent knows 3: run the newer payagent"):
        await SqliteJournal(tmp_path / "journal.db", b"key").open()

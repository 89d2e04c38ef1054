"""The journal in one SQLite file, for one process.

* Writes go through one thread in groups (`writer`), reads through a connection and a thread of their own.
* WAL and `synchronous=FULL`: what `append` returned for survives a power cut.
* One process at a time may serve it, so claims that it finds are of one that died (`take_over`).
* The file is readable by its owner only, and erased words are overwritten: it holds what callers said.
* The MAC of each live call's last step is kept in memory, within bounds, and read again when it is not there.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import sqlite3
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import IO, TypeVar

from payagent.database.migrations import Schema, bring_up
from payagent.errors import JournalConflict, JournalFailed
from payagent.flow.effects import DurableOrder, order_key
from payagent.flow.events import answered
from payagent.flow.states import FINAL, State
from payagent.flow.step import Step, Timer
from payagent.journal import chain, codec, sqlite_index
from payagent.journal.checking import call_problems
from payagent.journal.protocol import CallSummary, Claim, DayTotals, Heard, OpenOrder, Search
from payagent.journal.words import Words
from payagent.journal.writer import GroupWriter

T = TypeVar("T")
Database = sqlite3.Connection

HEADS_KEPT = 10_000
"""Of how many live calls the last MAC is kept in memory, some 200 bytes each."""


class SqliteJournal:
    """A `Journal` in the file `path`; `key` is the chain's secret, `busy_seconds` the longest wait for a lock."""

    def __init__(self, path: Path, key: bytes, busy_seconds: float = 5) -> None:
        self._path = path
        self._key = key
        self._busy_seconds = busy_seconds
        self._heads: dict[str, tuple[int, bytes]] = {}
        self._opened: _Opened | None = None

    async def open(self) -> None:
        """Open the file, making it if there is none.

        Raises:
            JournalFailed: it cannot be opened, or is no journal.
        """
        with _failures():
            self._opened = await asyncio.to_thread(self._open, asyncio.get_running_loop())

    async def close(self) -> None:
        opened, self._opened = self._opened, None
        if opened:
            await asyncio.to_thread(opened.close)

    async def take_over(self, now: datetime) -> None:
        self._parts.serving = await asyncio.to_thread(_serve_alone, self._path)
        query = "UPDATE orders SET claimed_until = ? WHERE done_at IS NULL AND claimed_until > ?"
        at = codec.time_text(now)
        await self._write(lambda db: db.execute(query, (at, at)))

    async def append(self, *steps: Step) -> None:
        entries = [codec.encode(step) for step in steps]

        def write(db: Database) -> None:
            for step, entry in zip(steps, entries, strict=True):
                self._append(db, step, entry)

        await self._write(write)

    async def steps(self, call_sid: str, after: int = 0) -> list[Step]:
        def read(db: Database) -> list[Step]:
            return [codec.decode(row.record, row.words.text if row.words else "") for row in _rows(db, call_sid, after)]

        return await self._read(read)

    async def claim(self, key: str, worker: str, until: datetime, now: datetime) -> Claim:
        return await self._write(lambda db: _claim(db, key, worker, codec.time_text(until), codec.time_text(now)))

    async def open_orders(self, now: datetime) -> list[OpenOrder]:
        return await self._read(lambda db: _open_orders(db, codec.time_text(now)))

    async def due(self, now: datetime) -> list[tuple[str, Timer]]:
        return await self._read(lambda db: _due(db, now))

    async def live_calls(self) -> list[str]:
        query = "SELECT call_sid FROM calls WHERE ended = 0 ORDER BY started_at"
        return await self._read(lambda db: [call_sid for (call_sid,) in db.execute(query)])

    async def lengths(self, call_sids: Collection[str]) -> dict[str, int]:
        query = "SELECT call_sid, steps FROM calls WHERE call_sid IN (SELECT value FROM json_each(?))"
        names = json.dumps(list(call_sids))
        return await self._read(lambda db: dict(db.execute(query, (names,)).fetchall()))

    async def search(self, search: Search) -> list[CallSummary]:
        return await self._read(lambda db: sqlite_index.search(db, search))

    async def states(self) -> dict[State, int]:
        return await self._read(sqlite_index.states)

    async def totals(self, since: datetime | None = None, until: datetime | None = None) -> list[DayTotals]:
        return await self._read(lambda db: sqlite_index.totals(db, Search(since=since, until=until)))

    async def verify(self, call_sid: str) -> list[str]:
        return await self._read(lambda db: self._verify(db, call_sid))

    async def verify_all(self) -> list[str]:
        return await self._read(self._verify_all)

    async def seal(self, now: datetime) -> None:
        await self._write(lambda db: self._seal(db, now))

    async def erase_words(self, older_than: datetime, *, try_out: bool = False) -> int:
        before = codec.time_text(older_than)
        if try_out:
            query = "SELECT count(*) FROM words WHERE spoken_at < ?"
            return await self._read(lambda db: int(db.execute(query, (before,)).fetchone()[0]))
        erased = await self._write(lambda db: db.execute("DELETE FROM words WHERE spoken_at < ?", (before,)).rowcount)
        # The write-ahead log still holds the pages as they were: write it back and empty it.
        await self._read(lambda db: db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())
        return erased

    def listen(self, heard: Heard) -> None:
        """Nobody else writes into the file of one process, so there is nothing to be told."""

    # --- the two connections

    async def _write(self, work: Callable[[Database], T]) -> T:
        with _failures():
            return await asyncio.wrap_future(self._parts.writer.submit(work))

    async def _read(self, work: Callable[[Database], T]) -> T:
        with _failures():
            return await asyncio.wrap_future(self._parts.reading.submit(work, self._parts.reader))

    @property
    def _parts(self) -> _Opened:
        if self._opened is None:
            raise JournalFailed("the journal is closed")
        return self._opened

    def _open(self, loop: asyncio.AbstractEventLoop) -> _Opened:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.touch(mode=0o600)
        writing = self._connect(lambda db: bring_up(db, Schema.of("journal", "sqlite"), {2: _make_index}))
        reading = self._connect(lambda db: db.execute("PRAGMA query_only = ON"))
        file = os.stat(self._path)

        def begin(db: Database) -> None:
            # SQLite goes on writing into a deleted file; what is recorded there would be lost.
            if not os.path.samestat(file, os.stat(self._path)):
                raise JournalFailed("the journal's file was replaced by another")
            db.execute("BEGIN IMMEDIATE")

        return _Opened(GroupWriter(writing, begin, rolled_back=self._heads.clear, later=loop.call_soon), reading)

    def _connect(self, prepare: Callable[[Database], object]) -> Database:
        db = sqlite3.connect(self._path, timeout=self._busy_seconds, isolation_level=None, check_same_thread=False)
        try:
            db.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;")
            prepare(db)
        except (sqlite3.Error, ValueError):
            db.close()
            raise
        return db

    # --- inside a transaction of the writer

    def _append(self, db: Database, step: Step, entry: codec.Entry) -> None:
        mac = chain.link(self._key, self._mac_before(db, step), entry.record)
        _insert_step(db, step, entry, mac)
        _insert_orders(db, step)
        if done := answered(step.event):
            at = codec.time_text(step.at)
            db.execute("UPDATE orders SET done_at = ? WHERE key = ? AND done_at IS NULL", (at, done))
        sqlite_index.put(db, step)
        self._remember(step, mac)

    def _mac_before(self, db: Database, step: Step) -> bytes:
        if step.seq == 1:
            return chain.genesis(self._key, step.call_sid)
        seq, mac = self._heads.get(step.call_sid, (0, b""))
        if seq == step.seq - 1:
            return mac
        query = "SELECT mac FROM steps WHERE call_sid = ? AND seq = ?"
        found: tuple[bytes] | None = db.execute(query, (step.call_sid, step.seq - 1)).fetchone()
        if found is None:
            raise JournalFailed(f"call {step.call_sid} has no step {step.seq - 1} for step {step.seq} to follow")
        return found[0]

    def _remember(self, step: Step, mac: bytes) -> None:
        self._heads.pop(step.call_sid, None)
        if step.after in FINAL:  # little more will come
            return
        self._heads[step.call_sid] = (step.seq, mac)
        if len(self._heads) > HEADS_KEPT:
            del self._heads[next(iter(self._heads))]  # the one longest not written to

    def _seal(self, db: Database, now: datetime) -> None:
        last = db.execute("SELECT number, record, mac FROM seals ORDER BY number DESC LIMIT 1").fetchone()
        number, record, mac = last or (0, b"", chain.genesis(self._key, chain.SEALS))
        seen = chain.decode_seal(record).upto if last else 0
        # SQLite takes the bare `mac` from the row that has the maximum.
        query = "SELECT call_sid, max(seq), mac FROM steps WHERE id > ? GROUP BY call_sid ORDER BY call_sid"
        heads = tuple(chain.Head(call_sid, seq, mac.hex()) for call_sid, seq, mac in db.execute(query, (seen,)))
        if heads:
            (upto,) = db.execute("SELECT max(id) FROM steps").fetchone()
            sealed = chain.encode_seal(chain.Seal(number + 1, now, upto, heads))
            db.execute("INSERT INTO seals VALUES (?, ?, ?)", (number + 1, sealed, chain.link(self._key, mac, sealed)))

    # --- checking, on the reader

    def _verify(self, db: Database, call_sid: str) -> list[str]:
        with _whole(db):
            rows, line = list(_rows(db, call_sid)), sqlite_index.line(db, call_sid)
            credited = sqlite_index.credits(db, call_sid)
        return call_problems(self._key, call_sid, rows, line, credited)

    def _verify_all(self, db: Database) -> list[str]:
        known = db.execute("SELECT call_sid FROM steps UNION SELECT call_sid FROM calls ORDER BY call_sid").fetchall()
        problems = [problem for (call_sid,) in known for problem in self._verify(db, call_sid)]
        query = "SELECT number, CAST(record AS BLOB), CAST(mac AS BLOB) FROM seals ORDER BY number"
        seals = [chain.Row(*row) for row in db.execute(query)]
        problems += chain.seal_problems(self._key, seals)
        return problems + [problem for seal in seals for problem in _uncovered(db, seal)]


class _Opened:
    """The threads and connections of an open journal."""

    def __init__(self, writer: GroupWriter, reader: Database) -> None:
        self.writer = writer
        self.reader = reader
        self.reading = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal-reader")
        self.serving: IO[str] | None = None

    def close(self) -> None:
        self.writer.close()
        self.reading.shutdown()
        self.reader.close()
        if self.serving:
            self.serving.close()


def _serve_alone(path: Path) -> IO[str]:
    """A lock beside the file, held as long as what is returned is open; a process that dies lets go of it.

    Raises:
        JournalFailed: another process holds it.
    """
    with _failures():
        # Beside it: closing any second opening of the file itself would undo SQLite's own locks.
        lock = path.with_name(f"{path.name}.serving").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with lock:
                lock.seek(0)
                who = f"process {lock.read()} serves {path}"
            raise JournalFailed(f"{who}: end that one first, or use PostgreSQL for several") from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        return lock


@contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError, ValueError) as error:
        raise JournalFailed(f"the journal's file failed: {error}") from error


@contextmanager
def _whole(db: Database) -> Iterator[None]:
    """What is read inside is of one moment."""
    db.execute("BEGIN")
    try:
        yield
    finally:
        db.execute("COMMIT")


def _insert_step(db: Database, step: Step, entry: codec.Entry, mac: bytes) -> None:
    row = (step.call_sid, step.seq, entry.record, mac)
    try:
        db.execute("INSERT INTO steps (call_sid, seq, record, mac) VALUES (?, ?, ?, ?)", row)
    except sqlite3.IntegrityError as error:
        raise JournalConflict(f"call {step.call_sid} already has a step {step.seq}") from error
    if entry.words:
        words = (step.call_sid, step.seq, entry.words.salt, entry.words.text, codec.time_text(step.at))
        db.execute("INSERT INTO words VALUES (?, ?, ?, ?, ?)", words)


def _insert_orders(db: Database, step: Step) -> None:
    at = codec.time_text(step.at)
    rows = [
        (order_key(step.call_sid, step.seq, n), step.call_sid, step.seq, n, at)
        for n, order in enumerate(step.orders)
        if isinstance(order, DurableOrder)
    ]
    db.executemany("INSERT INTO orders (key, call_sid, seq, n, ordered_at) VALUES (?, ?, ?, ?, ?)", rows)


def _make_index(db: Database) -> None:
    """Make the index anew from the steps; of a record that cannot be read, as far as it can be."""
    for (call_sid,) in db.execute("SELECT DISTINCT call_sid FROM steps").fetchall():
        with suppress(JournalFailed):
            for row in list(_rows(db, call_sid)):
                sqlite_index.put(db, codec.decode(row.record))


def _claim(db: Database, key: str, worker: str, until: str, now: str) -> Claim:
    query = """
        SELECT claimed_until FROM orders
        WHERE key = ? AND done_at IS NULL AND (claimed_until IS NULL OR claimed_until <= ?)
    """
    found = db.execute(query, (key, now)).fetchone()
    if found is None:
        return Claim.REFUSED
    db.execute("UPDATE orders SET claimed_by = ?, claimed_until = ? WHERE key = ?", (worker, until, key))
    return Claim.FIRST if found == (None,) else Claim.AGAIN


def _rows(db: Database, call_sid: str, after: int = 0) -> Iterator[chain.Row]:
    # The casts: somebody who changed a row may have changed the type of its values too.
    query = """
        SELECT steps.seq, CAST(record AS BLOB), CAST(mac AS BLOB), CAST(salt AS BLOB), CAST(text AS TEXT)
        FROM steps LEFT JOIN words USING (call_sid, seq)
        WHERE steps.call_sid = ? AND steps.seq > ? ORDER BY steps.seq
    """
    for seq, record, mac, salt, text in db.execute(query, (call_sid, after)):
        yield chain.Row(seq, record, mac, None if salt is None else Words(salt, text))


def _open_orders(db: Database, now: str) -> list[OpenOrder]:
    query = """
        SELECT key, call_sid, seq, n, record, ordered_at
        FROM orders JOIN steps USING (call_sid, seq)
        WHERE done_at IS NULL AND (claimed_until IS NULL OR claimed_until <= ?) ORDER BY ordered_at, key
    """
    return [
        OpenOrder(key, call_sid, seq, n, codec.decode_order(record, n), datetime.fromisoformat(at))
        for key, call_sid, seq, n, record, at in db.execute(query, (now,))
    ]


def _due(db: Database, now: datetime) -> list[tuple[str, Timer]]:
    query = """
        SELECT call_sid, record FROM calls JOIN steps USING (call_sid)
        WHERE NOT ended AND seq = calls.steps AND next_due <= ? ORDER BY next_due
    """
    found = [
        (call_sid, timer)
        for call_sid, record in db.execute(query, (codec.time_text(now),))
        for timer in codec.decode_timers(record)
        if timer.due <= now
    ]
    return sorted(found, key=lambda pair: pair[1].due)


def _uncovered(db: Database, seal: chain.Row) -> list[str]:
    """What a seal covers and the steps no longer hold."""
    query = "SELECT CAST(mac AS BLOB) FROM steps WHERE call_sid = ? AND seq = ?"
    found = [(head, db.execute(query, (head.call_sid, head.seq)).fetchone()) for head in chain.heads_of(seal)]
    return [
        problem for head, mac in found for problem in chain.head_problems(seal.number, head, mac[0] if mac else None)
    ]

"""Appends a second of both journals, beside the raw driver writing rows of the same size in the same groups.

The raw driver's row is one INSERT of record and MAC; the journal's also carries words, the index of calls and the
chain. PostgreSQL is one of its own, with its disk waits on. `python -m bench.journal --help`.
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

import asyncpg

from bench.figures import save, table
from bench.processes import machine
from payagent.flow import events as ev
from payagent.flow.call import Call
from payagent.flow.machine import Engine
from payagent.flow.step import Step
from payagent.flow.table import Flow, build
from payagent.journal import codec
from payagent.journal.postgres import PostgresJournal
from payagent.journal.protocol import Journal
from payagent.journal.sqlite import SqliteJournal

KEY = b"a key for the bench, 32 bytes ..."
NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)


def talk(flow: Flow, engine: Engine, n: int, steps: int) -> list[Step]:
    """The steps of a call in which caller and agent take turns."""
    call, made = Call(flow, f"CA{n:032x}", engine), []
    events: list[ev.Event] = [ev.CallStarted("…0100", "caller")]
    for turn in range(steps - 1):
        words = "I would like to pay all of it, please, if that is possible."
        events.append(ev.AgentSpoke(f"turn {turn}", words) if turn % 2 else ev.CallerSpoke(words, False))
    for event in events:
        step = call.decide(event, NOW)
        assert step is not None
        call.apply(step)
        made.append(step)
    return made


async def appends(journal: Journal, talks: list[list[Step]]) -> float:
    """Appends a second, each call one after the other, the calls at once."""

    async def one(steps: list[Step]) -> None:
        for step in steps:
            await journal.append(step)

    at = perf_counter()
    await asyncio.gather(*[one(steps) for steps in talks])
    return sum(map(len, talks)) / (perf_counter() - at)


def raw_sqlite(path: Path, talks: list[list[Step]]) -> float:
    """The same records by the driver alone, a commit for the `len(talks)` that wait at a time."""
    db = sqlite3.connect(path, isolation_level=None)
    db.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")
    db.execute("CREATE TABLE raw (call_sid TEXT, seq INTEGER, record BLOB, mac BLOB, PRIMARY KEY (call_sid, seq))")
    groups = list(zip(*_rows(talks), strict=True))
    at = perf_counter()
    for group in groups:
        db.execute("BEGIN IMMEDIATE")
        db.executemany("INSERT INTO raw VALUES (?, ?, ?, ?)", group)
        db.execute("COMMIT")
    took = perf_counter() - at
    db.close()
    return sum(map(len, groups)) / took


async def raw_postgres(url: str, talks: list[list[Step]]) -> float:
    """The same records by the driver alone, an INSERT for the `len(talks)` that wait at a time."""
    connection = await asyncpg.connect(url)
    await connection.execute(
        "CREATE TABLE raw (call_sid text, seq integer, record bytea, mac bytea, PRIMARY KEY (call_sid, seq))"
    )
    insert = await connection.prepare(
        "INSERT INTO raw SELECT * FROM unnest($1::text[], $2::integer[], $3::bytea[], $4::bytea[])"
    )
    groups = [list(zip(*group, strict=True)) for group in zip(*_rows(talks), strict=True)]
    at = perf_counter()
    for group in groups:
        await insert.fetch(*group)
    took = perf_counter() - at
    await connection.close()
    return sum(map(len, talks)) / took


def _rows(talks: list[list[Step]]) -> list[list[tuple[str, int, bytes, bytes]]]:
    return [[(step.call_sid, step.seq, codec.encode(step).record, b"m" * 32) for step in steps] for steps in talks]


@contextmanager
def postgres() -> Iterator[Callable[[], str] | None]:
    """Makes databases on a server of its own; None where there is no PostgreSQL."""
    sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
    import postgres_server
    from services import postgres_program

    if postgres_program("initdb") is None:
        yield None
        return
    postgres_server.OPTIONS = "-c shared_buffers=64MB -c listen_addresses=''"
    server = postgres_server.Server()
    try:
        server.execute("CREATE DATABASE made")
        postgres_server._run(postgres_server.postgres.migrate(server.url("made"), postgres_server.SCHEMAS))
        yield lambda: server.make("made")
    finally:
        server.stop("fast")


async def sqlite_row(callers: int, steps: int) -> dict[str, object]:
    """SQLite's row."""
    flow = build()
    talks = [talk(flow, Engine(flow), n, steps) for n in range(callers)]
    with tempfile.TemporaryDirectory() as folder:
        raw = raw_sqlite(Path(folder) / "raw.db", talks)
        journal = SqliteJournal(Path(folder) / "journal.db", KEY)
        await journal.open()
        ours = await appends(journal, talks)
        await journal.close()
    return _row("SQLite", callers, raw, ours)


async def postgres_row(url: str, callers: int, steps: int) -> dict[str, object]:
    """PostgreSQL's row."""
    flow = build()
    talks = [talk(flow, Engine(flow), n, steps) for n in range(callers)]
    raw = await raw_postgres(url, talks)
    journal = PostgresJournal(url, KEY)
    await journal.open()
    ours = await appends(journal, talks)
    await journal.close()
    return _row("PostgreSQL", callers, raw, ours)


def _row(kind: str, callers: int, raw: float, ours: float) -> dict[str, object]:
    return {"database": kind, "callers": callers, "raw appends/s": raw, "journal appends/s": ours, "ratio": raw / ours}


def measure(callers: list[int], steps: int) -> list[dict[str, object]]:
    """All rows."""
    rows = [asyncio.run(sqlite_row(number, steps)) for number in callers]
    with postgres() as make:
        rows += [asyncio.run(postgres_row(make(), number, steps)) for number in callers] if make else []
    return rows


def main() -> None:
    """Measure, print, save."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--callers", type=int, nargs="+", default=[1, 50])
    options.add_argument("--steps", type=int, default=100)
    options.add_argument("--save", type=Path)
    given = options.parse_args()
    where = machine()
    rows = measure(given.callers, given.steps)
    print(where)
    print(table(rows))
    save(given.save, "journal", where, rows)


if __name__ == "__main__":
    main()

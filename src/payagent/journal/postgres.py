"""The journal on PostgreSQL, for any number of workers.

* Steps go through one task a worker (`postgres_writer`), all else through a pool of connections; each is done again
  when a connection breaks under it, so that a restart of the server is bridged.
* Which of several workers wrote a step, or took an order, the database decides.
* The triggers refuse changes to steps and seals, and the app's role has no right to any (docs/postgresql.md).
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, TypeVar

from payagent.database.migrations import Schema
from payagent.database.postgres import FAILURES, TROUBLE, Connection, Postgres, Work, numbered
from payagent.errors import JournalFailed
from payagent.flow.states import State
from payagent.flow.step import Step, Timer
from payagent.journal import chain, codec, index
from payagent.journal.checking import call_problems
from payagent.journal.postgres_writer import CHANNEL, MACS, StepWriter
from payagent.journal.protocol import CallSummary, Claim, DayTotals, Heard, OpenOrder, Search
from payagent.journal.words import Words

T = TypeVar("T")

SCHEMA = Schema.of("journal", "postgres")
LISTEN_AGAIN_SECONDS = 0.5
MOST_LINES = 2**62
"""What SQL takes for a limit without one."""

SEALING = 0x7365_616C
"""The advisory lock of whoever writes a seal."""

ROWS = """
    SELECT steps.seq, record, mac, salt, text FROM steps LEFT JOIN words USING (call_sid, seq)
    WHERE steps.call_sid = $1 AND steps.seq > $2 ORDER BY steps.seq
"""
CLAIM = """
    UPDATE orders SET claimed_by = $2, claimed_until = $3, claims = CASE WHEN $5 AND claimed_by = $2
        AND claimed_until = $3 THEN claims ELSE claims + 1 END
    WHERE key = $1 AND done_at IS NULL
        AND (claimed_until IS NULL OR claimed_until <= $4 OR ($5 AND claimed_by = $2 AND claimed_until = $3))
    RETURNING claims
"""
OPEN_ORDERS = """
    SELECT key, call_sid, seq, n, record, ordered_at FROM orders JOIN steps USING (call_sid, seq)
    WHERE done_at IS NULL AND (claimed_until IS NULL OR claimed_until <= $1) ORDER BY ordered_at, key
"""
DUE = """
    SELECT call_sid, record FROM calls JOIN steps USING (call_sid)
    WHERE seq = calls.steps AND next_due <= $1 ORDER BY next_due
"""
LENGTHS = "SELECT call_sid, steps FROM calls WHERE call_sid = ANY($1)"
LINE = f"SELECT {', '.join(index.COLUMNS)} FROM calls"  # noqa: S608 - names of ours
CREDITS = "SELECT payment, call_sid, amount, currency FROM credits WHERE call_sid = $1"
PAID_OF_DAYS = """
    SELECT (started_at AT TIME ZONE 'UTC')::date AS day, count(*), sum(credits.amount)::bigint, credits.currency
    FROM credits JOIN calls USING (call_sid) WHERE {} GROUP BY day, credits.currency
"""
CALLS_OF_DAYS = """
    SELECT (started_at AT TIME ZONE 'UTC')::date AS day, count(*), sum(declined)::integer, sum(cancelled)::integer,
        count(*) FILTER (WHERE outcome = 'unknown') FROM calls WHERE {} GROUP BY day
"""
NOT_SEALED = """
    SELECT call_sid, seq, mac, id FROM calls JOIN steps USING (call_sid)
    WHERE steps > sealed AND seq = calls.steps ORDER BY call_sid FOR UPDATE OF calls
"""
SEALED = """
    UPDATE calls SET sealed = seq FROM unnest($1::text[], $2::integer[]) AS _ (sid, seq) WHERE call_sid = sid
"""


class PostgresJournal:
    """A `Journal` in the database at `url`; `key` is the chain's secret."""

    def __init__(self, url: str, key: bytes) -> None:
        self._postgres = Postgres(url)
        self._key = key
        self._writer: StepWriter | None = None
        self._listening: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect.

        Raises:
            JournalFailed: it is out of reach, or its schema is not the one this payagent knows.
        """
        with _failures():
            await self._postgres.open(SCHEMA)
        self._writer = StepWriter(self._postgres, self._key)

    async def close(self) -> None:
        writer, self._writer = self._writer, None
        if self._listening:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
        if writer:
            await writer.close()
        await self._postgres.close()

    async def take_over(self, now: datetime) -> None:
        """Others may be at work: their claims stand until they are over."""

    async def append(self, *steps: Step) -> None:
        if self._writer is None:
            raise JournalFailed("the journal is closed")
        await self._writer.append([(step, codec.encode(step)) for step in steps])

    async def steps(self, call_sid: str, after: int = 0) -> list[Step]:
        rows = await self._do(lambda db: _rows(db, call_sid, after))
        return [codec.decode(row.record, row.words.text if row.words else "") for row in rows]

    async def claim(self, key: str, worker: str, until: datetime, now: datetime) -> Claim:
        tries = 0

        async def work(db: Connection) -> int | None:
            nonlocal tries
            tries += 1
            claims: int | None = await db.fetchval(CLAIM, key, worker, until, now, tries > 1)
            return claims

        claims = await self._do(work)  # tried again after a break, it knows its own claim by worker and time
        return Claim.REFUSED if claims is None else Claim.FIRST if claims == 1 else Claim.AGAIN

    async def open_orders(self, now: datetime) -> list[OpenOrder]:
        rows = await self._do(lambda db: db.fetch(OPEN_ORDERS, now))
        return [
            OpenOrder(key, call_sid, seq, n, codec.decode_order(record, n), ordered_at)
            for key, call_sid, seq, n, record, ordered_at in rows
        ]

    async def due(self, now: datetime) -> list[tuple[str, Timer]]:
        rows = await self._do(lambda db: db.fetch(DUE, now))
        waits = [(call_sid, timer) for call_sid, record in rows for timer in codec.decode_timers(record)]
        return sorted((wait for wait in waits if wait[1].due <= now), key=lambda wait: wait[1].due)

    async def live_calls(self) -> list[str]:
        query = "SELECT call_sid FROM calls WHERE NOT ended ORDER BY started_at"
        return [row["call_sid"] for row in await self._do(lambda db: db.fetch(query))]

    async def states(self) -> dict[State, int]:
        query = "SELECT state, count(*) FROM calls WHERE NOT ended GROUP BY state"
        return {State(state): number for state, number in await self._do(lambda db: db.fetch(query))}

    async def lengths(self, call_sids: Collection[str]) -> dict[str, int]:
        rows = await self._do(lambda db: db.fetch(LENGTHS, list(call_sids)))
        return {row["call_sid"]: row["steps"] for row in rows}

    async def search(self, search: Search) -> list[CallSummary]:
        condition, values = index.where(search)
        query = numbered(f"{LINE} WHERE {condition} ORDER BY started_at DESC, call_sid DESC LIMIT ?")
        rows = await self._do(lambda db: db.fetch(query, *values, min(search.limit, MOST_LINES)))
        return [index.summary(_line(row)) for row in rows]

    async def totals(self, since: datetime | None = None, until: datetime | None = None) -> list[DayTotals]:
        condition, values = index.where(Search(since=since, until=until))
        calls, paid = (numbered(query.format(condition)) for query in (CALLS_OF_DAYS, PAID_OF_DAYS))

        async def work(db: Connection) -> list[DayTotals]:
            days, sums = await db.fetch(calls, *values), await db.fetch(paid, *values)
            return index.day_totals([tuple(row) for row in days], [tuple(row) for row in sums])

        return await self._do(work)

    async def verify(self, call_sid: str) -> list[str]:
        return await self._do(lambda db: self._verify(db, call_sid))

    async def verify_all(self) -> list[str]:
        return await self._do(self._verify_all)

    async def seal(self, now: datetime) -> None:
        await self._do(lambda db: self._seal(db, now))

    async def erase_words(self, older_than: datetime, *, try_out: bool = False) -> int:
        if try_out:
            query = "SELECT count(*) FROM words WHERE spoken_at < $1"
            return int(await self._do(lambda db: db.fetchval(query, older_than)))
        done = await self._do(lambda db: db.execute("DELETE FROM words WHERE spoken_at < $1", older_than))
        return int(done.removeprefix("DELETE "))

    def listen(self, heard: Heard) -> None:
        self._listening = asyncio.create_task(self._listen(heard))

    # --- connections

    async def _do(self, work: Work[T]) -> T:
        with _failures():
            return await self._postgres.do(work)

    async def _listen(self, heard: Heard) -> None:
        """Hear of new steps for as long as the journal is open; what is missed during a break nobody tells."""
        while True:
            with suppress(*TROUBLE):
                connection = await self._postgres.connect()
                try:
                    gone = asyncio.Event()
                    connection.add_termination_listener(lambda _, gone=gone: gone.set())
                    await connection.add_listener(CHANNEL, lambda *notice: _tell(heard, str(notice[-1])))
                    await gone.wait()
                finally:
                    connection.terminate()
            await asyncio.sleep(LISTEN_AGAIN_SECONDS)

    # --- seals, and what is wrong with the record

    async def _seal(self, db: Connection, now: datetime) -> None:
        async with db.transaction():
            await db.execute("SELECT pg_advisory_xact_lock($1)", SEALING)
            last = await db.fetchrow("SELECT number, mac FROM seals ORDER BY number DESC LIMIT 1")
            number, mac = last or (0, chain.genesis(self._key, chain.SEALS))
            rows = await db.fetch(NOT_SEALED)
            if not rows:
                return
            heads = tuple(chain.Head(row["call_sid"], row["seq"], row["mac"].hex()) for row in rows)
            record = chain.encode_seal(chain.Seal(number + 1, now, max(row["id"] for row in rows), heads))
            sealed = (number + 1, record, chain.link(self._key, mac, record))
            await db.execute("INSERT INTO seals VALUES ($1, $2, $3)", *sealed)
            await db.execute(SEALED, [head.call_sid for head in heads], [head.seq for head in heads])

    async def _verify(self, db: Connection, call_sid: str) -> list[str]:
        async with db.transaction(isolation="repeatable_read", readonly=True):
            rows = await _rows(db, call_sid)
            found = await db.fetchrow(f"{LINE} WHERE call_sid = $1", call_sid)
            credits = {index.Credit(*row) for row in await db.fetch(CREDITS, call_sid)}
        return call_problems(self._key, call_sid, rows, _line(found) if found else None, credits)

    async def _verify_all(self, db: Connection) -> list[str]:
        known = await db.fetch("SELECT call_sid FROM steps UNION SELECT call_sid FROM calls ORDER BY call_sid")
        problems = [problem for row in known for problem in await self._verify(db, row["call_sid"])]
        seals = [chain.Row(*row) for row in await db.fetch("SELECT number, record, mac FROM seals ORDER BY number")]
        problems += chain.seal_problems(self._key, seals)
        covered: dict[str, int] = {}
        for seal in seals:
            heads = chain.heads_of(seal)
            there = await db.fetch(MACS, [head.call_sid for head in heads], [head.seq for head in heads])
            macs = {(row["call_sid"], row["seq"]): row["mac"] for row in there}
            for head in heads:
                covered[head.call_sid] = head.seq
                problems += chain.head_problems(seal.number, head, macs.get((head.call_sid, head.seq)))
        return problems + await _unsealed(db, covered)


async def _unsealed(db: Connection, covered: dict[str, int]) -> list[str]:
    """Calls that are marked as sealed and are not: no later seal would cover them."""
    rows = await db.fetch("SELECT call_sid, sealed FROM calls WHERE sealed > 0 ORDER BY call_sid")
    return [
        f"call {row['call_sid']}: marked as sealed up to step {row['sealed']}, and no seal says so"
        for row in rows
        if row["sealed"] > covered.get(row["call_sid"], 0)
    ]


@contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except FAILURES as error:
        raise JournalFailed(f"the journal's database failed: {error or type(error).__name__}") from error


async def _rows(db: Connection, call_sid: str, after: int = 0) -> list[chain.Row]:
    return [
        chain.Row(seq, record, mac, None if salt is None else Words(salt, text))
        for seq, record, mac, salt, text in await db.fetch(ROWS, call_sid, after)
    ]


def _line(row: Any) -> index.Columns:
    """A row of `LINE`; what is a time comes in whatever zone the server keeps."""
    return {k: v.astimezone(UTC) if isinstance(v, datetime) else v for k, v in row.items()}


def _tell(heard: Heard, payload: str) -> None:
    for place in payload.split(","):
        call_sid, _, seq = place.rpartition(":")
        heard(call_sid, int(seq))

"""One task that writes all steps of a worker to PostgreSQL, what waits in one statement.

* A statement writes a group of jobs, at most one a call: steps, words, orders, done marks, the index and one NOTIFY.
  It is one transaction, and the primary key decides: a job whose call is not among those returned lost the number of
  its first step, and nothing of it is written.
* When the connection breaks under a statement, whether it was committed is not known. It is sent again: the steps
  that are there by then are compared by their MAC, so that each job learns the truth or, at the end, that it failed.
* When the statement is refused for what it holds, each job is tried alone: only the one at fault fails.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import asyncpg

from payagent.database.postgres import BROKEN, Connection, Postgres, pauses
from payagent.errors import JournalConflict, JournalFailed
from payagent.flow.effects import DurableOrder, order_key
from payagent.flow.events import answered
from payagent.flow.states import FINAL
from payagent.flow.step import Step
from payagent.journal import chain, index
from payagent.journal.codec import Entry

GROUP = 128
"""The most jobs of one statement; the names of their last steps have to fit into one NOTIFY of 8000 bytes."""

HEADS_KEPT = 10_000
"""Of how many live calls the last MAC is kept in memory, some 200 bytes each."""

CHANNEL = "payagent_steps"

_TYPES = {
    "started_at": "timestamptz",
    "updated_at": "timestamptz",
    "next_due": "timestamptz",
    "entered_at": "timestamptz",
    "ended": "boolean",
    "amount": "bigint",
    **dict.fromkeys(("steps", *index.COUNTED), "integer"),
}
_LINE = ", ".join(index.COLUMNS)
_LINE_ARRAYS = ", ".join(f"${n}::{_TYPES.get(name, 'text')}[]" for n, name in enumerate(index.COLUMNS, start=19))

APPEND = f"""
    WITH given AS (
        SELECT * FROM unnest($1::text[], $2::integer[], $3::bytea[], $4::bytea[], $5::bytea[], $6::text[],
            $7::timestamptz[], $8::text[], $9::boolean[]) AS _ (call_sid, seq, record, mac, salt, text, at, done, first)
    ), began AS (
        INSERT INTO steps (call_sid, seq, record, mac) SELECT call_sid, seq, record, mac FROM given WHERE first
        ON CONFLICT DO NOTHING RETURNING call_sid, seq
    ), followed AS (
        INSERT INTO steps (call_sid, seq, record, mac) SELECT call_sid, given.seq, record, mac
        FROM given JOIN began USING (call_sid) WHERE NOT first RETURNING call_sid, seq
    ), won AS (
        SELECT * FROM began UNION ALL SELECT * FROM followed
    ), spoken AS (
        INSERT INTO words SELECT call_sid, seq, salt, text, at FROM given JOIN won USING (call_sid, seq)
        WHERE salt IS NOT NULL
    ), ordered AS (
        INSERT INTO orders (key, call_sid, seq, n, ordered_at)
        SELECT key, call_sid, seq, n, at FROM unnest($10::text[], $11::text[], $12::integer[], $13::integer[],
            $14::timestamptz[]) AS _ (key, call_sid, seq, n, at) JOIN won USING (call_sid, seq)
    ), done AS (
        UPDATE orders SET done_at = given.at FROM given JOIN won USING (call_sid, seq)
        WHERE orders.key = given.done AND done_at IS NULL
    ), credited AS (
        INSERT INTO credits SELECT payment, call_sid, amount, currency
        FROM unnest($15::text[], $16::text[], $17::bigint[], $18::text[]) AS _ (payment, call_sid, amount, currency)
        JOIN began USING (call_sid) ON CONFLICT DO NOTHING
    ), lines AS (
        INSERT INTO calls ({_LINE}) SELECT {", ".join(f"line.{name}" for name in index.COLUMNS)}
        FROM unnest({_LINE_ARRAYS}) AS line ({_LINE})
        JOIN began ON began.call_sid = line.call_sid ORDER BY line.call_sid
        ON CONFLICT (call_sid) DO UPDATE SET {index.UPSERT}
    ), told AS (
        SELECT pg_notify('{CHANNEL}', string_agg(call_sid || ':' || seq, ','))
        FROM (SELECT call_sid, max(seq) AS seq FROM won GROUP BY call_sid) AS _ HAVING count(*) > 0
    )
    SELECT call_sid FROM began LEFT JOIN told ON true
"""  # noqa: S608 - names of ours
# Whoever writes takes the rows of several calls in the order of their SIDs, so that no two wait for each other.

MACS = """
    SELECT call_sid, seq, mac FROM steps JOIN unnest($1::text[], $2::integer[]) AS _ (call_sid, seq)
    USING (call_sid, seq)
"""

Place = tuple[str, int]


@dataclass(slots=True)
class Job:
    """Steps of one call to write. `macs` are set when it is known which step they follow."""

    rows: list[tuple[Step, Entry]]
    answer: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    macs: list[bytes] = field(default_factory=list)

    @property
    def call_sid(self) -> str:
        """The call."""
        return self.rows[0][0].call_sid

    @property
    def last(self) -> Step:
        """The last of the steps: when it is there with its MAC, so are the others."""
        return self.rows[-1][0]

    @property
    def before(self) -> Place:
        """The step that they follow."""
        return self.call_sid, self.rows[0][0].seq - 1

    def link(self, key: bytes, mac: bytes) -> None:
        """Chain them to the step whose MAC is `mac`."""
        self.macs = []
        for _, entry in self.rows:
            mac = chain.link(key, mac, entry.record)
            self.macs.append(mac)

    def fail(self, error: JournalFailed) -> None:
        """The steps are not on the record, or nobody knows; whoever handed them in may have gone meanwhile."""
        if not self.answer.done():
            self.answer.set_exception(error)
            self.answer.exception()  # seen here

    def succeed(self) -> None:
        """The steps are on the record."""
        if not self.answer.done():
            self.answer.set_result(None)


class StepWriter:
    """The task; `key` is the chain's secret. What breaks is bridged for as long as `postgres` has patience."""

    def __init__(self, postgres: Postgres, key: bytes) -> None:
        self._postgres = postgres
        self._key = key
        self._connection: Connection | None = None
        self._heads: dict[str, tuple[int, bytes]] = {}
        self._jobs: deque[Job] = deque()
        self._waiting = asyncio.Event()
        self._closing = False
        self._task = asyncio.create_task(self._run())

    async def append(self, rows: list[tuple[Step, Entry]]) -> None:
        """Write steps of one call; returns once they are committed.

        Raises:
            JournalConflict: this call has another step of the first one's number.
            JournalFailed: they are not on the record; or, when the database was gone for long, nobody knows.
        """
        job = Job(rows)
        self._jobs.append(job)
        self._waiting.set()
        await job.answer

    async def close(self) -> None:
        """Write what was handed in, and stop."""
        self._closing = True
        self._waiting.set()
        await self._task
        await self._drop()

    async def _run(self) -> None:
        while True:
            await self._waiting.wait()
            self._waiting.clear()
            while group := self._take():
                try:
                    await self._write(group)
                except Exception as error:  # a fault of ours fails these, and not the ones to come
                    _fail(group, f"the step could not be written: {error!r}")
            if self._closing:
                return

    def _take(self) -> list[Job]:
        """The next group: the longest waiting, one a call, in the order of their SIDs; the others wait on."""
        group: dict[str, Job] = {}
        left: deque[Job] = deque()
        while self._jobs and len(group) < GROUP:
            job = self._jobs.popleft()
            if job.answer.cancelled():
                continue
            if job.call_sid in group:
                left.append(job)
            else:
                group[job.call_sid] = job
        self._jobs.extendleft(reversed(left))
        return [group[call_sid] for call_sid in sorted(group)]

    async def _write(self, group: list[Job]) -> None:
        broke = False
        for pause in pauses(self._postgres.patience):
            try:
                await self._try(group, broke)
                return
            except BROKEN as error:
                broke = True
                await self._drop()
                if pause is None:
                    _fail(group, f"the database is out of reach: {error!r}")
                    return
                await asyncio.sleep(pause)
            except asyncpg.PostgresError as error:
                if len(group) == 1:
                    _fail(group, f"the database refused the step: {error}")
                    return
                for job in group:
                    await self._write([job])
                return

    async def _try(self, group: list[Job], broke: bool) -> None:
        if self._connection is None or self._connection.is_closed():
            await self._drop()
            self._connection = await self._postgres.connect()
        jobs = await self._linked(self._connection, [job for job in group if not job.answer.done()])
        if not jobs:
            return
        won = {row["call_sid"] for row in await self._connection.fetch(APPEND, *_arrays(jobs))}
        lost = [(job.call_sid, job.last.seq) for job in jobs if job.call_sid not in won]
        there = await _macs(self._connection, lost) if broke and lost else {}
        for job in jobs:
            if job.call_sid in won or there.get((job.call_sid, job.last.seq)) == job.macs[-1]:
                self._remember(job)
                job.succeed()
            else:
                self._heads.pop(job.call_sid, None)
                job.fail(JournalConflict(f"call {job.call_sid} already has a step {job.before[1] + 1}"))

    async def _linked(self, connection: Connection, jobs: list[Job]) -> list[Job]:
        """The jobs with their MACs, but for those that follow no step: these fail."""
        before: dict[Place, bytes] = {}
        for job in jobs:
            seq, mac = self._heads.get(job.call_sid, (0, b""))
            before[job.call_sid, seq] = mac
            before[job.call_sid, 0] = chain.genesis(self._key, job.call_sid)
        if unknown := [job.before for job in jobs if job.before not in before]:
            before |= await _macs(connection, unknown)
        linked = []
        for job in jobs:
            if job.before in before:
                job.link(self._key, before[job.before])
                linked.append(job)
            else:
                call_sid, seq = job.before
                job.fail(JournalFailed(f"call {call_sid} has no step {seq} for step {seq + 1} to follow"))
        return linked

    def _remember(self, job: Job) -> None:
        self._heads.pop(job.call_sid, None)
        if job.last.after in FINAL:  # little more will come
            return
        self._heads[job.call_sid] = (job.last.seq, job.macs[-1])
        if len(self._heads) > HEADS_KEPT:
            del self._heads[next(iter(self._heads))]  # the one longest not written to

    async def _drop(self) -> None:
        """Let the connection go. After a failover the newest steps may be gone, so no MAC is known any more."""
        connection, self._connection = self._connection, None
        self._heads.clear()
        if connection is not None:
            with suppress(*BROKEN):
                connection.terminate()


def _fail(jobs: Iterable[Job], words: str) -> None:
    for job in jobs:
        job.fail(JournalFailed(words))


async def _macs(connection: Connection, places: Sequence[Place]) -> dict[Place, bytes]:
    """The MACs of those steps that are there."""
    rows = await connection.fetch(MACS, [call_sid for call_sid, _ in places], [seq for _, seq in places])
    return {(row["call_sid"], row["seq"]): row["mac"] for row in rows}


def _arrays(jobs: list[Job]) -> list[list[Any]]:
    """The values of `APPEND`."""
    rows = [
        (step, entry, mac, n == 0)
        for job in jobs
        for n, ((step, entry), mac) in enumerate(zip(job.rows, job.macs, strict=True))
    ]
    steps = [
        (
            step.call_sid,
            step.seq,
            entry.record,
            mac,
            entry.words.salt if entry.words else None,
            entry.words.text if entry.words else None,
            step.at,
            answered(step.event) or None,
            first,
        )
        for step, entry, mac, first in rows
    ]
    orders = [
        (order_key(step.call_sid, step.seq, n), step.call_sid, step.seq, n, step.at)
        for step, *_ in rows
        for n, order in enumerate(step.orders)
        if isinstance(order, DurableOrder)
    ]
    credits = [
        (credit.payment, credit.call_sid, credit.amount, credit.currency)
        for step, *_ in rows
        for credit in index.credits(step)
    ]
    lines = [reduce(index.merged, [index.columns(step) for step, _ in job.rows]) for job in jobs]
    line_arrays = [[line[name] for line in lines] for name in index.COLUMNS]
    return [*_turned(steps, 9), *_turned(orders, 5), *_turned(credits, 4), *line_arrays]


def _turned(rows: Sequence[tuple[Any, ...]], width: int) -> list[list[Any]]:
    """Rows as columns."""
    return [[row[n] for row in rows] for n in range(width)]

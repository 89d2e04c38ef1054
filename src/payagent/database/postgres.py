"""PostgreSQL: connections that come back by themselves, the schema's numbered changes, and what an error means.

* `Postgres.do` does a piece of work on a connection. When the connection breaks under it, the work is done again on
  another one until the patience is over: what is handed in has to be safe to do twice, or to say that it is not.
* A change of the schema is one transaction, under a lock that lets one `payagent migrate` at a time work.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import chain, count, repeat
from typing import TypeVar

import asyncpg

from payagent.database.migrations import RECORD, Schema, SchemaTooNew

T = TypeVar("T")
Connection = asyncpg.Connection
Work = Callable[[Connection], Awaitable[T]]

MOST_CONNECTIONS = 8
"""Of one worker, beside the journal's writer and its listener."""

CONNECT_SECONDS = 3.0
COMMAND_SECONDS = 5.0
PATIENCE_SECONDS = 4.0
"""So long a restart of the server is bridged; then the caller is told. Twilio waits 15 s for a callback's answer."""

MIGRATING = 0x7061_7961
"""The advisory lock of whoever changes the schema."""

BROKEN: tuple[type[Exception], ...] = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # the server is going down, or coming up; or a command took too long
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the server has said goodbye, and the socket is not closed yet
    asyncpg.TooManyConnectionsError,
    OSError,  # a TimeoutError is one
)
"""The connection is gone, or there is none: whether what was under way is done is not known."""

TROUBLE: tuple[type[Exception], ...] = (asyncpg.PostgresError, *BROKEN)
"""All that can go wrong out there."""


class SchemaOutdated(ValueError):
    """The database lacks changes that this payagent needs."""


FAILURES: tuple[type[Exception], ...] = (*TROUBLE, SchemaOutdated, SchemaTooNew)
"""The same, and a schema that does not fit."""


class Postgres:
    """The connections to the database at `url`."""

    def __init__(self, url: str, patience: float = PATIENCE_SECONDS) -> None:
        self.url = url
        self.patience = patience
        self._pool: asyncpg.Pool | None = None

    async def open(self, schema: Schema) -> None:
        """Connect, and see whether the schema is up to date.

        Raises one of `TROUBLE`, and:
            SchemaOutdated: it lacks changes.
            SchemaTooNew: it has more.
        """
        self._pool = await asyncpg.create_pool(
            self.url,
            min_size=0,
            max_size=MOST_CONNECTIONS,
            timeout=CONNECT_SECONDS,
            command_timeout=COMMAND_SECONDS,
            reset=_leave_as_it_is,
        )
        try:
            await self.do(lambda connection: _check(connection, schema))
        except Exception:
            await self.close()
            raise

    async def close(self) -> None:
        """Let the connections go."""
        pool, self._pool = self._pool, None
        if pool:
            pool.terminate()

    async def connect(self) -> Connection:
        """A connection outside the pool. Raises one of `TROUBLE`."""
        return await asyncpg.connect(self.url, timeout=CONNECT_SECONDS, command_timeout=COMMAND_SECONDS)

    async def do(self, work: Work[T], *, again: bool = True) -> T:
        """What `work` gives. `again`: after a break it is done once more, for as long as the patience lasts.

        Raises one of `TROUBLE`.
        """
        if self._pool is None:
            raise asyncpg.InterfaceError("the database is closed")
        for pause in pauses(self.patience if again else 0):
            try:
                return await self._once(self._pool, work)
            except BROKEN:
                if pause is None:
                    raise
                await asyncio.sleep(pause)
        raise AssertionError("the last pause is None")

    async def _once(self, pool: asyncpg.Pool, work: Work[T]) -> T:
        async with pool.acquire(timeout=CONNECT_SECONDS) as connection:
            return await work(connection)  # type: ignore[arg-type]  # the pool's proxy of a connection


def pauses(patience: float) -> Iterator[float | None]:
    """The seconds to wait after each break, the first one none at all; None once the patience is over."""
    loop = asyncio.get_running_loop()
    end = loop.time() + patience
    for pause in chain((0.0, 0.02, 0.05, 0.1, 0.2), repeat(0.4)):
        yield pause if loop.time() + pause < end else None


def numbered(query: str) -> str:
    """The query with `$1`, `$2` … for its question marks: the way PostgreSQL writes them."""
    numbers = count(1)
    return re.sub(r"\?", lambda mark: f"${next(numbers)}", query)


async def migrate(url: str, schemas: Sequence[Schema]) -> list[str]:
    """Apply what the database lacks, and name it. Who comes second waits, and finds nothing left to do.

    Raises one of `TROUBLE`, and:
        SchemaTooNew: the database belongs to a newer payagent.
    """
    connection = await asyncpg.connect(url, timeout=CONNECT_SECONDS)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", MIGRATING)
        await connection.execute(RECORD)
        return [name for schema in schemas for name in await _bring_up(connection, schema)]
    finally:
        await connection.close()


async def _bring_up(connection: Connection, schema: Schema) -> list[str]:
    applied = []
    for number, script in schema.pending(await _had(connection, schema.part)):
        async with connection.transaction():
            await connection.execute(script)
            await connection.execute("INSERT INTO migrations VALUES ($1, $2)", schema.part, number)
        applied.append(f"{schema.part} {number}")
    return applied


async def _check(connection: Connection, schema: Schema) -> None:
    there = await connection.fetchval("SELECT to_regclass('migrations') IS NOT NULL")
    if lacking := list(schema.pending(await _had(connection, schema.part) if there else 0)):
        numbers = ", ".join(str(number) for number, _ in lacking)
        raise SchemaOutdated(f"the {schema.part} schema lacks change {numbers}; run: payagent migrate")


async def _had(connection: Connection, part: str) -> int:
    had = await connection.fetchval("SELECT coalesce(max(number), 0) FROM migrations WHERE part = $1", part)
    return int(had)


async def _leave_as_it_is(connection: object) -> None:
    """Nothing of ours outlives its transaction, so a connection need not be reset on its way back to the pool."""

"""A PostgreSQL of the tests' own: one server a test process, made when first asked for, and one database a test.

It runs in a temporary folder, on a Unix socket only, without waiting for the disk. PostgreSQL refuses to run as root,
so root runs it as `nobody`.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from services import postgres_program

from payagent.database import postgres
from payagent.database.migrations import Schema

SCHEMAS = [Schema.of("journal", "postgres"), Schema.of("accounts", "postgres")]
OPTIONS = "-c fsync=off -c full_page_writes=off -c shared_buffers=16MB -c listen_addresses=''"


def _run(work: Coroutine[Any, Any, Any]) -> None:
    """Do the work on a loop and a thread of its own: a test's loop may be running here."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()


class Server:
    """A running server; `owner` is the superuser's role."""

    owner = "owner"

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="payagent-pg-"))
        self._as: dict[str, Any] = {"cwd": "/"}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
            self._as |= {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        self._numbers = count()
        flags = ["--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C", f"--username={self.owner}"]
        self._run("initdb", f"--pgdata={self.folder / 'data'}", *flags)
        self.start()

    def start(self) -> None:
        options = f"{OPTIONS} -k {self.folder}"
        self._run("pg_ctl", "start", "-w", f"-D{self.folder / 'data'}", f"-l{self.folder / 'log'}", "-o", options)

    def stop(self, mode: str = "immediate") -> None:
        self._run("pg_ctl", "stop", "-w", f"-D{self.folder / 'data'}", "-m", mode)

    def restart(self, mode: str = "fast") -> None:
        """Every connection breaks, and those who come back are let in."""
        self.stop(mode)
        self.start()

    def url(self, database: str, role: str = owner) -> str:
        return f"postgresql://{role}@/{database}?host={self.folder}"

    def make(self, template: str = "template1") -> str:
        """The URL of a new database, a copy of `template`."""
        name = f"t{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY wal_log")
        return self.url(name)

    def execute(self, statement: str, database: str = "postgres") -> None:
        """One statement of the superuser."""

        async def go() -> None:
            connection = await asyncpg.connect(self.url(database))
            try:
                await connection.execute(statement)
            finally:
                await connection.close()

        _run(go())

    def _run(self, program: str, *arguments: str) -> None:
        path = postgres_program(program)
        assert path is not None  # the test is marked `needs("postgresql")`
        done = subprocess.run([path, *arguments], capture_output=True, text=True, check=False, **self._as)
        assert done.returncode == 0, f"{program}: {done.stdout}{done.stderr}"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """The server of this test process, with a database `made` that has the schema."""
    server = Server()
    try:
        server.execute("CREATE DATABASE made")
        _run(postgres.migrate(server.url("made"), SCHEMAS))
        yield server
    finally:
        server.stop()
        shutil.rmtree(server.folder)


@pytest.fixture
def postgres_url(postgres_server: Server) -> str:
    """A fresh database with the schema."""
    return postgres_server.make("made")

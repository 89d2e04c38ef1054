"""A schema and its numbered changes: files `KIND_001.sql`, `KIND_002.sql` … of a package, applied in order.

* Each part (the journal, the book of accounts) counts for itself; which changes a database has had stands in its
  table `migrations`.
* A change and what it needs done besides are one transaction: a schema is never half changed.
* A database that has had a change unknown here belongs to a newer payagent: it is refused, not guessed at.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files

RECORD = """
CREATE TABLE IF NOT EXISTS migrations (
    part TEXT NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (part, number)
)
"""

Fill = Callable[[sqlite3.Connection], None]


class SchemaTooNew(ValueError):
    """The database was changed by a newer payagent than this one."""


@dataclass(frozen=True, slots=True)
class Schema:
    """The changes that make up `part`, the first one first."""

    part: str
    changes: tuple[str, ...]

    @classmethod
    def of(cls, part: str, kind: str) -> Schema:
        """What the package `payagent.PART` has in files `KIND_NNN.sql`."""
        found = (file for file in files(f"payagent.{part}").iterdir() if file.name.startswith(f"{kind}_"))
        scripts = sorted((file for file in found if file.name.endswith(".sql")), key=lambda file: file.name)
        return cls(part, tuple(script.read_text("utf-8") for script in scripts))

    def pending(self, had: int) -> Iterator[tuple[int, str]]:
        """The changes, numbered, that a database lacks which has had the first `had` of them.

        Raises:
            SchemaTooNew: it has had more than there are.
        """
        if had > len(self.changes):
            raise SchemaTooNew(
                f"the {self.part} schema is at change {had}, this payagent knows {len(self.changes)}: "
                "run the newer payagent that made it, or restore a database of before"
            )
        yield from list(enumerate(self.changes, start=1))[had:]


def bring_up(db: sqlite3.Connection, schema: Schema, fills: Mapping[int, Fill] | None = None) -> None:
    """Apply to a SQLite file what it lacks; `fills` says what is done after which change, in its transaction.

    Raises:
        SchemaTooNew: the file belongs to a newer payagent.
    """
    if not list(schema.pending(_had(db, schema.part))):
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        db.execute(RECORD)
        for number, script in schema.pending(_had(db, schema.part)):  # asked again: another process may have done it
            for statement in _statements(script):
                db.execute(statement)
            if fills and number in fills:
                fills[number](db)
            db.execute("INSERT INTO migrations VALUES (?, ?)", (schema.part, number))
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _had(db: sqlite3.Connection, part: str) -> int:
    if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'migrations'").fetchone():
        return 0
    (had,) = db.execute("SELECT coalesce(max(number), 0) FROM migrations WHERE part = ?", (part,)).fetchone()
    return int(had)


def _statements(script: str) -> Iterator[str]:
    """The script's statements: `executescript` would commit the transaction it stands in."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""

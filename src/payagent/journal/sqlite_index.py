"""The index of calls (see `index`) in a SQLite file: written in the step's transaction, read by boards and sweeps."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import date, datetime
from functools import cache

from payagent.flow.states import State
from payagent.flow.step import Step
from payagent.journal import codec, index
from payagent.journal.protocol import CallSummary, DayTotals, Search

Database = sqlite3.Connection


def put(db: Database, step: Step) -> None:
    """Write what the step changes, and nothing else: each column that is named makes SQLite rewrite its indexes."""
    columns = {name: _plain(value) for name, value in index.changes(step).items()}
    db.execute(_insert(tuple(columns)) if step.seq == 1 else _update(tuple(columns)), columns)
    for credit in index.credits(step):
        row = (credit.payment, credit.call_sid, credit.amount, credit.currency)
        db.execute("INSERT INTO credits VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", row)


@cache
def _insert(names: tuple[str, ...]) -> str:
    return f"INSERT INTO calls ({', '.join(names)}) VALUES (:{', :'.join(names)})"  # noqa: S608 - names of ours


@cache
def _update(names: tuple[str, ...]) -> str:
    changed = (f"{name} = {name} + :{name}" if name in index.COUNTED else f"{name} = :{name}" for name in names[1:])
    return f"UPDATE calls SET {', '.join(changed)} WHERE call_sid = :call_sid"  # noqa: S608 - names of ours


def _plain(value: index.Value) -> str | int | None:
    return codec.time_text(value) if isinstance(value, datetime) else value


def search(db: Database, asked: Search) -> list[CallSummary]:
    """The calls looked for, newest first."""
    condition, values = index.where(asked)
    order = "ORDER BY started_at DESC, call_sid DESC LIMIT ?"
    return [index.summary(found) for found in _lines(db, f"{condition} {order}", [*values, asked.limit])]


def line(db: Database, call_sid: str) -> index.Columns | None:
    """The call's line; None for a call that is not in the index."""
    return next(_lines(db, "call_sid = ?", [call_sid]), None)


def _lines(db: Database, condition: str, values: list[index.Value]) -> Iterator[index.Columns]:
    query = f"SELECT {', '.join(index.COLUMNS)} FROM calls WHERE {condition}"  # noqa: S608 - made of our own words
    for row in db.execute(query, [_plain(value) for value in values]):
        found: index.Columns = dict(zip(index.COLUMNS, row, strict=True))
        yield found | {name: _time(found[name]) for name in ("started_at", "updated_at", "entered_at", "next_due")}


def _time(value: index.Value) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) else None


def credits(db: Database, call_sid: str) -> set[index.Credit]:
    """The call's payments that stand on a bill."""
    query = "SELECT payment, call_sid, amount, currency FROM credits WHERE call_sid = ?"
    return {index.Credit(*row) for row in db.execute(query, (call_sid,))}


def states(db: Database) -> dict[State, int]:
    """The calls that have not ended, counted by state."""
    query = "SELECT state, count(*) FROM calls WHERE NOT ended GROUP BY state"
    return {State(state): number for state, number in db.execute(query)}


def totals(db: Database, asked: Search) -> list[DayTotals]:
    """The days of the calls looked for."""
    condition, given = index.where(asked)
    values = [_plain(value) for value in given]
    paid = f"""
        SELECT substr(started_at, 1, 10) AS day, count(*), sum(credits.amount), credits.currency
        FROM credits JOIN calls USING (call_sid) WHERE {condition} GROUP BY day, credits.currency
    """  # noqa: S608 - made of our own words
    calls = f"""
        SELECT substr(started_at, 1, 10) AS day, count(*), sum(declined), sum(cancelled), sum(outcome = 'unknown')
        FROM calls WHERE {condition} GROUP BY day
    """  # noqa: S608
    return index.day_totals(
        [(date.fromisoformat(day), *counts) for day, *counts in db.execute(calls, values)],
        [(date.fromisoformat(day), *sums) for day, *sums in db.execute(paid, values)],
    )

"""Tables made by hand from the built one: a row changed, dropped or put in, and its data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from payagent.flow.rows import Flow, Row
from payagent.flow.states import State
from payagent.review.flow_file import FlowData, as_data
from payagent.speech import Sentences

TEXTS = Sentences.load(None).texts


def data_of(flow: Flow) -> FlowData:
    """The table as data, with the packaged sentences."""
    return as_data(flow, TEXTS)


def row_of(flow: Flow, row_id: str) -> Row:
    """The row of this id."""
    return next(row for row in flow.rows if row.id == row_id)


def with_rows(flow: Flow, rows: Iterable[Row]) -> Flow:
    """The table with these rows instead, numbered anew."""
    count: dict[tuple[State, str], int] = {}
    numbered = []
    for row in rows:
        key = (row.source, row.trigger)
        numbered.append(replace(row, n=count.get(key, 0)))
        count[key] = count.get(key, 0) + 1
    return replace(flow, rows=tuple(numbered))


def edited(flow: Flow, row_id: str, **changes: Any) -> Flow:
    """The table with one row changed."""
    assert row_of(flow, row_id)
    return with_rows(flow, (replace(row, **changes) if row.id == row_id else row for row in flow.rows))


def unguarded(flow: Flow, row_id: str, words: str) -> Flow:
    """The table with one guard of one row gone."""
    guards = row_of(flow, row_id).guards
    kept = tuple(guard for guard in guards if guard.words != words)
    assert len(kept) == len(guards) - 1
    return edited(flow, row_id, guards=kept)


def without(flow: Flow, *row_ids: str) -> Flow:
    """The table with these rows gone."""
    kept = [row for row in flow.rows if row.id not in row_ids]
    assert len(kept) == len(flow.rows) - len(row_ids)
    return with_rows(flow, kept)


def with_first(flow: Flow, *rows: Row) -> Flow:
    """The table with these rows put in front of all others."""
    return with_rows(flow, (*rows, *flow.rows))

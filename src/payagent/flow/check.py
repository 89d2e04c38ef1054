"""Whether a table is well formed: `transitions` looks nothing up before it fires, so this does, at start-up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from payagent.flow.events import SIMPLE_TRIGGERS
from payagent.flow.rows import Flow, Row
from payagent.flow.states import FINAL, Party
from payagent.flow.tools import TOOLS

CLOCK_TRIGGERS = frozenset(
    {
        "silence",
        "due_overdue",
        "start_overdue",
        "entry_waiting",
        "entry_person",
        "entry_total",
        "recapture",
        "still_working",
        "result_overdue",
        "cancel_overdue",
        "hand_over",
        "leave_overdue",
        "hand_off_overdue",
        "line_overdue",
    }
)

_PARTIES: dict[str, str] = {
    **SIMPLE_TRIGGERS,
    **dict.fromkeys(TOOLS, Party.MODEL),
    **dict.fromkeys(CLOCK_TRIGGERS, Party.CLOCK),
    "outcome_resolved": Party.OPERATOR,
}
"""Trigger → the party that causes it."""


def check(flow: Flow) -> list[str]:
    """What is wrong with a table, in words; empty when it is well formed."""
    return [words for find in _CHECKS for words in find(flow)]


def _wrong_party(flow: Flow) -> list[str]:
    def wrong(row: Row) -> str:
        party = _PARTIES.get(row.trigger)
        if party is None:
            return f"{row.id}: nothing is called {row.trigger}"
        return "" if party == row.party else f"{row.id}: {row.party} cannot cause it"

    return [words for row in flow.rows if (words := wrong(row))]


def _lost_states(flow: Flow) -> list[str]:
    places = {row.source for row in flow.rows} | {row.dest for row in flow.rows if row.dest}
    return [f"{place} is not a state of this table" for place in sorted(places - set(flow.states))]


def _final_left(flow: Flow) -> list[str]:
    return [f"{row.id}: a final state is never left" for row in flow.rows if row.source in FINAL and row.dest]


def _shadowed(flow: Flow) -> list[str]:
    """A row behind one without guards can never fire."""
    return [
        f"{rows[n + 1].id}: stands behind {row.id}, which always fires"
        for rows in flow.by_trigger.values()
        for n, row in enumerate(rows[:-1])
        if not row.guards
    ]


def _same_ids(flow: Flow) -> list[str]:
    count = Counter(row.id for row in flow.rows)
    return [f"{one}: {n} rows have this id" for one, n in sorted(count.items()) if n > 1]


_CHECKS: tuple[Callable[[Flow], list[str]], ...] = (_wrong_party, _lost_states, _final_left, _shadowed, _same_ids)

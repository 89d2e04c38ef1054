"""Which rows, and which answers of their guards, recorded calls have driven; and which ones none has.

A record is decided again, step by step, by guards that note their answers. A row that several tables have alike is one
row: it counts wherever it was driven. A guard that the walk proves can never say no in any table of its row (a second
lock) need not be made to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from payagent.flow.call import Call
from payagent.flow.machine import Engine
from payagent.flow.rows import Flow, Row
from payagent.flow.step import Step
from payagent.review.evidence import Proofs
from payagent.review.mutants import Written, written
from payagent.review.redecide import to_decide
from payagent.review.walked import Walked, noting

Answer = tuple[str, str, str]
"""A row's id, a guard's name, `yes` or `no`; and with "" for the guard `fired` for the row itself."""

Driven = dict[str, set[Answer]]
"""Table (`model.card`) → what was driven there."""


class Paths:
    """Takes in records of the tables `flows`, and says what they have driven."""

    def __init__(self, flows: Sequence[Flow]) -> None:
        self._found = {flow.version: Walked() for flow in flows}
        self._noting = {flow.version: noting(flow, self._found[flow.version]) for flow in flows}
        self._engines = {version: Engine(flow) for version, flow in self._noting.items()}
        self.driven: Driven = {_table(flow): set() for flow in flows}

    def add(self, steps: Sequence[Step], flow: Flow) -> None:
        """Take in one call; `flow` is the table that decided it, with its own limits. Other tables are passed over."""
        known = self._noting.get(flow.version)
        if known is None or not steps:
            return
        same = replace(known, limits=flow.limits, routes=flow.routes, languages=flow.languages)
        call = Call(same, steps[0].call_sid, self._engines[flow.version])
        driven = self.driven[_table(flow)]
        for step in steps:
            call.decide(to_decide(step), step.at)
            call.apply(step)
            if step.row:
                driven.add((step.row, "", "fired"))
        answers = self._found[flow.version].guard_outcomes
        driven |= {(row, guard, "yes" if holds else "no") for row, guard, holds in answers}
        answers.clear()


def missing(flows: Sequence[Flow], driven: Driven, proofs: Iterable[Proofs]) -> list[str]:
    """What no call has driven, each in one line: `row: fired`, `row: guard said no`."""
    never_no = {proof.table: set(proof.never_false) for proof in proofs}
    tables: dict[tuple[str, Written], list[str]] = {}
    rows: dict[tuple[str, Written], Row] = {}
    for flow in flows:
        for row in flow.rows:
            tables.setdefault((row.id, written(row)), []).append(_table(flow))
            rows[row.id, written(row)] = row
    lines = []
    for (row_id, same), having in tables.items():
        row = rows[row_id, same]
        done = set().union(*(driven.get(table, set()) for table in having))
        where = "" if len(having) == len(flows) else f" (in {', '.join(having)})"
        for _, guard, answer in _wanted(row):
            never = answer == "no" and all(f"{row_id}: {guard}" in never_no.get(table, ()) for table in having)
            if (row_id, guard, answer) not in done and not never:
                lines.append(f"{row_id}: " + (f"{guard} said {answer}" if guard else answer) + where)
    return lines


def _wanted(row: Row) -> Iterator[Answer]:
    yield row.id, "", "fired"
    for guard in row.guards:
        yield from ((row.id, guard.name, "yes"), (row.id, guard.name, "no"))


def _table(flow: Flow) -> str:
    return f"{flow.pace}.{flow.profile}"

"""Tables with one slip each: what a person could get wrong in a row, to see whether the proofs notice.

A slip is made in a row as it was written: in all the states it was written for, and in every table that has it. It is
judged in this order: is the table still well formed (`check`); does the walk find a broken promise, a state without an
end or a row that never fires (`rewalk`); and, for what is left, do the table tests fail on it. What nothing notices has
to be explained.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from payagent.flow.builder import numbered
from payagent.flow.check import check
from payagent.flow.rows import Flow, Row
from payagent.flow.states import Party, State
from payagent.flow.tools import TOOLS
from payagent.review.rewalk import Charted, rewalk

Part = TypeVar("Part")
Written = tuple[str, State | None, Party, tuple[str, ...], tuple[str, ...], str]
"""A row as written: trigger, destination, party, guards' names, effects' words, why; not the state it stands in."""

CHECK, WALK, TESTS = "table check", "walk", "table tests"
"""By what a slip can be noticed."""

DROP_ROW, DROP_GUARD, DROP_EFFECT, DUPLICATE = "drop row", "drop guard", "drop effect", "duplicate effect"
SWAP_DESTINATION, SWAP_PARTY, OPEN_TOOL = "swap destination", "swap party", "open a tool"
KINDS = (DROP_ROW, DROP_GUARD, DROP_EFFECT, DUPLICATE, SWAP_DESTINATION, SWAP_PARTY, OPEN_TOOL)


@dataclass(frozen=True, slots=True)
class Slip:
    """One slip: of which kind, in which rows, in which part of them (by number), or to which state or party instead.

    `at`: the first of the rows, by its id; of a tool opened elsewhere `instead` is where. `what` names the part.
    """

    kind: str
    at: str
    written: Written
    what: str = ""
    n: int = 0
    instead: State | Party | None = None

    @property
    def name(self) -> str:
        """The slip in one line."""
        return f"{self.kind}: {self.at}" + (f": {self.what}" if self.what else "")

    def made_in(self, flow: Flow) -> Flow:
        """The table with this slip; the very same rows if it has none of them."""
        if self.kind == OPEN_TOOL:
            return replace(flow, rows=numbered((*self._opened(flow), *flow.rows)))
        rows = [out for row in flow.rows for out in (self._changed(row) if written(row) == self.written else (row,))]
        return replace(flow, rows=numbered(rows))

    def _opened(self, flow: Flow) -> Iterator[Row]:
        assert isinstance(self.instead, State)
        known = next((row for row in flow.rows if row.trigger == self.written[0]), None)
        if known and self.instead in flow.states and known.trigger not in flow.tools[self.instead]:
            yield replace(known, source=self.instead, dest=None if known.dest is self.instead else known.dest)

    def _changed(self, row: Row) -> Sequence[Row]:
        match self.kind:
            case "drop row":
                return ()
            case "drop guard":
                return (replace(row, guards=_without(row.guards, self.n)),)
            case "drop effect":
                return (replace(row, effects=_without(row.effects, self.n)),)
            case "duplicate effect":
                return (replace(row, effects=(*row.effects[: self.n + 1], *row.effects[self.n :])),)
            case "swap destination":
                assert not isinstance(self.instead, Party)
                return (replace(row, dest=None if self.instead is row.source else self.instead),)
        assert isinstance(self.instead, Party)
        return (replace(row, party=self.instead),)


def written(row: Row) -> Written:
    """The row without its place."""
    names, words = tuple(guard.name for guard in row.guards), tuple(effect.words for effect in row.effects)
    return row.trigger, row.dest, row.party, names, words, row.why


def slips(flows: Sequence[Flow]) -> Iterator[tuple[int, Slip]]:
    """Every slip once, with the number of the first table that has its rows."""
    known: set[Written] = set()
    opened: set[str] = set()
    for table, flow in enumerate(flows):
        for row in flow.rows:
            if written(row) not in known:
                known.add(written(row))
                yield from ((table, slip) for slip in _slips(flow, row))
        for slip in _opened_elsewhere(flow):
            if slip.name not in opened:
                opened.add(slip.name)
                yield table, slip


def _slips(flow: Flow, row: Row) -> Iterator[Slip]:
    same = written(row)
    yield Slip(DROP_ROW, row.id, same)
    for n, guard in enumerate(row.guards):
        yield Slip(DROP_GUARD, row.id, same, guard.name, n)
    for n, effect in enumerate(row.effects):
        yield Slip(DROP_EFFECT, row.id, same, effect.words, n)
        yield Slip(DUPLICATE, row.id, same, effect.words, n)
    for dest in _other_ends(flow, row):
        yield Slip(SWAP_DESTINATION, row.id, same, str(dest or "stays"), instead=dest)
    other = next(party for party in Party if party is not row.party)
    yield Slip(SWAP_PARTY, row.id, same, str(other), instead=other)


def _other_ends(flow: Flow, row: Row) -> Iterator[State | None]:
    """For a row that leads on: it stays, and it leads to the state behind the right one."""
    if row.dest:
        yield None
        following = flow.states[(flow.states.index(row.dest) + 1) % len(flow.states)]
        if following is not row.source:
            yield following


def _opened_elsewhere(flow: Flow) -> Iterator[Slip]:
    """Each tool in each state where it is closed, as its first row says."""
    for name in TOOLS:
        known = next((row for row in flow.rows if row.trigger == name), None)
        for state in flow.states if known else ():
            if known and name not in flow.tools[state]:
                yield Slip(OPEN_TOOL, f"{name}@{state}", written(known), instead=state)


def _without(parts: Sequence[Part], n: int) -> tuple[Part, ...]:
    return (*parts[:n], *parts[n + 1 :])


def noticed(charted: Charted, slip: Slip) -> tuple[str, str]:
    """By what the slip is noticed without the tests, and what that says; two empty words if by nothing."""
    flow = slip.made_in(charted.flow)
    if problems := check(flow):
        return CHECK, problems[0]
    try:
        found = rewalk(charted, flow)
    except Exception as error:  # an effect may rely on a guard that is gone
        return WALK, f"it fails ({type(error).__name__})"
    return (WALK, found.words) if found else ("", "")

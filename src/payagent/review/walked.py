"""What a walk found: how much was tried, which promise broke and by what story, and which guards never said no."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

from payagent.flow import events as ev
from payagent.flow.rows import Flow, Guard, View
from payagent.flow.step import Step
from payagent.review.moments import Kind
from payagent.review.promises import PROMISES, about


@dataclass
class Walked:
    """Counts, and for each broken promise the shortest story that leads to it.

    `kinds`: the steps decided, by what matters to the promises. `stuck`: the states from which no way leads to an end.
    `guard_outcomes`: how often a row's guard said yes and no.
    """

    situations: int = 0
    events: int = 0
    kinds: Counter[Kind] = field(default_factory=Counter)
    broken: dict[str, list[Step]] = field(default_factory=dict)
    stuck: list[str] = field(default_factory=list)
    guard_outcomes: Counter[tuple[str, str, bool]] = field(default_factory=Counter)

    @property
    def checks(self) -> Counter[str]:
        """On how many steps each promise was checked."""
        count: Counter[str] = Counter()
        for kind, steps in self.kinds.items():
            for promise in about(kind):
                count[promise.words] += steps
        return count

    @property
    def checked_rows(self) -> dict[str, set[str]]:
        """Which rows decided the steps that each promise was checked on; "" for no row."""
        rows: dict[str, set[str]] = {}
        for kind in self.kinds:
            for promise in about(kind):
                rows.setdefault(promise.words, set()).add(kind.row)
        return rows

    def never_fired(self, flow: Flow) -> list[str]:
        """The rows of `flow` that no step fired."""
        fired = {kind.row for kind in self.kinds}
        return [row.id for row in flow.rows if row.id not in fired]

    def never_false(self, flow: Flow) -> list[str]:
        """`row: guard` for each guard that was asked and always said yes: redundant, or a second lock on the door."""
        guards = [(row.id, guard.name) for row in flow.rows for guard in row.guards]
        return [f"{row}: {name}" for row, name in guards if not self.guard_outcomes[row, name, False]]


def noting(flow: Flow, found: Walked) -> Flow:
    """The same table, with every guard noting how it answered."""

    def noting(row_id: str, guard: Guard) -> Guard:
        def holds(view: View) -> bool:
            answer = guard.holds(view)
            found.guard_outcomes[row_id, guard.name, answer] += 1
            return answer

        holds.__name__ = guard.name
        return replace(guard, holds=holds)

    rows = tuple(replace(row, guards=tuple(noting(row.id, guard) for guard in row.guards)) for row in flow.rows)
    return replace(flow, rows=rows)


def told(flow: Flow, walked: Walked) -> list[str]:
    """A walk in words: the figures, each promise with its count, broken ones as a story, what was never false."""
    lines = [
        f"{flow.pace} pace, profile {flow.profile}, table {flow.version}:"
        f" {walked.situations} situations, {walked.events} events tried"
    ]
    checks = walked.checks
    for promise in PROMISES:
        verdict = "BROKEN" if promise.words in walked.broken else "holds "
        lines.append(f"  {promise.number}  {verdict} {checks[promise.words]:>8} times  {promise.words}")
        lines += [f"       {_line(step)}" for step in walked.broken.get(promise.words, ())]
    lines += [f"  no way to an end from {state}" for state in walked.stuck]
    lines += [f"  never fired: {row}" for row in walked.never_fired(flow)]
    return [*lines, *(f"  never false: {guard}" for guard in walked.never_false(flow))]


def _line(step: Step) -> str:
    orders = ", ".join(type(order).__name__ for order in step.orders) or "no orders"
    why = step.row or step.refused or "recorded"
    return f"{ev.trigger_of(step.event)}: {step.before} -> {step.after} ({why}); {orders}"

"""Decides what a drawing of a table shows: which moves are arrows of their own, and which share a card.

Every row that leads elsewhere is shown, and nothing else. One arrow stands for all triggers of one party from one state
to another. A move that is possible from three or more states off the happy path is on a card that names those states;
one from `…_entry` states alone only if it is possible from all of them. If it is a step of the happy path it has its
arrow too. Where a line would cross the page, the arrow ends at a marker with the name of the state it leads to. Rows
that stay in place are not shown.

Same table, same plan. Ids do not depend on order: `edge-<state>-<state>-<party>`, and for a card
`edge-shared-<party>-<first trigger>-<first state it leads to>`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

from payagent.flow.rows import Row
from payagent.flow.states import FINAL, Party, State
from payagent.flow.table import Flow

SHARED_FROM = 3
"""From so many states off the happy path on, a move is drawn once."""

BENEATH = {
    State.PAYMENT_DECLINED: State.PROCESSING_PAYMENT,
    State.PAYMENT_OUTCOME_UNKNOWN: State.PROCESSING_PAYMENT,
    State.PAYMENT_CANCELLED: State.CANCELLING_PAYMENT,
}
"""Which state a state off the happy path is drawn beneath, joined by lines."""

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Arrow:
    """What `party` may cause from `source` on any of `triggers`; several `dests` share one marker."""

    source: State
    dests: tuple[State, ...]
    party: Party
    triggers: tuple[str, ...]

    @property
    def id(self) -> str:
        """The same in every drawing of this arrow."""
        return f"edge-{self.source}-{'-'.join(self.dests)}-{self.party}"


@dataclass(frozen=True, slots=True)
class Card:
    """What `party` may cause from every one of `sources`: triggers, and to which *other* states they may lead."""

    sources: tuple[State, ...]
    party: Party
    moves: tuple[tuple[tuple[str, ...], tuple[State, ...]], ...]

    @property
    def id(self) -> str:
        """The same in every drawing of this card."""
        triggers, dests = self.moves[0]
        return f"edge-shared-{self.party}-{triggers[0]}-{dests[0]}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is drawn of a table: `lines` reach their state, `marked` end at a marker, `cards` are shared."""

    path: tuple[State, ...]
    lines: tuple[Arrow, ...]
    marked: tuple[Arrow, ...]
    cards: tuple[Card, ...]


def plan(flow: Flow) -> Plan:
    """Decide what becomes a line, a marked arrow and a card."""
    path = happy_path(flow)
    common = _common(flow, path)
    steps = set(pairwise(path))
    own = [r for r in flow.rows if r.dest and (_move(r) not in common or (r.source, r.dest) in steps)]
    found = _grouped(own, lambda r: (r.source, r.dest or r.source, r.party))
    arrows = [Arrow(s, (d,), p, _words(rows)) for (s, d, p), rows in found.items()]
    joined = near(path)
    lines = [a for a in arrows if (a.source, a.dests[0]) in joined]
    marked = _grouped((a for a in arrows if a not in lines), lambda a: (a.source, a.party, a.triggers))
    merged = [Arrow(s, _in_order(flow, {a.dests[0] for a in some}), p, t) for (s, p, t), some in marked.items()]
    return Plan(path, _sorted(flow, lines), _sorted(flow, merged), _cards(flow, common))


def _sorted(flow: Flow, arrows: Iterable[Arrow]) -> tuple[Arrow, ...]:
    place = flow.states.index
    return tuple(sorted(arrows, key=lambda a: (place(a.source), place(a.dests[0]), a.id)))


def happy_path(flow: Flow) -> tuple[State, ...]:
    """The states of a call that goes well, in order."""
    paid = flow.states.index(State.PAYMENT_COMPLETED)
    return (*flow.states[: paid + 1], State.ENDED)


def drawn_as(flow: Flow) -> dict[str, str]:
    """Row id → id of the arrow or card that shows it; rows that stay in place are left out."""
    drawn = plan(flow)
    shown: dict[tuple[State, State, Party, str], str] = {}
    for card in drawn.cards:
        for triggers, dests in card.moves:
            shown |= {(s, d, card.party, t): card.id for s in card.sources for d in dests for t in triggers}
    for arrow in (*drawn.lines, *drawn.marked):
        shown |= {(arrow.source, d, arrow.party, t): arrow.id for d in arrow.dests for t in arrow.triggers}
    return {r.id: shown[r.source, r.dest, r.party, r.trigger] for r in flow.rows if r.dest}


Move = tuple[str, Party, State]


def _move(row: Row) -> Move:
    return row.trigger, row.party, row.dest or row.source


def _common(flow: Flow, path: Sequence[State]) -> dict[Move, tuple[State, ...]]:
    """The moves that are shared, each with every state it is possible from.

    No move leads to its own state, so an `…_entry` state that is the destination counts among the sources.
    """
    steps = set(pairwise(path))
    entries = {f.entry for f in flow.profile.fields}
    found = {}
    for move, rows in _grouped((r for r in flow.rows if r.dest), _move).items():
        sources = {r.source for r in rows}
        if entries <= {*sources, move[2]}:
            found[move] = _in_order(flow, sources | entries)
        elif not sources <= entries and len([s for s in sources if (s, move[2]) not in steps]) >= SHARED_FROM:
            found[move] = _in_order(flow, sources)
    return found


def near(path: Sequence[str]) -> set[tuple[str, str]]:
    """The pairs of states joined by a line: neighbours on the happy path, and what is drawn beneath another state."""
    close = {(a, b) for a in path for b in path if abs(path.index(a) - path.index(b)) <= 2 and b not in FINAL}
    return close | {(path[-2], path[-1])} | {(above, state) for state, above in BENEATH.items()}


def _cards(flow: Flow, common: dict[Move, tuple[State, ...]]) -> tuple[Card, ...]:
    dests = _grouped(common, lambda m: (common[m], m[1], m[0]))
    triggers = _grouped(dests, lambda key: (key[0], key[1], _in_order(flow, {m[2] for m in dests[key]})))
    boxes = _grouped(triggers, lambda key: (key[0], key[1]))
    cards = [
        Card(sources, party, tuple(sorted((tuple(sorted(k[2] for k in triggers[key])), key[2]) for key in keys)))
        for (sources, party), keys in boxes.items()
    ]
    return tuple(sorted(cards, key=lambda c: (list(Party).index(c.party), c.id)))


def _grouped(items: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    found: dict[K, list[T]] = {}
    for item in items:
        found.setdefault(key(item), []).append(item)
    return found


def _words(rows: Iterable[Row]) -> tuple[str, ...]:
    return tuple(sorted({r.trigger for r in rows}))


def _in_order(flow: Flow, states: Collection[State]) -> tuple[State, ...]:
    return tuple(s for s in flow.states if s in states)

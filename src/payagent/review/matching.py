"""Which row of a table became which row of another, and what of it a drawing marks.

Rows are compared within one state and trigger, where they are tried in order. Their numbers do not count.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from payagent.review.flow_file import FlowData, SavedRow

ADDED, REMOVED, CHANGED = "added", "removed", "changed"


@dataclass(frozen=True, slots=True)
class Pair:
    """A row in the old table and what it is in the new one; None: it is not there. Numbers are places in the list."""

    old: SavedRow | None
    new: SavedRow | None
    was_at: int = -1
    is_at: int = -1


Pairs = dict[tuple[str, str], list[Pair]]
"""By state and trigger."""


def pair_up(old: FlowData, new: FlowData) -> Pairs:
    """By state and trigger: the rows of both tables, each with the row most like it."""
    before, after = _lists(old), _lists(new)
    return {key: _matched(before.get(key, []), after.get(key, [])) for key in dict.fromkeys([*before, *after])}


def _lists(data: FlowData) -> dict[tuple[str, str], list[SavedRow]]:
    lists: dict[tuple[str, str], list[SavedRow]] = {}
    for row in data.rows:
        lists.setdefault((row.source, row.trigger), []).append(row)
    return lists


def _matched(before: Sequence[SavedRow], after: Sequence[SavedRow]) -> list[Pair]:
    """The likest two are matched first; rows that have nothing in common never."""
    likeness = {(i, j): _likeness(was, now) for i, was in enumerate(before) for j, now in enumerate(after)}
    free_before, free_after = set(range(len(before))), set(range(len(after)))
    pairs = []
    for i, j in sorted(likeness, key=lambda places: (-likeness[places], places)):
        if likeness[i, j] and i in free_before and j in free_after:
            pairs.append(Pair(before[i], after[j], i, j))
            free_before.remove(i)
            free_after.remove(j)
    gone = [Pair(before[i], None, was_at=i) for i in sorted(free_before)]
    return [*pairs, *gone, *(Pair(None, after[j], is_at=j) for j in sorted(free_after))]


def _likeness(was: SavedRow, now: SavedRow) -> float:
    """How much two rows have in common; what was added or taken away counts a little against them."""
    same = (was.dest == now.dest) + (was.why == now.why) + len({*was.guards} & {*now.guards})
    same += len({*was.orders} & {*now.orders})
    return max(0, same - 0.1 * (len({*was.guards} ^ {*now.guards}) + len({*was.orders} ^ {*now.orders})))


# For a drawing


def marks(old: FlowData, new: FlowData, boxes: Collection[str], pairs: Pairs) -> dict[str, str]:
    """Id → mark, of the boxes (`state-…`) and the arrows (`edge-…`); `boxes` are the states that say something else."""
    before, after = {f"state-{s.name}" for s in old.states}, {f"state-{s.name}" for s in new.states}
    return _marked(before, after, {f"state-{state}" for state in boxes}) | _edge_marks(old, new, pairs)


def _marked(before: set[str], after: set[str], touched: set[str]) -> dict[str, str]:
    one_sided = {name: ADDED if name in after else REMOVED for name in before ^ after}
    return dict(sorted((one_sided | dict.fromkeys(touched & before & after, CHANGED)).items()))


def _edge_marks(old: FlowData, new: FlowData, pairs: Pairs) -> dict[str, str]:
    before, after = {_edge(row) for row in old.rows if row.dest}, {_edge(row) for row in new.rows if row.dest}
    touched = {_edge(row) for some in pairs.values() for p in some if _differs(p) for row in (p.old, p.new) if row}
    return _marked(before, after, touched)


def _edge(row: SavedRow) -> str:
    return f"edge-{row.source}-{row.dest}-{row.party}"


def row_marks(pairs: Pairs) -> dict[str, str]:
    """Row id in the new table → mark, of the rows that are new or say something else."""
    changed = [pair for some in pairs.values() for pair in some if _differs(pair)]
    return {pair.new.id: CHANGED if pair.old else ADDED for pair in changed if pair.new}


def _differs(pair: Pair) -> bool:
    return pair.old is None or pair.new is None or replace(pair.old, id=pair.new.id) != pair.new

"""Draws a table as one page, in DOT and in Mermaid, for the person who has to sign it.

Every row that leads elsewhere is in the picture, as an arrow of its own or in a shared one; rows that stay in place are
not drawn. One arrow stands for all triggers of one party between two states. A move that is possible from three or more
states off the happy path, or from every `…_entry` state, is shared: drawn once, from a box that names those states.
An arrow to `handing_off` or `ended` goes to a small marker of that name, so that the page is not crossed by them.

Same table, same bytes. Ids never depend on order: `state-<state>`, `edge-<state>-<state>-<party>`,
`edge-shared-<party>-<first trigger>-<state>`.
"""

from __future__ import annotations

import hashlib
import textwrap
from collections.abc import Callable, Collection, Hashable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

from payagent.flow.rows import Row
from payagent.flow.states import FIELDS, FINAL, Party, State
from payagent.flow.table import Flow

SHARED_FROM = 3
EXITS = (State.HANDING_OFF, State.ENDED)

COLOURS: dict[Party, str] = {
    Party.MODEL: "#6d28d9",
    Party.PAY: "#046c4e",
    Party.LINE: "#1d4ed8",
    Party.CLOCK: "#9a4a00",
    Party.PROGRAM: "#475569",
    Party.OPERATOR: "#be123c",
}
"""At least 4.5:1 on white (WCAG AA); the line styles tell them apart in black and white."""

STYLES: dict[Party, str] = {
    Party.MODEL: "solid",
    Party.PAY: "bold",
    Party.LINE: "dotted",
    Party.CLOCK: "dashed",
    Party.PROGRAM: "solid",
    Party.OPERATOR: "solid",
}

CAUSES: dict[Party, str] = {
    Party.MODEL: "by a tool",
    Party.PAY: "a Twilio callback or REST answer",
    Party.LINE: "hang-up, relay lost or back",
    Party.CLOCK: "a wait is over",
    Party.PROGRAM: "its own look-ups and counts",
    Party.OPERATOR: "a person settles an unknown outcome",
}

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Arrow:
    """What one party may cause: on any of `triggers`, from any of `sources` to one of `dests` (as its row says)."""

    sources: tuple[State, ...]
    dests: tuple[State, ...]
    party: Party
    triggers: tuple[str, ...]
    shared: bool = False

    @property
    def id(self) -> str:
        """The arrow's id in every drawing of it."""
        if self.shared:
            return f"edge-shared-{self.party}-{self.triggers[0]}-{'-'.join(self.dests)}"
        return f"edge-{self.sources[0]}-{self.dests[0]}-{self.party}"


def happy_path(flow: Flow) -> tuple[State, ...]:
    """The states of a call that goes well, in order."""
    paid = flow.states.index(State.PAYMENT_COMPLETED)
    return (*flow.states[: paid + 1], State.ENDED)


def arrows(flow: Flow) -> tuple[Arrow, ...]:
    """Everything that is drawn, in a fixed order: the single arrows, then the shared ones."""
    return (*_singles(flow), *_shared(flow))


def _singles(flow: Flow) -> tuple[Arrow, ...]:
    path = set(pairwise(happy_path(flow)))
    shared = {key for key, _ in _common(flow)}
    rows = [r for r in flow.rows if r.dest and (_move(r) not in shared or (r.source, r.dest) in path)]
    found = _grouped(rows, lambda r: (r.source, r.dest, r.party))
    singles = [Arrow((s,), (d,), p, _unique(r.trigger for r in rs)) for (s, d, p), rs in found.items() if d]
    return tuple(sorted(singles, key=lambda a: (flow.states.index(a.sources[0]), flow.states.index(a.dests[0]), a.id)))


Move = tuple[str, Party, State | None]


def _move(row: Row) -> Move:
    return row.trigger, row.party, row.dest


def _common(flow: Flow) -> list[tuple[Move, tuple[State, ...]]]:
    """The moves that are shared, each with every state it is possible from."""
    path = set(pairwise(happy_path(flow)))
    entries = {f.entry for f in flow.profile.fields}
    found = []
    for move, rows in _grouped((r for r in flow.rows if r.dest), _move).items():
        sources = {r.source for r in rows}
        off_path = [s for s in sources if (s, move[2]) not in path]
        if entries <= {*sources, move[2]}:
            found.append((move, _in_order(flow, sources | entries)))
        elif len(off_path) >= SHARED_FROM:
            found.append((move, _in_order(flow, sources)))
    return found


def _shared(flow: Flow) -> tuple[Arrow, ...]:
    """Shared moves, put together first by where they may lead, then by trigger."""
    dests = _grouped(_common(flow), lambda c: (c[1], c[0][0], c[0][1]))
    moves = [(s, t, p, _in_order(flow, {c[0][2] for c in cs})) for (s, t, p), cs in dests.items()]
    found = _grouped(moves, lambda m: (m[0], m[3], m[2]))
    shared = [Arrow(s, d, p, _unique(m[1] for m in ms), shared=True) for (s, d, p), ms in found.items()]
    return tuple(sorted(shared, key=lambda a: ([flow.states.index(s) for s in a.dests], -len(a.sources), a.id)))


def _grouped(items: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    found: dict[K, list[T]] = {}
    for item in items:
        found.setdefault(key(item), []).append(item)
    return found


def _unique(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(words)))


def _in_order(flow: Flow, states: Collection[State | None]) -> tuple[State, ...]:
    return tuple(s for s in flow.states if s in states)



def dot(flow: Flow) -> str:
    """The table as Graphviz reads it; the first line names the drawing's own hash and the table's version."""
    body = "\n".join(["digraph payment_call {", *_head(flow), *_main(flow), *_panel(flow), "}", ""])
    return f"// payagent diagram {hashlib.sha256(body.encode()).hexdigest()[:12]} of table {flow.version}\n{body}"


def _head(flow: Flow) -> list[str]:
    return [
        '  graph [rankdir=TB, newrank=true, ranksep=0.12, nodesep=0.12, margin=0, fontname="Arial", fontsize=8]',
        '  node [shape=box, fontname="Arial", fontsize=8, margin="0.06,0.03", height=0.2, width=0.3]',
        '  edge [fontname="Arial", fontsize=7, arrowsize=0.5]',
    ]


def _lines(flow: Flow) -> set[tuple[State, State]]:
    """The pairs joined by a line; any other arrow ends at a marker with the name of where it leads."""
    path = happy_path(flow)
    near = {(a, b) for a in path for b in path if abs(path.index(a) - path.index(b)) <= 2}
    singles = [(a.sources[0], a.dests[0]) for a in _singles(flow)]
    for state in flow.states:
        into = [s for s, d in singles if d is state]
        if state not in path and into:
            near.add((max(into, key=into.count), state))
    return near - {(a, State.ENDED) for a in path[:-2]}


def _main(flow: Flow) -> list[str]:
    path = happy_path(flow)
    lines = [_state(flow, s, s in path) for s in flow.states]
    steps = set(pairwise(path))
    near = _lines(flow)
    exits = []
    for arrow in _singles(flow):
        source, dest = arrow.sources[0], arrow.dests[0]
        head = str(dest)
        if (source, dest) not in near:
            head = f"{dest}_from_{source}"
            if head not in exits:
                exits.append(head)
                lines.append(f'  {head} [label="→ {dest}", shape=plaintext, fontsize=7]')
        extra = ", weight=100" if (source, dest) in steps else ""
        lines.append(f"  {source} -> {head} [{_edge(arrow)}{extra}]")
    return lines


def _common_tools(flow: Flow) -> tuple[str, ...]:
    """The tools open in most states."""
    opened = [t for tools in flow.tools.values() for t in tools]
    return tuple(t for t in dict.fromkeys(opened) if opened.count(t) * 2 > len(flow.states))


def _state(flow: Flow, state: State, on_path: bool) -> str:
    common = _common_tools(flow)
    tools = flow.tools[state]
    if set(common) <= set(tools):
        tools = (*(t for t in tools if t not in common), "common tools")
    wrapped = textwrap.wrap(" · ".join(t.replace(" ", "_") for t in tools), 44)
    label = "\\n".join([state, *wrapped]).replace("common_tools", "common tools")
    return f'  {state} [id="state-{state}", label="{label}"{", group=path" if on_path else ""}]'


def _edge(arrow: Arrow) -> str:
    colour = COLOURS[arrow.party]
    label = "\\l".join(arrow.triggers) + "\\l"
    return f'id="{arrow.id}", label="{label}", color="{colour}", fontcolor="{colour}", style={STYLES[arrow.party]}'


def _names(flow: Flow, states: tuple[State, ...]) -> str:
    """A set of states in the fewest words."""
    rest = [s for s in flow.states if s not in states and s not in FINAL]
    some, others = _families(flow, states), _families(flow, rest)
    if len(some) <= len(others) + 1:
        return ", ".join(some)
    return "any state but " + ", ".join(others)


def _families(flow: Flow, states: Collection[State]) -> list[str]:
    names = [str(s) for s in states]
    for word, family in (
        ("any …_due", [f.due for f in flow.profile.fields]),
        ("any …_entry", [f.entry for f in flow.profile.fields]),
    ):
        if set(family) <= set(states):
            at = names.index(family[0])
            names = [n for n in names if n not in family]
            names.insert(at, word)
    return names


def _panel(flow: Flow) -> list[str]:
    lines = []
    shared = _shared(flow)
    columns = 2 
    before = ["handing_off"] * columns
    for n, arrow in enumerate(shared):
        names = "\\l".join(textwrap.wrap("from " + _names(flow, arrow.sources), 42))
        c = COLOURS[arrow.party]
        head = f"{', '.join(arrow.triggers)} → {' or '.join(_families(flow,arrow.dests))}"
        head = "\\l".join(textwrap.wrap(head, 42))
        lines.append(f'  any{n} [label="{head}\\l{names}\\l", fontsize=7, color="{c}", fontcolor="{c}"]')
        lines.append(f"  {before[n % columns]} -> any{n} [style=invis]")
        before[n % columns] = f"any{n}"
    return lines

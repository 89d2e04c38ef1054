"""The state dictionary: what the tables say, in words, for the person who has to sign them.

* Written from the tables' data alone (`flow_file`); what was proved and tested is handed in (`evidence`).
* All tables stand in one document: what holds in some of them only says in which. States that decide a cause alike
  share one list, so that each rule is read once.
* Markdown as GitHub renders it; `page.html` makes one printable page of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import get_args

from payagent.flow import effects as do
from payagent.flow import events as ev
from payagent.flow.states import Party
from payagent.journal import codec
from payagent.review import evidence
from payagent.review.diagram import CAUSES
from payagent.review.evidence import Proofs
from payagent.review.flow_file import FlowData, SavedRow, SavedState, Wait
from payagent.review.page import NOTHING, codes, grid, link, listed, text


def markdown(tables: Sequence[FlowData], walks: Sequence[Proofs], tests: Mapping[int, Sequence[str]]) -> str:
    """The whole dictionary; `tests` are the names of the tests that prove a promise, by its number."""
    parts = (
        _head(tables),
        _charges(tables),
        _states(tables),
        _moves(tables),
        _limits(tables),
        _unsaid(tables),
        _recorded(),
        evidence.proofs(walks),
        evidence.matrix(tables, walks, tests),
    )
    return "\n".join(line for part in parts for line in part) + "\n"


# What stands where in several tables


def _only_in(some: Collection[str], among: Sequence[FlowData]) -> str:
    """In words, which of the tables; "" for all of them."""
    if {t.table for t in among} <= set(some):
        return ""
    by_kind: dict[str, set[str]] = {}
    for t in among:
        by_kind.setdefault(f"pace {t.pace}", set()).add(t.table)
        by_kind.setdefault(f"fields {t.profile}", set()).add(t.table)
    for kind, having in by_kind.items():
        if having == set(some):
            return kind
    return ", ".join(t.table for t in among if t.table in some)


def _noted(words: str, some: Collection[str], among: Sequence[FlowData]) -> str:
    note = _only_in(some, among)
    return f"{words} ({note} only)" if note else words


def _having(tables: Sequence[FlowData], state: str) -> list[FlowData]:
    return [t for t in tables if any(s.name == state for s in t.states)]


def _state_names(tables: Sequence[FlowData]) -> list[str]:
    """All states, in the order of the longest table, those of other tables after them."""
    longest = sorted(tables, key=lambda t: -len(t.states))
    return list(dict.fromkeys(state.name for table in longest for state in table.states))


# The parts


def _head(tables: Sequence[FlowData]) -> Iterator[str]:
    yield from ["# Payment call: the state dictionary", ""]
    yield "Written by `payagent diagram` from the tables that run. A table's version changes whenever its rows do."
    yield ""
    rows = [(t.table, t.version, str(len(t.states)), str(len(t.rows))) for t in tables]
    counted = [(f"`{name}`", f"`{version}`", states, moves) for name, version, states, moves in rows]
    yield from grid(("table (pace and fields)", "version", "states", "rows"), counted)
    for t in tables:
        yield from [f"![The flow of {t.table}, version {t.version}]({t.file_name.removesuffix('.json')}.svg)", ""]


def _charges(tables: Sequence[FlowData]) -> Iterator[str]:
    yield from ["## Who can cause a charge", ""]
    yield from ["Only what is listed here orders one, and only if all that is named holds.", ""]
    found: dict[tuple[str, str, tuple[str, ...], str], list[tuple[str, str]]] = {}
    for t in tables:
        for row in t.rows:
            if row.charges:
                found.setdefault((row.party, row.trigger, row.guards, row.why), []).append((t.table, row.source))
    for (party, trigger, guards, why), places in found.items():
        yield f"- **{party}**, by `{trigger}` in {_places(tables, places)}. {text(why)} What must hold:"
        yield from (f"    - {text(words)}" for words in guards or ["nothing"])
    yield ""


def _states(tables: Sequence[FlowData]) -> Iterator[str]:
    yield from ["## States", ""]
    for name in _state_names(tables):
        having = _having(tables, name)
        states = {t.table: next(s for s in t.states if s.name == name) for t in having}
        first = states[having[0].table]
        yield from [f"### `{name}`", ""]
        yield _noted(text(first.meaning), states, tables) + (". A call never leaves it." if first.final else ".")
        yield ""
        yield from _waits(having, states)
        yield from ["**Tools offered:** " + (_tools(having, states) or "none, and no model turn runs") + ".", ""]
        yield from _spoken(having, name)
        rows = [row for t in having for row in t.rows if row.source == name]
        yield f"**Recorded:** {codes(sorted({_event(row) for row in rows}))}; whatever else is heard of, in place."
        yield ""


def _waits(having: Sequence[FlowData], states: Mapping[str, SavedState]) -> Iterator[str]:
    found: dict[tuple[Wait, str], list[str]] = {}
    for t in having:
        for wait in states[t.table].waits:
            found.setdefault((wait, _after(t, states[t.table].name, wait.timer)), []).append(t.table)
    if not found:
        yield from ["**Longest wait:** none.", ""]
        return
    rows = [(_noted(f"`{w.timer}`", some, having), _for(w), codes(w.limits), then) for (w, then), some in found.items()]
    yield from grid(("longest wait", "at most", "set by", "then"), rows)


def _for(wait: Wait) -> str:
    return f"{wait.seconds:g} s" + (" after speech" if wait.after_speech else "")


def _after(table: FlowData, state: str, timer: str) -> str:
    rows = [row for row in table.rows if (row.source, row.trigger) == (state, timer)]
    return ", else ".join(_then(row) for row in rows) or "recorded in place"


def _then(row: SavedRow) -> str:
    condition = f"if {' and '.join(map(text, row.guards))}: " if row.guards else ""
    return condition + (listed(row.orders) or "no order") + (f" → {link(row.dest)}" if row.dest else "")


def _tools(having: Sequence[FlowData], states: Mapping[str, SavedState]) -> str:
    names = dict.fromkeys(tool for state in states.values() for tool in state.tools)
    return ", ".join(_noted(f"`{n}`", [t for t, state in states.items() if n in state.tools], having) for n in names)


def _spoken(having: Sequence[FlowData], state: str) -> Iterator[str]:
    causes: dict[str, dict[str, None]] = {}
    for t in having:
        for row in t.rows:
            for name in row.says if row.source == state else ():
                causes.setdefault(name, {})[row.trigger] = None
    if not causes:
        yield from ["**Spoken:** nothing.", ""]
        return
    texts = _texts(having)
    rows = [(f"`{name}`", codes(on), *texts[name]) for name, on in causes.items()]
    yield from grid(("spoken", "on", *having[0].languages), rows)


def _texts(tables: Sequence[FlowData]) -> dict[str, list[str]]:
    """Sentence → its texts, in the order of the languages."""
    return {s.name: [text(s.texts[lang]) for lang in tables[0].languages] for s in tables[0].sentences}


Case = tuple[tuple[str, str, tuple[str, ...], str, tuple[str, ...], str], ...]
"""What is decided on a trigger, row by row: trigger, party, guards, destination ("" stays), orders, why."""


def cases(tables: Sequence[FlowData]) -> dict[Case, list[tuple[str, str]]]:
    """Every list of rows tried on one trigger, with the (table, state) pairs it is the same in."""
    grouped: dict[tuple[str, str, str], list[SavedRow]] = {}
    for t in tables:
        for row in t.rows:
            grouped.setdefault((t.table, row.source, row.trigger), []).append(row)
    found: dict[Case, list[tuple[str, str]]] = {}
    for (table, source, _), rows in grouped.items():
        case = tuple((r.trigger, r.party, r.guards, r.dest or "", r.orders, r.why) for r in rows)
        found.setdefault(case, []).append((table, source))
    return found


def _moves(tables: Sequence[FlowData]) -> Iterator[str]:
    yield from ["## Moves", ""]
    yield "The lines of a cause are tried from the top; the first whose conditions all hold is taken. A tool without a"
    yield "line for a state is refused there; anything else without one is recorded in place. In the record a line is"
    yield from ["named `cause@state`, the second of its list `cause@state#2`, and so on.", ""]
    by_party: dict[str, list[tuple[Case, list[tuple[str, str]]]]] = {}
    for case, places in sorted(cases(tables).items(), key=lambda item: item[0][0][0]):
        by_party.setdefault(case[0][1], []).append((case, places))
    for party in Party:
        yield from [f"### Caused by {party}: {CAUSES[party]}", ""]
        for case, places in by_party.get(party, ()):
            yield from [f"`{case[0][0]}` in {_places(tables, places)}:", "", *_case(case), ""]


def _case(case: Case) -> Iterator[str]:
    for n, (_, _, guards, dest, orders, why) in enumerate(case, start=1):
        leads = f"to {link(dest)}" if dest else "stays"
        condition = f", if {listed(guards)}" if guards else ""
        gives = f" Orders: {listed(orders)}." if orders else ""
        yield f"{n}. **{leads}**{condition}.{gives} *{text(why)}*"


def _places(tables: Sequence[FlowData], places: Sequence[tuple[str, str]]) -> str:
    """The states in the fewer words, each with the tables it is meant in unless those are all that have it."""
    by_note: dict[str, list[str]] = {}
    for state in dict.fromkeys(state for _, state in places):
        some = [table for table, place in places if place == state]
        by_note.setdefault(_only_in(some, _having(tables, state)), []).append(state)
    parts = [_which(tables, names) + (f" ({note} only)" if note else "") for note, names in by_note.items()]
    return "; ".join(parts)


def _which(tables: Sequence[FlowData], names: Sequence[str]) -> str:
    others = [name for name in _state_names(tables) if name not in names]
    if len(others) >= len(names):
        return ", ".join(map(link, names))
    return f"every state but {', '.join(map(link, others))}" if others else "every state"


def _limits(tables: Sequence[FlowData]) -> Iterator[str]:
    yield from ["## Limits", "", "Counts, and waits in seconds.", ""]
    names = dict.fromkeys(name for t in tables for name in t.limits)
    values = {name: dict.fromkeys(f"{t.limits[name]:g}" for t in tables if name in t.limits) for name in names}
    yield from grid(("limit", "value"), [(f"`{name}`", ", ".join(some)) for name, some in values.items()])


def _unsaid(tables: Sequence[FlowData]) -> Iterator[str]:
    """So that every text a caller may hear stands in the document."""
    said = {name for t in tables for row in t.rows for name in row.says}
    texts = _texts(tables)
    rows = [(f"`{s.name}`", text(s.meaning), *texts[s.name]) for s in tables[0].sentences if s.name not in said]
    if rows:
        yield from [
            "## Sentences that no row names",
            "",
            "They belong to orders that choose their words by the facts.",
            "",
        ]
        yield from grid(("sentence", "meaning", *tables[0].languages), rows)


# The record


def _event(row: SavedRow) -> str:
    """The name of the event behind a row's trigger."""
    kinds = {ev.snake(kind.__name__): kind for kind in get_args(ev.Event)}
    if row.party == Party.MODEL:
        return ev.snake(ev.ToolCalled.__name__)
    if row.party == Party.CLOCK:
        return ev.snake(ev.TimeUp.__name__)
    return next(name for name in kinds if row.trigger.endswith(name))  # `earlier_payment_succeeded` is one of these


def _recorded() -> Iterator[str]:
    yield from ["## What is recorded", "", (codec.__doc__ or "").partition("\n\n")[2].strip(), ""]
    for heading, kinds in (("event", get_args(ev.Event)), ("order", get_args(do.Order))):
        rows = [(f"`{ev.snake(kind.__name__)}`", _fields(kind)) for kind in kinds]
        yield from grid((heading, "fields"), rows)


def _fields(kind: type[object]) -> str:
    apart = [f"`{codec.SPOKEN[kind]}` (apart from the record)"] if kind in codec.SPOKEN else []
    return ", ".join([*(f"`{name}`" for name in codec.RECORDED[kind]), *apart]) or NOTHING

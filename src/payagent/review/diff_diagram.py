"""Draws what changed between two releases of a table, in DOT: green is added, red and dashed removed, amber changed.

Both releases' states stand on the page, pale where nothing changed; the happy path runs straight down. A move that is
new, gone or worded anew has a note with the words of `diff`, and a thick frame if it loosens. A change that is the same
in three or more states is noted once. What a picture cannot show (limits, sentences) is told beside it: what loosens in
words, the rest by number. The signs + - ~ say the same as the colours, for a print in black and white.
"""

from __future__ import annotations

import hashlib
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from payagent.flow.states import State
from payagent.review.arrows import SHARED_FROM, near
from payagent.review.diff import Change, Changes, compare, row_changes
from payagent.review.flow_file import FlowData
from payagent.review.matching import ADDED, CHANGED, REMOVED, pair_up

NOTE_WIDTH = 46  # in characters

PALE = "#94a3b8"
PALE_TEXT = "#64748b"
PAINT = {
    ADDED: ("+", "#166534", "#dcfce7", "filled"),
    REMOVED: ("-", "#b91c1c", "#fee2e2", '"filled,dashed"'),
    CHANGED: ("~", "#92400e", "#fef3c7", "filled"),
}
"""Mark → sign, colour (4.5:1 at least on its ground), ground, style."""

LEGEND = {
    ADDED: "only in the new release",
    REMOVED: "only in the old release",
    CHANGED: "in both, and not the same",
}


@dataclass(frozen=True, slots=True)
class Note:
    """One changed move, in every state where the change is the same; `dest` "" if it stays."""

    mark: str
    trigger: str
    dest: str
    party: str
    changes: tuple[tuple[str, str, bool], ...]
    """What it is about, its words, whether it loosens."""

    @property
    def loosens(self) -> bool:
        """Whether any of its changes does."""
        return any(loosens for _, _, loosens in self.changes)


def dot(old: FlowData, new: FlowData) -> str:
    """The page for Graphviz. Its first line names the drawing's hash (of all that follows) and both versions."""
    body = "\n".join(["digraph changes {", *_lines(old, new), "}", ""])
    digest = hashlib.sha256(body.encode()).hexdigest()[:12]
    return f"// payagent changes {digest} of table {new.table} from {old.version} to {new.version}\n{body}"


def _lines(old: FlowData, new: FlowData) -> Iterator[str]:
    found, notes = compare(old, new), _notes(old, new)
    names = _names(old, new)
    path = _path([state.name for state in new.states])
    yield "  graph [rankdir=TB, newrank=true, ranksep=0.12, nodesep=0.12, margin=0.1, labelloc=t, labeljust=l,"
    yield f'    fontname="Arial", fontsize=10, label="{_text(_head(found), "l")}"]'
    yield f'  node [shape=box, fontname="Arial", fontsize=8, margin="0.06,0.03", width=0.2, height=0.2, color="{PALE}"]'
    yield f'  edge [color="{PALE}", arrowsize=0.5]'
    for n, name in enumerate(names):
        yield f"  s{n} [{_box(name, found, old)}]"
    unchanged = _unchanged(old, new)
    drawn = [(a, b) for a, b in _sorted(near(path), names) if (a, b) in unchanged]
    for a, b in drawn:
        weight = ", weight=100" if (a, b) in set(pairwise(path)) else ""
        yield f'  s{names.index(a)} -> s{names.index(b)} [id="edge-{a}-{b}"{weight}]'
    for a, b in pairwise(path):
        if (a, b) not in unchanged:
            yield f"  s{names.index(a)} -> s{names.index(b)} [style=invis, weight=100]"
    own = {note: sources for note, sources in notes.items() if len(sources) < SHARED_FROM}
    for n, (note, source) in enumerate((note, source) for note, sources in own.items() for source in sources):
        yield from _own_note(n, note, source, names, path)
    beside = {end for pair in drawn for end in pair} | {s for sources in own.values() for s in sources} | {*path}
    yield from _panel(found, notes, names, [name for name in names if name not in beside])


def _names(old: FlowData, new: FlowData) -> list[str]:
    """All states in the new order; one that is gone stands after the one it followed."""
    names = [state.name for state in new.states]
    for before, state in zip(("", *(s.name for s in old.states)), old.states, strict=False):
        if state.name not in names:
            names.insert(names.index(before) + 1 if before else 0, state.name)
    return names


def _path(names: Sequence[str]) -> tuple[str, ...]:
    return (*names[: names.index(State.PAYMENT_COMPLETED) + 1], State.ENDED)


def _notes(old: FlowData, new: FlowData) -> dict[Note, list[str]]:
    """Each changed move and the states it is in; a state that is gone says for itself where it led."""
    left = {state.name for state in new.states}
    notes: dict[Note, list[str]] = {}
    for some in pair_up(old, new).values():
        for pair in some:
            changes = tuple((c.about, c.words, c.loosens) for c in row_changes(pair, old))
            row = pair.new or pair.old
            if row and row.source in left and changes:
                mark = CHANGED if pair.old and pair.new else ADDED if pair.new else REMOVED
                note = Note(mark, row.trigger, row.dest or "", row.party, changes)
                notes.setdefault(note, []).append(row.source)
    return notes


def _unchanged(old: FlowData, new: FlowData) -> set[tuple[str, str]]:
    """From which state to which some party could and still can move."""
    before, after = ({(r.source, r.dest) for r in data.rows if r.dest} for data in (old, new))
    return before & after


def _sorted(pairs: Iterable[tuple[str, str]], names: Sequence[str]) -> list[tuple[str, str]]:
    known = [(a, b) for a, b in pairs if a in names and b in names]
    return sorted(known, key=lambda pair: (names.index(pair[0]), names.index(pair[1])))


# What stands where


def _head(found: Changes) -> list[str]:
    loosening = sum(change.loosens for change in found.changes)
    return [
        f"What changed in table {found.table}, from {found.before} to {found.after}",
        f"{len(found.changes)} changes; {loosening} of them loosen it (marked LOOSENS, in a thick frame).",
        "",
    ]


def _box(name: str, found: Changes, old: FlowData) -> str:
    told = [c for c in found.changes if c.about in _BOXED and name in c.states]
    mark = found.marks.get(f"state-{name}", "")
    if not mark:
        return f'id="state-{name}", label="{_escaped(name)}", fontcolor="{PALE_TEXT}"'
    lines = [f"{PAINT[mark][0]} {name}", *(line for c in told for line in _wrapped(_worded(c)))]
    if mark == REMOVED:
        dests = {row.dest for row in old.rows if row.source == name}
        led = [state.name for state in old.states if state.name in dests]
        lines += _wrapped(f"led to {', '.join(led) or 'nowhere'}")
    return f'id="state-{name}", label="{_text(lines, "l")}", {_paint(mark, any(c.loosens for c in told))}'


_BOXED = ("state", "tool", "wait")


def _own_note(n: int, note: Note, source: str, names: Sequence[str], path: Sequence[str]) -> Iterator[str]:
    """The note beneath its state; a line leads on where that does not cross the page, else it names where it leads."""
    yield f'  n{n} [label="{_text(_note_lines(note), "l")}", {_paint(note.mark, note.loosens)}]'
    yield f"  s{names.index(source)} -> n{n} [arrowhead=none, {_stroke(note.mark)}]"
    if (source, note.dest) in near(path) and names.index(source) < names.index(note.dest):
        yield f"  n{n} -> s{names.index(note.dest)} [{_stroke(note.mark)}]"


def _note_lines(note: Note) -> list[str]:
    name = f"{note.trigger} → {note.dest or 'stays'}"
    lines = [f"{PAINT[note.mark][0]} {name}, by {note.party}"]
    for about, words, loosens in note.changes:
        lines += _wrapped(_worded(Change(about, words.replace(f"{name} ", "", 1), (), loosens)))
    return lines


def _panel(found: Changes, notes: dict[Note, list[str]], names: Sequence[str], loners: Sequence[str]) -> Iterator[str]:
    """One column beside the path: the legend, what is noted once, what has no place, the states with no line."""
    column = []
    for mark, words in LEGEND.items():
        yield f'  legend_{mark} [label="{PAINT[mark][0]} {mark}: {words}", {_paint(mark, False)}]'
        column.append(f"legend_{mark}")
    for n, (note, sources) in enumerate((note, some) for note, some in notes.items() if len(some) >= SHARED_FROM):
        lines = [*_note_lines(note), *_wrapped(f"in {', '.join(sources)}")]
        yield f'  card_{n} [label="{_text(lines, "l")}", {_paint(note.mark, note.loosens)}]'
        column.append(f"card_{n}")
    for n, (words, loosens) in enumerate(_elsewhere(found, notes)):
        yield f'  more_{n} [label="{_text(_wrapped(words), "l")}", {_paint(CHANGED, loosens)}]'
        column.append(f"more_{n}")
    column += [f"s{names.index(name)}" for name in loners]
    yield f"  {' -> '.join(column)} [style=invis, weight=50]"


def _elsewhere(found: Changes, notes: dict[Note, list[str]]) -> list[tuple[str, bool]]:
    """What no box and no note says: each change that loosens, and how many others there are of what."""
    noted = {change for note in notes for change in note.changes}
    left = [c for c in found.changes if c.about not in _BOXED and (c.about, c.words, c.loosens) not in noted]
    counts = Counter(c.about for c in left if not c.loosens)
    loosening = [(str(c).replace("LOOSENS  ", "LOOSENS "), True) for c in left if c.loosens]
    others = ", ".join(f"{about} {n}" for about, n in counts.items())
    return [*loosening, *([(f"Told in words only, changes of: {others}", False)] if others else [])]


def _worded(change: Change) -> str:
    return str(Change(change.about, change.words, (), change.loosens)).replace("LOOSENS  ", "LOOSENS ")


def _wrapped(words: str) -> list[str]:
    return textwrap.wrap(words, NOTE_WIDTH, subsequent_indent="\u00a0\u00a0")


def _paint(mark: str, loosens: bool) -> str:
    _, colour, ground, style = PAINT[mark]
    thick = ", penwidth=2.5" if loosens else ""
    return f'color="{colour}", fontcolor="{colour}", fillcolor="{ground}", style={style}{thick}'


def _stroke(mark: str) -> str:
    return f'color="{PAINT[mark][1]}", penwidth=1.5' + (", style=dashed" if mark == REMOVED else "")


def _text(lines: Iterable[str], justify: str) -> str:
    return "".join(f"{_escaped(line)}\\{justify}" for line in lines)


def _escaped(words: str) -> str:
    return words.replace("\\", "\\\\").replace('"', '\\"')

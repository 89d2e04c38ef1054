"""What changed between two releases of a table, in words; what loosens it comes first and is marked.

* Compared is what is saved (`flow_file`), so nothing is known of either release but what a reviewer signed.
* Rows are matched by what they do, not by their number: a row put in front of others is one change.
* A change loosens if something may happen now that could not before: a new way to charge, a condition gone, a tool
  opened, a party that may newly cause a move, a higher count, a wait that nothing follows any more, a money sentence
  that may be talked over. Where words cannot tell (a condition worded anew), it loosens: a person has to look.
* The same change in several states is told once, with the states.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from payagent.review.flow_file import FlowData, SavedRow, SavedSentence, SavedState, Wait
from payagent.review.matching import Pair, Pairs, marks, pair_up, row_marks


@dataclass(frozen=True, slots=True)
class Change:
    """One change: what it is about (`move`, `guard` …), its words, the states it is in (none: the whole table)."""

    about: str
    words: str
    states: tuple[str, ...] = ()
    loosens: bool = False

    def __str__(self) -> str:
        where = f" (in {', '.join(self.states)})" if self.states else ""
        return f"{'LOOSENS  ' if self.loosens else ''}{self.about}: {self.words}{where}"


@dataclass(frozen=True, slots=True)
class Changes:
    """All changes of one table between two versions, the loosening ones first.

    For a drawing `marks` says `added`, `removed` or `changed` by id, `state-<state>` for a box and
    `edge-<from>-<to>-<party>` for an arrow; `rows` says `added` or `changed` by the new table's row ids.
    """

    table: str
    before: str
    after: str
    changes: tuple[Change, ...]
    marks: dict[str, str]
    rows: dict[str, str]

    @property
    def loosens(self) -> bool:
        """Whether any change loosens the table."""
        return any(change.loosens for change in self.changes)

    def lines(self) -> list[str]:
        """What a terminal shows: a line on the table, then one a change."""
        loosening = sum(change.loosens for change in self.changes)
        told = f"changes: {len(self.changes)}, loosening: {loosening}" if self.changes else "nothing changed"
        return [f"{self.table} {self.before} → {self.after}: {told}", *(f"  {change}" for change in self.changes)]


def compare(old: FlowData, new: FlowData) -> Changes:
    """What changed from `old` to `new`."""
    pairs = pair_up(old, new)
    found = [
        *_rows(old, new, pairs),
        *_order(pairs),
        *_tools(old, new),
        *_waits(old, new),
        *_limits(old, new),
        *_states(old, new),
        *_sentences(old, new),
        *_table(old, new),
    ]
    grouped: dict[tuple[str, str, bool], list[str]] = {}
    for change in found:
        grouped.setdefault((change.about, change.words, change.loosens), []).extend(change.states)
    told = [Change(about, words, tuple(dict.fromkeys(s)), loosens) for (about, words, loosens), s in grouped.items()]
    told.sort(key=lambda change: (not change.loosens, change.about != "charge"))
    boxes = {state for change in told if change.about in ("state", "tool", "wait") for state in change.states}
    return Changes(new.table, old.version, new.version, tuple(told), marks(old, new, boxes, pairs), row_marks(pairs))


def appeared(new: FlowData) -> Changes:
    """The change that a table is there which was not: everything in it may happen only now."""
    return Changes(new.table, "nothing", new.version, (Change("table", "is new, with all its rows", (), True),), {}, {})


def vanished(old: FlowData) -> Changes:
    """The change that a table is there no more."""
    return Changes(old.table, old.version, "nothing", (Change("table", "is gone"),), {}, {})


# Rows


def _rows(old: FlowData, new: FlowData, pairs: Pairs) -> Iterator[Change]:
    left = {state.name for state in new.states}
    for pair in (pair for some in pairs.values() for pair in some):
        if pair.new or (pair.old and pair.old.source in left):
            yield from row_changes(pair, old)


def row_changes(pair: Pair, old: FlowData) -> Iterator[Change]:
    """What is told of one row."""
    match pair:
        case Pair(old=None, new=SavedRow() as row):
            yield _new_row(row, old)
        case Pair(old=SavedRow() as row, new=None):
            yield Change("move", f"{_named(row)} is gone", (row.source,))
        case Pair(old=SavedRow() as was, new=SavedRow() as now):
            yield from _changed_row(was, now, old)


def _named(row: SavedRow) -> str:
    return f"{row.trigger} → {row.dest or 'stays'}"


def _new_row(row: SavedRow, old: FlowData) -> Change:
    asked = f", if {'; '.join(row.guards)}" if row.guards else ""
    orders = f"; orders: {'; '.join(row.orders)}" if row.orders else ""
    words = f"{_named(row)} is new, by {row.party}{asked}{orders}. {row.why}"
    if row.charges:
        return Change("charge", f"a new way to charge: {words}", (row.source,), True)
    return Change("move", words, (row.source,), _newly_possible(row, old))


def _newly_possible(row: SavedRow, old: FlowData) -> bool:
    """Whether its party could not cause this move before, or only on conditions that the row does not ask."""
    like = [r for r in old.rows if (r.source, r.dest, r.party) == (row.source, row.dest, row.party)]
    return row.dest is not None and not any({*r.guards} <= {*row.guards} for r in like)


def _changed_row(was: SavedRow, now: SavedRow, old: FlowData) -> Iterator[Change]:
    here, name = (now.source,), _named(now)
    if now.charges and not was.charges:
        yield Change("charge", f"a new way to charge: {name} orders it now", here, True)
    for words in _gone(was.guards, now.guards):
        yield Change("charge" if now.charges else "guard", f"{name} no longer asks whether “{words}”", here, True)
    for words in _gone(now.guards, was.guards):
        yield Change("guard", f"{name} now asks whether “{words}”", here)
    if was.dest != now.dest:
        yield Change("move", f"{_named(was)} becomes {name}, by {now.party}", here, _newly_possible(now, old))
    if was.party != now.party:
        yield Change("party", f"{name} is caused by {now.party} instead of {was.party}", here, True)
    for words in _gone(was.orders, now.orders):
        yield Change("order", f"{name} no longer orders “{words}”", here)
    for words in _gone(now.orders, was.orders):
        yield Change("order", f"{name} now orders “{words}”", here)
    for about, before, after in (("guard", was.guards, now.guards), ("order", was.orders, now.orders)):
        if before != after and Counter(before) == Counter(after):
            yield Change(about, f"{name} has its {about}s in another sequence", here)
    if was.orders == now.orders and was.says != now.says:
        yield Change("order", f"{name} may say {_value(now.says)} instead of {_value(was.says)}", here)
    if was.why != now.why:
        yield Change("reason", f"{name}: “{now.why}” instead of “{was.why}”", here)


def _gone(before: Sequence[str], after: Sequence[str]) -> list[str]:
    return list((Counter(before) - Counter(after)).elements())


def _order(pairs: Pairs) -> Iterator[Change]:
    """Rows are tried from the top, so what stands before a row that charges is a condition of it too."""
    for (source, trigger), some in pairs.items():
        kept = sorted((pair for pair in some if pair.old and pair.new), key=lambda pair: pair.was_at)
        if [pair.is_at for pair in kept] != sorted(pair.is_at for pair in kept):
            yield Change("order", f"the rows of {trigger} are tried in another order", (source,))
        for pair in kept:
            if pair.new and pair.new.charges:
                yield from _before_a_charge(pair, pair.new, [p for p in some if -1 < p.was_at < pair.was_at])


def _before_a_charge(charge: Pair, row: SavedRow, before: Sequence[Pair]) -> Iterator[Change]:
    for pair in before:
        assert pair.old is not None  # it has a place in the old list
        if pair.new is None or pair.is_at > charge.is_at:
            words = f"{_named(row)} is no longer tried after {_named(pair.old)}"
            yield Change("charge", words, (row.source,), True)
        elif _gone(pair.new.guards, pair.old.guards):
            words = f"{_named(row)} is tried more often: {_named(pair.new)}, before it, asks more now"
            yield Change("charge", words, (row.source,), True)


# States, tools and waits


def _both(old: FlowData, new: FlowData) -> list[tuple[SavedState, SavedState]]:
    after = {state.name: state for state in new.states}
    return [(state, after[state.name]) for state in old.states if state.name in after]


def _states(old: FlowData, new: FlowData) -> Iterator[Change]:
    before, after = {state.name for state in old.states}, {state.name for state in new.states}
    for state in new.states:
        if state.name not in before:
            yield Change("state", f"is new: {state.meaning}", (state.name,))
    for state in old.states:
        if state.name not in after:
            yield Change("state", "is gone, with all its rows", (state.name,))
    for was, now in _both(old, new):
        if was.meaning != now.meaning:
            yield Change("state", f"means “{now.meaning}” instead of “{was.meaning}”", (now.name,))
        if was.final != now.final:
            yield Change("state", "is final now" if now.final else "is no longer final", (now.name,), was.final)


def _tools(old: FlowData, new: FlowData) -> Iterator[Change]:
    before = {state.name: state.tools for state in old.states}
    for state in new.states:
        for tool in state.tools:
            if tool not in before.get(state.name, ()):
                yield Change("tool", f"{tool} is opened", (state.name,), True)
    for was, now in _both(old, new):
        yield from (Change("tool", f"{tool} is closed", (now.name,)) for tool in was.tools if tool not in now.tools)


def _waits(old: FlowData, new: FlowData) -> Iterator[Change]:
    for was, now in _both(old, new):
        before, after = _followed(old, was), _followed(new, now)
        for timer in sorted(before.keys() - after.keys()):
            yield Change("wait", f"nothing follows {timer} any more", (now.name,), True)
        for timer in sorted(after.keys() - before.keys()):
            yield Change("wait", f"{timer} is new, after {after[timer].seconds:g} s at most", (now.name,))
        for timer in sorted(before.keys() & after.keys()):
            yield from _changed_wait(before[timer], after[timer], now.name, _limits_changed(old, new))


def _followed(data: FlowData, state: SavedState) -> dict[str, Wait]:
    """The waits of the state that a row follows."""
    triggers = {row.trigger for row in data.rows if row.source == state.name}
    return {wait.timer: wait for wait in state.waits if wait.timer in triggers}


def _changed_wait(was: Wait, now: Wait, state: str, limits_changed: set[str]) -> Iterator[Change]:
    """A length that changed with its limit is told with the limit."""
    if was.limits != now.limits:
        yield Change("wait", f"{now.timer} is set by {_value(now.limits)} instead of {_value(was.limits)}", (state,))
    if was.seconds != now.seconds and not limits_changed & {*was.limits, *now.limits}:
        yield Change("wait", f"{now.timer} is {now.seconds:g} s at most instead of {was.seconds:g}", (state,))
    if was.after_speech != now.after_speech:
        since = "the end of speech" if now.after_speech else "the step that began it"
        yield Change("wait", f"{now.timer} is counted from {since}", (state,))


# Limits, sentences, the table itself


def _limits_changed(old: FlowData, new: FlowData) -> set[str]:
    return {name for name in {*old.limits, *new.limits} if old.limits.get(name) != new.limits.get(name)}


def _limits(old: FlowData, new: FlowData) -> Iterator[Change]:
    for name in sorted(_limits_changed(old, new)):
        was, now = old.limits.get(name), new.limits.get(name)
        count = "seconds" not in name
        if now is None:
            yield Change("limit", f"{name} is gone", (), count)
        elif was is None:
            yield Change("limit", f"{name} is new: {now:g}")
        else:
            yield Change("limit", f"{name} is {now:g} instead of {was:g}", (), count and now > was)


def _sentences(old: FlowData, new: FlowData) -> Iterator[Change]:
    before, after = {s.name: s for s in old.sentences}, {s.name: s for s in new.sentences}
    for name in sorted({*before, *after}):
        if name not in before:
            yield Change("sentence", f"{name} is new: {after[name].meaning}")
        elif name not in after:
            yield Change("sentence", f"{name} is gone")
        else:
            yield from _changed_sentence(before[name], after[name])


def _changed_sentence(was: SavedSentence, now: SavedSentence) -> Iterator[Change]:
    if was.meaning != now.meaning:
        yield Change("sentence", f"{now.name} is for “{now.meaning}” instead of “{was.meaning}”")
    if was.interruptible != now.interruptible:
        words = "may be talked over" if now.interruptible else "may not be talked over any more"
        yield Change("sentence", f"{now.name} {words}", (), now.interruptible)
    for language in sorted({*was.texts, *now.texts}):
        before, after = was.texts.get(language, ""), now.texts.get(language, "")
        if before != after:
            yield Change("sentence", f"{now.name} ({language}) is “{after}” instead of “{before}”")


def _table(old: FlowData, new: FlowData) -> Iterator[Change]:
    for about in ("pace", "profile", "routes", "languages"):
        was, now = getattr(old, about), getattr(new, about)
        if was != now:
            yield Change(about, f"is {_value(now)} instead of {_value(was)}")


def _value(value: str | tuple[str, ...]) -> str:
    return value if isinstance(value, str) else ", ".join(value) or "nothing"

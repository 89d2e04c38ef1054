"""Walks every reachable situation of a table with every event of the alphabet, and checks the promises on each step.

Beside the call runs a `Ghost`, an account of the money of its own, that the promises are checked against. The walk
goes breadth first, so the story told for a broken promise is a shortest one.

Counters are not part of a situation: wherever one is asked about, both a fresh and a worn-out count are followed, which
covers every count there can be. In the same way an earlier payment of the call, credited or not, is tried at every
event about it (without one, it is a stray session): nothing else depends on it.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal

from payagent.flow import events as ev
from payagent.flow.call import Call
from payagent.flow.facts import Payment
from payagent.flow.facts import replace as replace_facts
from payagent.flow.limits import Limits
from payagent.flow.money import Money
from payagent.flow.rows import Guard, View
from payagent.flow.states import FINAL
from payagent.flow.step import Step
from payagent.flow.table import Flow
from payagent.review.alphabet import EARLIER, INVENTED, NOW, RELAY, alphabet
from payagent.review.ghost import Ghost, follow
from payagent.review.promises import OF_STEPS, PROMISES, Moment
from payagent.review.situations import Situation, situation

WALK_LIMITS = Limits(
    identity_tries=2,
    field_tries=2,
    declined_cards=2,
    reconnects=1,
    model_failures=2,
    silences=1,
    start_failures=2,
    refused_tools=2,
)
"""Small counts; a guard only ever asks whether one more is left."""

_FRESH = {
    "identity_tries": 0,
    "look_up_failures": 0,
    "field_tries": 0,
    "capture_refusals": 0,
    "declines": 0,
    "model_failures": 0,
    "start_failures": 0,
    "refusals": 0,
    "reconnects": 0,
    "silences": 0,
}
_WORN = dict.fromkeys(_FRESH, 1)
"""Every count used up but for the last, by `WALK_LIMITS`."""

_COUNTING = frozenset(
    {
        "identity_tries_left",
        "look_ups_left",
        "field_tries_left",
        "capture_tries_left",
        "declines_left",
        "model_failures_left",
        "start_tries_left",
        "reconnects_left",
        "silences_left",
    }
)
"""The guards that ask for a count."""

_EARLIER = Payment(0, "B-0", Money(Decimal("5.00"), "USD"), EARLIER)
_CREDITED = replace(_EARLIER, credited=True)

Seen = dict[Situation, tuple[Situation | None, Step | None]]
"""Each situation with the one it was first reached from, and by which step."""


@dataclass
class Walked:
    """What a walk found: counts, and for each broken promise the shortest story that leads to it."""

    situations: int = 0
    events: int = 0
    checks: Counter[str] = field(default_factory=Counter)
    checked_rows: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    broken: dict[str, list[Step]] = field(default_factory=dict)
    stuck: list[str] = field(default_factory=list)
    rows: Counter[str] = field(default_factory=Counter)
    guard_outcomes: Counter[tuple[str, str, bool]] = field(default_factory=Counter)

    def never_fired(self, flow: Flow) -> list[str]:
        """The rows of `flow` that no step fired."""
        return [row.id for row in flow.rows if not self.rows[row.id]]

    def never_false(self, flow: Flow) -> list[str]:
        """`row: guard` for each guard that was asked and always said yes: redundant, or a second lock on the door."""
        guards = [(row.id, guard.name) for row in flow.rows for guard in row.guards]
        return [f"{row}: {name}" for row, name in guards if not self.guard_outcomes[row, name, False]]


def walk(flow: Flow, limit: int = 50_000, *, until_broken: bool = False) -> Walked:
    """Walk `flow` whole, or until a promise is broken.

    Its counts are replaced by `WALK_LIMITS`; every row and guard stays as it is.

    Raises:
        RuntimeError: there are more than `limit` situations, so something in the facts is not bounded.
    """
    found = Walked()
    call, ghost = _start(replace(_noting(flow, found), limits=WALK_LIMITS))
    here = situation(call, ghost)
    seen: Seen = {here: (None, None)}
    leads_to: dict[Situation, set[Situation]] = {}
    todo = deque([(call, ghost, here)])
    while todo and not (until_broken and found.broken):
        if len(seen) > limit:
            raise RuntimeError(f"more than {limit} situations: the facts are not bounded")
        call, ghost, here = todo.popleft()
        leads_to[here] = set()
        for moment in _moments(call, ghost, found):
            kept = _check(moment, found, seen, here)
            there = situation(moment.after, moment.then)
            leads_to[here].add(there)
            if kept and there not in seen:  # behind a broken promise the ghost and the facts tell different stories
                seen[there] = (here, moment.step)
                todo.append((_with(moment.after, earlier=(), **_FRESH), moment.then, there))
    found.situations = len(seen)
    found.stuck = [] if todo else sorted({str(place[0]) for place in _cannot_end(leads_to)})
    return found


def _start(flow: Flow) -> tuple[Call, Ghost]:
    """A call whose first relay is up: from here on the relay's session is a mere label."""
    call, ghost = Call(flow, "CA"), Ghost()
    for event in (ev.CallStarted("1234"), ev.RelayConnected(RELAY)):
        step = call.decide(event, NOW)
        assert step is not None
        call.apply(step)
    return call, ghost


def _moments(call: Call, ghost: Ghost, found: Walked) -> Iterator[Moment]:
    """All that can happen next, whatever the counts are."""
    for event, at in alphabet(call):
        for variant in _variants(call, event):
            found.events += 1
            step = variant.decide(event, at)
            if step is not None:
                after = _with(variant)
                after.apply(step)
                yield Moment(variant, ghost, step, after, follow(ghost, step))


def _variants(call: Call, event: ev.Event) -> tuple[Call, ...]:
    """The call as it is; worn out where a count is asked about; with an earlier payment where one is."""
    if getattr(event, "session", "") == EARLIER:
        uncredited, credited = _with(call, earlier=(_EARLIER,)), _with(call, earlier=(_CREDITED,))
        return (uncredited, credited) if isinstance(event, ev.PaymentSucceeded) else (uncredited,)
    if isinstance(event, ev.ToolCalled):  # refused tools are counted by name of none
        asked = event.name == INVENTED
    else:
        rows = call.flow.by_trigger.get((call.state, ev.trigger_of(event)), ())
        asked = any(guard.name in _COUNTING for row in rows for guard in row.guards)
    return (call, _with(call, **_WORN)) if asked else (call,)


def _with(call: Call, **changes: object) -> Call:
    """A twin of the call, with these facts changed."""
    twin = object.__new__(Call)
    for name in Call.__slots__:
        setattr(twin, name, getattr(call, name))
    if changes:
        twin.facts = replace_facts(call.facts, **changes)  # type: ignore[arg-type]
    return twin


def _check(moment: Moment, found: Walked, seen: Seen, here: Situation) -> bool:
    """Whether the step keeps every promise it is about; the first story of each broken one is kept."""
    if moment.step.row:
        found.rows[moment.step.row] += 1
    whole = True
    for promise in PROMISES if moment.step.orders else OF_STEPS:
        if promise.applies(moment.step):
            found.checks[promise.words] += 1
            found.checked_rows[promise.words].add(moment.step.row)
            if not promise.kept(moment):
                found.broken.setdefault(promise.words, [*_story(seen, here), moment.step])
                whole = False
    return whole


def _story(seen: Seen, here: Situation) -> list[Step]:
    """The steps of the shortest way to a situation."""
    steps: list[Step] = []
    before, step = seen[here]
    while before is not None and step is not None:
        steps.append(step)
        before, step = seen[before]
    return steps[::-1]


def _cannot_end(leads_to: dict[Situation, set[Situation]]) -> list[Situation]:
    """The situations from which no way leads to a final state."""
    comes_from: dict[Situation, list[Situation]] = {}
    for here, nexts in leads_to.items():
        for there in nexts:
            comes_from.setdefault(there, []).append(here)
    ends = [place for place in leads_to if place[0] in FINAL]
    reached = set(ends)
    while ends:
        for before in comes_from.get(ends.pop(), ()):
            if before not in reached:
                reached.add(before)
                ends.append(before)
    return [place for place in leads_to if place not in reached]


def _noting(flow: Flow, found: Walked) -> Flow:
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
    for promise in PROMISES:
        verdict = "BROKEN" if promise.words in walked.broken else "holds "
        lines.append(f"  {promise.number}  {verdict} {walked.checks[promise.words]:>8} times  {promise.words}")
        lines += [f"       {_line(step)}" for step in walked.broken.get(promise.words, ())]
    lines += [f"  no way to an end from {state}" for state in walked.stuck]
    lines += [f"  never fired: {row}" for row in walked.never_fired(flow)]
    return [*lines, *(f"  never false: {guard}" for guard in walked.never_false(flow))]


def _line(step: Step) -> str:
    orders = ", ".join(type(order).__name__ for order in step.orders) or "no orders"
    why = step.row or step.refused or "recorded"
    return f"{ev.trigger_of(step.event)}: {step.before} -> {step.after} ({why}); {orders}"

"""Walks every reachable situation of a table with every event of the alphabet, and checks the promises on each step.

Beside the call runs a `Ghost`, an account of the money of its own, that the promises are checked against. The walk
goes breadth first, so the story told for a broken promise is a shortest one.

Counters are not part of a situation: wherever one is asked about, both a fresh and a worn-out count are followed, which
covers every count there can be. In the same way an earlier payment of the call, credited or not, is tried at every
event about it (without one, it is a stray session): nothing else depends on it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from payagent.flow import events as ev
from payagent.flow.call import Call
from payagent.flow.facts import Payment
from payagent.flow.facts import replace as replace_facts
from payagent.flow.limits import Limits
from payagent.flow.machine import Engine
from payagent.flow.money import Money
from payagent.flow.states import FINAL, State
from payagent.flow.step import Step
from payagent.flow.table import Flow
from payagent.review.alphabet import EARLIER, INVENTED, NOW, RELAY, alphabet
from payagent.review.ghost import Ghost, heard, obeyed
from payagent.review.moments import Moment, kind_of
from payagent.review.promises import about
from payagent.review.situations import Situation, situation
from payagent.review.walked import Walked, noting

WALK_LIMITS = Limits(
    identity_tries=2,
    field_tries=2,
    declined_cards=2,
    reconnects=1,
    model_failures=2,
    stopped_claims=2,
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
    "claims": 0,
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
        "claims_left",
        "start_tries_left",
        "reconnects_left",
        "silences_left",
    }
)
"""The guards that ask for a count."""

_EARLIER = Payment(0, "B-0", Money(Decimal("5.00"), "USD"), EARLIER)
_CREDITED = replace(_EARLIER, credited=True)


@dataclass(slots=True)
class Place:
    """A situation on the map: a call and its ghost there, and the step that first led there.

    `moves`: what each event of the alphabet (by its number) led to, and the row that fired; one event has several moves
    where counts are asked about.
    """

    call: Call
    ghost: Ghost
    before: Situation | None = None
    step: Step | None = None
    moves: list[tuple[int, Situation, str]] = field(default_factory=list)

    def leads_to(self) -> set[Situation]:
        """The situations one event from here."""
        return {there for _, there, _ in self.moves}


Map = dict[Situation, Place]
"""Every situation found, in the order it was found."""


def walk(flow: Flow, limit: int = 50_000, *, until_broken: bool = False) -> Walked:
    """Walk `flow` whole, or until a promise is broken.

    Its counts are replaced by `WALK_LIMITS`; every row and guard stays as it is.

    Raises:
        RuntimeError: there are more than `limit` situations, so something in the facts is not bounded.
    """
    return explore(flow, limit, until_broken=until_broken)[0]


def explore(flow: Flow, limit: int = 50_000, *, until_broken: bool = False) -> tuple[Walked, Map]:
    """As `walk`, with the map it drew."""
    flow, found = replace(flow, limits=WALK_LIMITS), Walked()
    flow = noting(flow, found)
    walker = Walker(flow, found, Engine(flow))
    todo = deque([walker.start()])
    while todo and not (until_broken and found.broken):
        if len(walker.places) > limit:
            raise RuntimeError(f"more than {limit} situations: the facts are not bounded")
        here = todo.popleft()
        todo += walker.visit(here)
    found.situations = len(walker.places)
    leads_to = {here: place.leads_to() for here, place in walker.places.items()}
    found.stuck = [] if todo else sorted({str(here[0]) for here in cannot_end(leads_to)})
    return found, walker.places


def counting(flow: Flow) -> set[tuple[State, str]]:
    """The states and triggers whose rows ask for a count."""
    return {key for key, rows in flow.by_trigger.items() if any(g.name in _COUNTING for r in rows for g in r.guards)}


class Walker:
    """Goes from situation to situation of one table, and keeps the map."""

    def __init__(self, flow: Flow, found: Walked, engine: Engine) -> None:
        self.found, self.flow, self.engine = found, flow, engine
        self.places: Map = {}
        self._counting = counting(flow)

    def start(self) -> Situation:
        """A call whose first relay is up: from here on the relay's session is a mere label."""
        call, ghost = Call(self.flow, "CA", self.engine), Ghost()
        for event in (ev.CallStarted("1234"), ev.RelayConnected(RELAY)):
            step = call.decide(event, NOW)
            assert step is not None
            call.apply(step)
        here = situation(call, ghost)
        self.places[here] = Place(call, ghost)
        return here

    def visit(self, here: Situation) -> list[Situation]:
        """Try every event in one situation; the situations that are new by them, put on the map."""
        new = []
        for n, (event, at) in enumerate(alphabet(self.places[here].call)):
            new += self.attempt(here, n, event, at)
        return new

    def attempt(self, here: Situation, n: int, event: ev.Event, at: datetime) -> list[Situation]:
        """Try event `n` in one situation, whatever the counts are; the situations that are new by it."""
        place, new = self.places[here], []
        for variant in self._variants(place.call, event):
            self.found.events += 1
            moment = _moment(variant, place.ghost, event, at)
            if moment is None:
                continue
            kept = self._check(moment, here)
            there = here if moment.changes_nothing else situation(moment.after, moment.then)
            place.moves.append((n, there, moment.step.row))
            if kept and there not in self.places:  # behind a broken promise the two sides tell different stories
                fresh = _with(moment.after, earlier=(), **_FRESH)
                self.places[there] = Place(fresh, moment.then, here, moment.step)
                new.append(there)
        return new

    def _variants(self, call: Call, event: ev.Event) -> tuple[Call, ...]:
        """The call as it is; worn out where a count is asked about; with an earlier payment where one is."""
        if getattr(event, "session", "") == EARLIER:
            uncredited, credited = _with(call, earlier=(_EARLIER,)), _with(call, earlier=(_CREDITED,))
            return (uncredited, credited) if isinstance(event, ev.PaymentSucceeded) else (uncredited,)
        if isinstance(event, ev.ToolCalled):  # refused tools are counted by name of none
            asked = event.name == INVENTED
        else:
            asked = (call.state, ev.trigger_of(event)) in self._counting
        return (call, _with(call, **_WORN)) if asked else (call,)

    def _check(self, moment: Moment, here: Situation) -> bool:
        """Whether the step keeps every promise it is about; the first story of each broken one is kept."""
        kind = kind_of(moment.step)
        self.found.kinds[kind] += 1
        broken = [promise for promise in about(kind) if not promise.kept(moment)]
        for promise in broken:
            self.found.broken.setdefault(promise.words, [*self._story(here), moment.step])
        return not broken

    def _story(self, here: Situation) -> list[Step]:
        """The steps of the shortest way to a situation."""
        steps: list[Step] = []
        place = self.places[here]
        while place.before is not None and place.step is not None:
            steps.append(place.step)
            place = self.places[place.before]
        return steps[::-1]


def _moment(call: Call, ghost: Ghost, event: ev.Event, at: datetime) -> Moment | None:
    """What the event leads to; None if it is not worth a record."""
    step = call.decide(event, at)
    if step is None:
        return None
    after = call.twin()
    after.apply(step)
    now = heard(ghost, step)
    return Moment(call, ghost, step, after, now, obeyed(now, step))


def _with(call: Call, **changes: object) -> Call:
    """A twin of the call, with these facts changed."""
    twin = call.twin()
    twin.facts = replace_facts(call.facts, **changes)  # type: ignore[arg-type]
    return twin


def cannot_end(leads_to: dict[Situation, set[Situation]]) -> list[Situation]:
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

"""Walks a changed table by the map of the one it was made from: only what the change can touch is tried anew.

Which rows are tried hangs on the state and the trigger alone. So where neither has a changed row, an event leads where
the map says, and was checked when the map was drawn. What the map does not know is walked as `walk` does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, replace
from datetime import datetime

from payagent.flow.call import Call
from payagent.flow.events import Event
from payagent.flow.machine import Engine
from payagent.flow.rows import Flow, Row, View
from payagent.flow.states import State
from payagent.review.alphabet import NOW, alphabet
from payagent.review.situations import Situation
from payagent.review.walk import WALK_LIMITS, Map, Place, Walker, cannot_end, counting, explore
from payagent.review.walked import Walked

MOST = 20_000
"""So many situations a changed table may have."""


@dataclass(frozen=True, slots=True)
class Charted:
    """A table with the map of it; of each place, where it leads and which rows fire there."""

    flow: Flow
    places: Map
    leads_to: dict[Situation, set[Situation]]
    fired: dict[Situation, set[str]]


def chart(flow: Flow) -> Charted:
    """Walk `flow` whole, and keep the map."""
    places = explore(flow)[1]
    leads_to = {here: place.leads_to() for here, place in places.items()}
    return Charted(flow, places, leads_to, {here: {row for _, _, row in p.moves} for here, p in places.items()})


@dataclass(frozen=True, slots=True)
class Found:
    """What is wrong with a changed table: promises broken, states without a way to an end, rows that never fire."""

    broken: tuple[str, ...] = ()
    stuck: tuple[str, ...] = ()
    never_fired: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """The first thing that is wrong; "" if nothing is."""
        stuck = [f"no way to an end from {state}" for state in self.stuck]
        return next(iter([*self.broken, *stuck, *(f"never fired: {row}" for row in self.never_fired)]), "")

    def __bool__(self) -> bool:
        return bool(self.broken or self.stuck or self.never_fired)


def rewalk(charted: Charted, changed: Flow) -> Found:
    """What a walk of `changed`, made from the charted table, finds; it ends at the first broken promise.

    Raises:
        RuntimeError: there are ever more situations.
    """
    walk = _Rewalk(charted, changed)
    todo = deque([walk.start()])
    while todo and not walk.found.broken:
        todo += walk.revisit(todo.popleft())
        if len(walk.places) > MOST:
            raise RuntimeError(f"more than {MOST} situations: the facts are not bounded")
    if walk.found.broken:
        return Found(broken=tuple(walk.found.broken))
    stuck = sorted({str(here[0]) for here in cannot_end(walk.leads_to)})
    return Found((), tuple(stuck), tuple(row.id for row in changed.rows if row.id not in walk.fired))


def decides_alike(charted: Charted, changed: Flow) -> bool:
    """Whether `changed` offers and decides what the charted table does: in each place on the map, for every event."""
    walk = _Rewalk(charted, changed)
    return all(walk.is_alike(place.call) for place in charted.places.values())


class _Rewalk(Walker):
    """A walker that knows the map; `fired` are the rows that some event fired."""

    def __init__(self, charted: Charted, changed: Flow) -> None:
        before, after = charted.flow.by_trigger, changed.by_trigger
        self._old = charted
        self._changed = frozenset(key for key in before | after if before.get(key) != after.get(key))
        self._states = frozenset(state for state, _ in self._changed)
        # What is open in a state is read by the alphabet there, and by the checks of every step that leads there.
        self._reshaped = frozenset(s for s in changed.states if charted.flow.tools[s] != changed.tools[s])
        flow = replace(changed, limits=WALK_LIMITS)
        known = next(iter(charted.places.values())).call.engine
        super().__init__(flow, Walked(), _Patched(known, flow, self._changed))
        self._counting |= counting(charted.flow)
        self.leads_to: dict[Situation, set[Situation]] = {}
        self.fired: set[str] = set()

    def is_alike(self, call: Call) -> bool:
        """Whether the model is offered the same here, and every event leads to the same, whatever the counts are."""
        if call.state in self._reshaped:
            return False
        if call.state not in self._states:
            return True
        events = [one for one in alphabet(call) if (call.state, call.trigger_of(one[0])) in self._changed]
        asked = [(one, event, at) for event, at in events for one in self._variants(call, event)]
        return call.offered(NOW) == self._by_the_change(call).offered(NOW) and all(
            _led_to(one, event, at) == _led_to(self._by_the_change(one), event, at) for one, event, at in asked
        )

    def _by_the_change(self, call: Call) -> Call:
        twin = call.twin()
        twin.flow, twin.engine = self.flow, self.engine
        return twin

    def revisit(self, here: Situation) -> list[Situation]:
        """All ways from one situation, the old ones from the map; the situations that are new by them."""
        if here not in self._old.places or here[0] in self._reshaped:
            new = self.visit(here)
        elif here[0] in self._states or any(there[0] in self._reshaped for there in self._old.leads_to[here]):
            new = self._mixed(here)
        else:
            self.leads_to[here] = self._old.leads_to[here]
            self.fired |= self._old.fired[here]
            return self._known(here, self._old.leads_to[here])
        self.leads_to[here] = self.places[here].leads_to()
        self.fired.update(row for _, _, row in self.places[here].moves)
        return new

    def _mixed(self, here: Situation) -> list[Situation]:
        """The events that the change can touch are tried, the others lead where they led."""
        place, old = self.places[here], self._old.places[here]
        anew = {n for n, there, _ in old.moves if there[0] in self._reshaped}
        new = []
        for n, (event, at) in enumerate(alphabet(place.call)):
            if n in anew or (here[0], place.call.trigger_of(event)) in self._changed:
                anew.add(n)
                new += self.attempt(here, n, event, at)
        as_before = [move for move in old.moves if move[0] not in anew]
        place.moves += as_before
        return [*new, *self._known(here, {there for _, there, _ in as_before})]

    def _known(self, here: Situation, theres: set[Situation]) -> list[Situation]:
        """Take over from the map those that this walk has not come to yet."""
        new = [there for there in theres if there not in self.places]
        for there in new:
            old = self._old.places[there]
            self.places[there] = Place(self._by_the_change(old.call), old.ghost, here)
        return new


def _led_to(call: Call, event: Event, at: datetime) -> Hashable:
    """Where the event leads, and with what orders; not by which row."""
    step = call.decide(event, at)
    if step is None:
        return None
    after = call.twin()
    after.apply(step)
    return step.orders, step.refused, after.state, after.facts, after.timers


class _Patched(Engine):
    """The engine of a changed table: only the changed rows are built anew, which is most of the work."""

    def __init__(self, known: Engine, flow: Flow, changed: frozenset[tuple[State, str]]) -> None:
        super().__init__(replace(flow, rows=tuple(row for row in flow.rows if (row.source, row.trigger) in changed)))
        self._known, self._changed = known, changed

    def fire(self, trigger: str, view: View) -> tuple[Row | None, str]:
        """As the engine of the whole table."""
        anew = (view.state, trigger) in self._changed
        return super().fire(trigger, view) if anew else self._known.fire(trigger, view)

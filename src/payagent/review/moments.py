"""One step as the promises see it: from the call's side and from the ghost's, before and after."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from payagent.flow import effects as do
from payagent.flow import events as ev
from payagent.flow.call import Call
from payagent.flow.states import State
from payagent.flow.step import Step
from payagent.review.ghost import Ghost


class Kind(NamedTuple):
    """All of a step that decides which promises it may break; `row` "": none fired, `tool` "": no tool was called."""

    event: type[ev.Event]
    tool: str
    row: str
    before: State
    after: State
    orders: tuple[type[do.Order], ...]
    says: tuple[str, ...]


def kind_of(step: Step) -> Kind:
    """The kind of a step."""
    event = step.event
    return Kind(
        type(event),
        event.name if isinstance(event, ev.ToolCalled) else "",
        step.row,
        step.before,
        step.after,
        tuple([type(order) for order in step.orders]),
        tuple([order.sentence for order in step.orders if isinstance(order, do.Say)]),
    )


class Moment(NamedTuple):
    """One step seen from both sides: the call and its ghost before it, and after.

    `now` is the ghost once the event is heard, before its orders; `then` after them.
    """

    call: Call
    ghost: Ghost
    step: Step
    after: Call
    now: Ghost
    then: Ghost

    @property
    def changes_nothing(self) -> bool:
        """Whether both sides are where they were."""
        return self.after.facts is self.call.facts and self.then is self.ghost and self.after.state is self.call.state


@dataclass(frozen=True, slots=True)
class Promise:
    """One promise: its number in the design, its words, which steps it is about, and whether a step keeps it."""

    number: int
    words: str
    applies: Callable[[Kind], bool]
    kept: Callable[[Moment], bool]


def orders(*kinds: type[do.Order]) -> Callable[[Kind], bool]:
    """About steps that give an order of these kinds."""
    return lambda step: any(kind in step.orders for kind in kinds)


def gives(m: Moment, *kinds: type[do.Order]) -> bool:
    """Whether the step gives an order of these kinds."""
    return any(isinstance(order, kinds) for order in m.step.orders)

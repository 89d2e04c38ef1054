"""Decides every recorded event again by today's table, and tells in words where the outcome would be another.

* Each event is decided from the situation that the record leads to: one difference does not bring on the next.
* Compared are the row, the state the call is in afterwards, the refusal and the orders; not times, timers, order keys.
* What a record does not hold makes no difference: spoken words decide nothing; the values of an identity look-up are
  left out on both sides; and for arguments that were not recorded (`verify_user`), or not whole, the record's own word
  counts that they could be read or not.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from payagent.flow import effects as do
from payagent.flow import events as ev
from payagent.flow.call import Call
from payagent.flow.machine import Engine
from payagent.flow.step import Step
from payagent.flow.table import Flow
from payagent.flow.tools import ARGUMENTS_LENGTH
from payagent.review.trace import TraceLine, lines, masked

SOMEBODY = '{"full_name": "Not Recorded", "date_of_birth": "not recorded"}'
"""Stands for the arguments of a `verify_user` that could be read."""

_UNREADABLE = re.compile(r"\S+: ")
"""How `tools.parse` begins what it says of arguments, as in `amount: Field required`; no guard's refusal does."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A recorded step, and the step today's table makes of its event: None if none, or if it fails by `error`."""

    recorded: Step
    today: Step | None
    error: str = ""

    @property
    def words(self) -> str:
        """The step and what differs, on one line."""
        step = lines([self.recorded])[0]
        what = "; ".join(self._what(step))
        return f"call {self.recorded.call_sid} step {step.seq}, {step.trigger} in {step.before}: {what}"

    def _what(self, was: TraceLine) -> Iterator[str]:
        if self.error:
            yield f"today's table fails on it ({self.error})"
        elif self.today is None:
            yield "today it would not be recorded"
        else:
            yield from _told_apart(self.recorded, self.today, was, lines([self.today])[0])


def differences(steps: Sequence[Step], flow_of: Callable[[str], Flow]) -> list[Difference]:
    """The steps of one call that would be decided otherwise; `flow_of` gives today's table for a recorded version.

    Raises:
        IllegalMove: these are not all the steps of one call, from its first on.
    """
    found = []
    call: Call | None = None
    for step in steps:
        flow = flow_of(step.flow)
        call = call or Call(flow, step.call_sid)
        call.flow, call.engine = flow, _engine(flow)
        difference = _difference(call, step)
        call.apply(step)
        found += [difference] if difference else []
    return found


@lru_cache(maxsize=8)
def _engine(flow: Flow) -> Engine:
    """The table's machine; to build one takes as long as to decide a call."""
    return Engine(flow)


def _difference(call: Call, step: Step) -> Difference | None:
    if step.row and _cut(step.event):
        return None  # what it said is not known
    try:
        today = call.decide(to_decide(step), step.at)
    except Exception as error:  # an effect may rely on guards that were not those of the record
        return Difference(step, None, type(error).__name__)
    return None if today and _outcome(today) == _outcome(step) else Difference(step, today)


def _cut(event: ev.Event) -> bool:
    """Whether it is a tool call whose arguments are not recorded whole."""
    return isinstance(event, ev.ToolCalled) and len(event.arguments) >= ARGUMENTS_LENGTH


def to_decide(step: Step) -> ev.Event:
    """The recorded event, with arguments that can be read if the record says that they could."""
    match step.event:
        case ev.ToolCalled(name="verify_user"):
            return replace(step.event, arguments="{}" if _UNREADABLE.match(step.refused) else SOMEBODY)
        case ev.ToolCalled(name="human_agent_handoff") if _UNREADABLE.match(step.refused):  # its words may be erased
            return replace(step.event, arguments="not to be read")
        case _:
            return step.event


def _outcome(step: Step) -> tuple[object, ...]:
    return step.row, step.after, _refusal(step), tuple(map(_public, step.orders))


def _refusal(step: Step) -> str:
    """What the model was told; of arguments that are not recorded only that they could not be read."""
    lost = _cut(step.event) or ev.trigger_of(step.event) in ("verify_user", "human_agent_handoff")
    return "The arguments cannot be read." if lost and _UNREADABLE.match(step.refused) else step.refused


def _public(order: do.Order) -> do.Order:
    return do.LookUpIdentity() if isinstance(order, do.LookUpIdentity) else order


def _told_apart(was: Step, now: Step, was_told: TraceLine, now_told: TraceLine) -> Iterator[str]:
    if _refusal(was) != _refusal(now):
        yield f"{_verdict(_refusal(was))}, today {_verdict(_refusal(now))}"
    if was.after is not now.after:
        yield f"led to {was.after}, today to {now.after}"
    if was.row != now.row:
        yield f"decided by {was.row or 'no row'}, today by {now.row or 'no row'}"
    gone, new = Counter(was_told.orders), Counter(now_told.orders)
    if gone != new:
        yield from [f"orders no longer {order}" for order in (gone - new).elements()]
        yield from [f"orders now {order}" for order in (new - gone).elements()]
    elif was_told.orders != now_told.orders:
        yield f"orders in another sequence: {'; '.join(now_told.orders)}"
    else:
        pairs = zip(map(_public, was.orders), map(_public, now.orders), now_told.orders, strict=True)
        yield from [f"orders {words} with other details" for old, order, words in pairs if old != order]


def _verdict(refusal: str) -> str:
    return f"refused (“{masked(refusal)}”)" if refusal else "accepted"

"""What a row of the table is made of: guards and effects that carry their words.

A guard answers yes or no and changes nothing; an effect turns facts into orders. Both are named once, here or in the
table, with the sentence a reviewer reads; there is no second list to keep in step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from payagent.flow.effects import Order
from payagent.flow.events import Event
from payagent.flow.facts import Facts
from payagent.flow.limits import Limits
from payagent.flow.states import Party, State
from payagent.flow.tools import Arguments


@dataclass(frozen=True, slots=True)
class View:
    """What guards and effects see: the facts before (`was`) and after (`now`) the event itself is taken in."""

    call_sid: str
    state: State
    was: Facts
    now: Facts
    event: Event | None
    arguments: Arguments | None
    at: datetime
    limits: Limits
    routes: tuple[str, ...]
    languages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Guard:
    """A condition. `offer`: it reads only facts from before the event, so it also decides what the model is offered."""

    words: str
    holds: Callable[[View], bool]
    refusal: str = "This is not possible now."
    offer: bool = False

    @property
    def name(self) -> str:
        """The function's name: a stable id for mutation runs and reports."""
        return self.holds.__name__


@dataclass(frozen=True, slots=True)
class Effect:
    """Orders to give, and the words for it."""

    words: str
    orders: Callable[[View], tuple[Order, ...]]


@dataclass(frozen=True, slots=True)
class Row:
    """One arrow: in `source`, on `trigger`, if all `guards` hold, go to `dest` (None: stay) and give the orders.

    Of several rows for one source and trigger the first whose guards hold fires.
    """

    trigger: str
    source: State
    dest: State | None
    party: Party
    guards: tuple[Guard, ...]
    effects: tuple[Effect, ...]
    why: str
    n: int = 0

    @property
    def id(self) -> str:
        """Stable name of the row: `start_payment@choosing_amount`, with `#2` for the second of its kind."""
        return f"{self.trigger}@{self.source}" + (f"#{self.n + 1}" if self.n else "")


def guard(words: str, refusal: str = "", *, offer: bool = False) -> Callable[[Callable[[View], bool]], Guard]:
    """Name a condition for the reviewer, and its refusal for the model."""
    return lambda holds: Guard(words, holds, refusal or f"Not now: it needs that {words}.", offer)


def effect(words: str) -> Callable[[Callable[[View], tuple[Order, ...]]], Effect]:
    """Name an effect for the reviewer."""
    return lambda orders: Effect(words, orders)

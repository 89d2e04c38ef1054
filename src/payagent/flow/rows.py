"""What a table is made of: rows, and their guards and effects, which carry their words.

A guard answers yes or no and changes nothing; an effect turns facts into orders. Both are named once, here or in the
table, with the sentence a reviewer reads; there is no second list to keep in step.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import NamedTuple

from payagent.flow.effects import Order
from payagent.flow.events import Event
from payagent.flow.facts import Facts
from payagent.flow.limits import Limits
from payagent.flow.states import Pace, Party, Profile, State
from payagent.flow.tools import TOOLS, Arguments


class View(NamedTuple):
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
    """Orders to give, and the words for it; `says` are the fixed sentences that may be among them."""

    words: str
    orders: Callable[[View], tuple[Order, ...]]
    says: tuple[str, ...] = ()


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


@dataclass(frozen=True)
class Flow:
    """A built table: rows in order, for one pace, one profile and one set of limits."""

    rows: tuple[Row, ...]
    states: tuple[State, ...]
    pace: Pace
    profile: Profile
    limits: Limits
    routes: tuple[str, ...]
    languages: tuple[str, ...]

    @cached_property
    def version(self) -> str:
        """Twelve hex digits that change whenever what the table says changes."""
        lines = [
            f"{r.id} {r.dest} {r.party} {[x.words for x in r.guards]} {[x.words for x in r.effects]}" for r in self.rows
        ]
        return hashlib.sha256("\n".join([self.pace, self.profile, *lines]).encode()).hexdigest()[:12]

    @cached_property
    def by_trigger(self) -> dict[tuple[State, str], tuple[Row, ...]]:
        """The rows of a state and trigger, in the order they are tried."""
        found: dict[tuple[State, str], list[Row]] = {}
        for row in self.rows:
            found.setdefault((row.source, row.trigger), []).append(row)
        return {key: tuple(rows) for key, rows in found.items()}

    @cached_property
    def by_id(self) -> dict[str, Row]:
        """The rows by their names."""
        return {row.id: row for row in self.rows}

    @cached_property
    def tools(self) -> dict[State, tuple[str, ...]]:
        """The tools open in each state, before guards on the facts."""
        return {s: tuple(t for t in TOOLS if (s, t) in self.by_trigger) for s in self.states}


def guard(words: str, refusal: str = "", *, offer: bool = False) -> Callable[[Callable[[View], bool]], Guard]:
    """Name a condition for the reviewer, and its refusal for the model."""
    return lambda holds: Guard(words, holds, refusal or f"Not now: it needs that {words}.", offer)


def effect(words: str, *says: str) -> Callable[[Callable[[View], tuple[Order, ...]]], Effect]:
    """Name an effect for the reviewer, with the fixed sentences it may say."""
    return lambda orders: Effect(words, orders, says)

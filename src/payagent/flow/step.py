"""One decided event: what happened, what it led to, and what it orders. Steps are the record."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from payagent.flow.effects import Order
from payagent.flow.events import Event
from payagent.flow.states import State


@dataclass(frozen=True, slots=True)
class Timer:
    """A running wait: TimeUp(name, armed) is posted when `due` (UTC) is past."""

    name: str
    armed: int
    due: datetime


@dataclass(frozen=True, slots=True)
class Step:
    """What one event led to.

    `row` is the id of the table's row that fired, "" when none did. `refused` says in words why the event changed
    nothing ("" when it did); `reply` is what a tool's caller, the model, is told. `timers` are all the waits that run
    after this step. `flow` is the version (hash) of the table that decided.
    """

    call_sid: str
    seq: int
    at: datetime
    event: Event
    before: State
    after: State
    row: str
    refused: str
    reply: str
    orders: tuple[Order, ...]
    timers: tuple[Timer, ...]
    flow: str

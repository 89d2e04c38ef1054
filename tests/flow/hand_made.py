"""Views made by hand: what guards and effects are shown, without a call behind it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from payagent.flow import events as ev
from payagent.flow.facts import Facts, Pay, Payment
from payagent.flow.limits import Limits
from payagent.flow.money import Account, Bill, Money
from payagent.flow.rows import View
from payagent.flow.states import Pace, Profile, State
from payagent.flow.table import build
from payagent.flow.tools import Arguments

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
ADA = Account("A-1", "Ada Payer", has_hsa=True)
FLOWS = tuple(build(pace, profile) for pace in Pace for profile in Profile)


def dollars(amount: str) -> Money:
    return Money(Decimal(amount), "USD")


VISIT = Bill("B-1", "clinic visit", dollars("600.00"))
LAB = Bill("B-2", "lab work", dollars("80.00"))

FULL = Facts(
    relay="VX1",
    account=ADA,
    bills=(VISIT, LAB),
    bill=VISIT,
    told=True,
    heard=True,
    confirmed=True,
    payment=Payment(2, "B-1", dollars("120.50"), "PK2"),
    earlier=(Payment(1, "B-2", dollars("80.00"), "PK1"),),
    pay=Pay.OPEN,
    held=True,
    capturing="card_number",
    prompt="ask_card_number",
    last_four="4242",
    card_type="visa",
    confirmation="ch_2",
)
"""All that can be known: a second payment with its session open, after a first that was declined."""


def view(
    was: Facts = FULL,
    now: Facts | None = None,
    event: ev.Event | None = None,
    arguments: Arguments | None = None,
    *,
    state: State = State.CHOOSING_AMOUNT,
    at: datetime = NOON,
    routes: tuple[str, ...] = ("queue", "dial"),
) -> View:
    """What a guard or an effect sees; `now` is as before where an event changes nothing."""
    return View("CA1", state, was, now or was, event, arguments, at, Limits(), routes, ("en", "es"))


def full(**changes: object) -> Facts:
    """`FULL` with these changes."""
    return replace(FULL, **changes)  # type: ignore[arg-type]

"""Where the stories of the paths begin: a call that has come so far, and words for what it said."""

from __future__ import annotations

from decimal import Decimal

from payagent.flow import effects as do
from payagent.flow.money import Money
from payagent.flow.states import Pace
from payagent.flow.table import Flow, build
from payagent.testing import PracticeCall

MODEL, AUTOMATIC = build(Pace.MODEL), build(Pace.AUTOMATIC)
DECLINED = {"result": "payment-connector-error", "code": 64012}


def chosen(flow: Flow = MODEL) -> PracticeCall:
    """The balance is agreed to."""
    return PracticeCall(flow).verify().agree()


def opened(flow: Flow = MODEL) -> PracticeCall:
    """The payment session is open."""
    return chosen(flow).start().open()


def charging(flow: Flow = MODEL) -> PracticeCall:
    """The charge is with the processor."""
    return opened(flow).key_in_card().go_ahead()


def sayings(orders: tuple[do.Order, ...]) -> list[str]:
    return [order.sentence for order in orders if isinstance(order, do.Say)]


def usd(amount: str) -> Money:
    return Money(Decimal(amount), "USD")

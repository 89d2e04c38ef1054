"""A call driven by events without a line, two seconds apart, and its record as a journal would give it back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from payagent.flow import effects as do
from payagent.flow import events as ev
from payagent.flow.call import Call
from payagent.flow.money import Account, Bill, Money
from payagent.flow.step import Step
from payagent.flow.table import Flow, build
from payagent.journal import codec

CALL = "CA" + "0a" * 16
START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
OWED = Money(Decimal("600.00"), "USD")


class Driven:
    """`steps` are what the call has decided; `happen` decides one more."""

    def __init__(self, flow: Flow | None = None) -> None:
        self.call = Call(flow or build(), CALL)
        self.steps: list[Step] = []
        self.at = START

    def happen(self, event: ev.Event, after: float = 2) -> Step:
        """Decide `event`, so many seconds after the step before."""
        self.at += timedelta(seconds=after if self.steps else 0)
        step = self.call.decide(event, self.at)
        assert step is not None
        self.call.apply(step)
        self.steps.append(step)
        return step

    def tool(self, name: str, arguments: str = "{}") -> Step:
        """The caller speaks, and the model answers by a tool."""
        self.happen(ev.CallerSpoke("Yes, please."))
        return self.happen(ev.ToolCalled(self.call.facts.turn, "call_1", name, arguments))

    def order(self, kind: type[do.Order]) -> str:
        """The key of the latest order of this kind."""
        found = [(s, n) for s in self.steps for n, order in enumerate(s.orders) if isinstance(order, kind)]
        step, n = found[-1]
        return do.order_key(CALL, step.seq, n)

    @property
    def recorded(self) -> list[Step]:
        """The steps as they come out of a journal whose words were erased."""
        return [codec.decode(codec.encode(step).record) for step in self.steps]


def begun(flow: Flow | None = None) -> Driven:
    driven = Driven(flow)
    driven.happen(ev.CallStarted("***0100"))
    driven.happen(ev.RelayConnected("VX1"))
    return driven


def verified(flow: Flow | None = None) -> Driven:
    driven = begun(flow)
    driven.tool("verify_user", '{"full_name":"Ada Payer","date_of_birth":"1990-05-01"}')
    driven.happen(ev.IdentityMatched(driven.order(do.LookUpIdentity), Account("A-1", "Ada Payer")))
    driven.happen(ev.BillsRead(driven.order(do.ReadBills), (Bill("B-1", "clinic visit", OWED),)))
    return driven


def keying(flow: Flow | None = None) -> Driven:
    driven = verified(flow)
    driven.tool("confirm_balance", '{"agreed":true}')
    driven.tool("start_payment", '{"amount":"600.00"}')
    driven.happen(ev.BillHeld(driven.order(do.HoldBill)))
    driven.happen(ev.PayOpened(driven.order(do.OpenPay), "PK1"))
    return driven


def cancelled(flow: Flow | None = None) -> Driven:
    """Through a shared move (a card in the drawing): cancelled twice in one call, and ended."""
    driven = keying(flow)
    for again in (True, False):
        driven.tool("cancel_payment_processing")
        driven.happen(ev.CancelAccepted(driven.order(do.CancelPay)))
        if again:
            driven.tool("start_payment", '{"amount":"20.00"}')
            driven.happen(ev.BillHeld(driven.order(do.HoldBill)))
            driven.happen(ev.PayOpened(driven.order(do.OpenPay), "PK2"))
    driven.tool("end_call")
    return driven

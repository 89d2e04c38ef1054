"""A call on a clock of its own, and the way through a call: each piece ends where one thing is waited for."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal

from payagent.flow import effects as do
from payagent.flow import events as ev
from payagent.flow.money import Account, Bill, Money
from payagent.flow.rows import Flow
from payagent.flow.states import FIELDS, Pace, Profile
from payagent.flow.step import Step
from payagent.flow.table import build
from payagent.testing import START, PracticeCall

NOON = START
ADA = Account("A-1", "Ada Payer")
VISIT = Bill("B-1", "clinic visit", Money(Decimal("600.00"), "USD"))
MODEL = build(profile=Profile.CARD_POSTAL_CODE)
AUTOMATIC = build(Pace.AUTOMATIC, Profile.CARD_POSTAL_CODE)
LATE = timedelta(milliseconds=5)
"""A timer is noticed a little after it is due, never before; times are told to a tenth of a second."""

Happening = tuple[float, str]
"""Seconds since the watch began, and what was said, ordered and moved then."""


class Rehearsal(PracticeCall):
    """A practice call whose watches are told in words: what is said and done while nothing happens."""

    def __init__(self, flow: Flow = MODEL) -> None:
        super().__init__(flow)

    def does(self, event: ev.Event, *, after: float = 0) -> str:
        """What `event` leads to, in words."""
        step = self.post(event, after=after)
        return told(step) if step else "nothing"

    def order(self, kind: str) -> str:
        """The key of the latest unanswered order of this kind."""
        return dict(self.call.facts.awaiting)[kind]

    def tool(self, name: str, arguments: str = "{}") -> None:
        """The model's turn answers the caller with this tool."""
        self.say("please")
        step = super().tool(name, **json.loads(arguments))
        assert not step.refused, step.refused

    def turn_ends(self, *, after: float = 0) -> None:
        """The model's turn is over without a tool."""
        self.post(ev.TurnEnded(self.call.facts.turn, "stop"), after=after)

    def due(self, name: str) -> float:
        """Seconds until timer `name` is due."""
        return next((timer.due - self.now).total_seconds() for timer in self.call.timers if timer.name == name)

    def tick(self) -> Step:
        """The next timer's step; time jumps there."""
        timer = min(self.call.timers, key=lambda timer: timer.due)
        self.now = max(self.now, timer.due) + LATE
        step = self.post(ev.TimeUp(timer.name, timer.armed))
        assert step is not None, f"{timer} is armed, but its end is ignored"
        return step

    def idle(self, seconds: float) -> list[Happening]:
        """All that is said or done while nothing happens for so long."""
        start, end, seen = self.now, self.now + timedelta(seconds=seconds), []
        while self.call.timers and min(timer.due for timer in self.call.timers) < end:
            step = self.tick()
            seen.append((round((self.now - start).total_seconds(), 1), told(step)))
            assert len(seen) < 500, f"the clock runs idle: {seen[-3:]}"
        self.now = end
        return [(at, words) for at, words in seen if words]


def told(step: Step) -> str:
    """What a step says, orders and moves, in words."""
    words = [one_told(order) for order in step.orders]
    return ", ".join(words + ([f"→ {step.after}"] if step.after is not step.before else []))


def one_told(order: do.Order) -> str:
    match order:
        case do.Say(sentence=sentence):
            return sentence
        case do.Capture(field=field, prompt=prompt):
            return f"Capture {field} ({prompt})"
        case do.RouteCall(route=route):
            return f"RouteCall {route}"
    return type(order).__name__


# The way through a call, a piece at a time


def at_identity(flow: Flow = MODEL) -> Rehearsal:
    return Rehearsal(flow)


def at_balance(flow: Flow = MODEL) -> Rehearsal:
    """The bills are being read."""
    line = at_identity(flow)
    line.tool("verify_user", '{"full_name": "Ada Payer", "date_of_birth": "1990-05-01"}')
    line.post(ev.IdentityMatched(line.order("LookUpIdentity"), ADA))
    return line


def balance_told(flow: Flow = MODEL) -> Rehearsal:
    line = at_balance(flow)
    line.post(ev.BillsRead(line.order("ReadBills"), (VISIT,)))
    return line


def at_amount(flow: Flow = MODEL) -> Rehearsal:
    """The balance is agreed to; the model's turn is over."""
    line = balance_told(flow)
    line.tool("confirm_balance", '{"agreed": true}')
    line.turn_ends()
    return line


def holding(flow: Flow = MODEL) -> Rehearsal:
    """A payment is chosen; the bill is not held yet."""
    line = at_amount(flow)
    line.tool("start_payment", '{"amount": "600.00"}')
    return line


def opening(flow: Flow = MODEL) -> Rehearsal:
    """The bill is held; the session's SID is not known yet."""
    line = holding(flow)
    line.post(ev.BillHeld(line.order("HoldBill")))
    return line


def opened(flow: Flow = MODEL) -> Rehearsal:
    """The card number is due (model pace), or being keyed in (automatic pace)."""
    line = opening(flow)
    line.post(ev.PayOpened(line.order("OpenPay"), "PK1"))
    return line


def asking(line: Rehearsal) -> Rehearsal:
    """The model asks for the field that is due; Twilio listens."""
    field = next(f for f in FIELDS.values() if line.call.state in (f.due, f.entry))
    if line.call.state is field.due:
        line.tool(field.tool)
    line.post(ev.CaptureAccepted(line.order("Capture"), field.name))
    return line


def at_entry(flow: Flow = MODEL) -> Rehearsal:
    return asking(opened(flow))


def at_field(name: str, flow: Flow = MODEL) -> Rehearsal:
    """The fields before `name` are in."""
    line = opened(flow)
    for field in FIELDS:
        if field == name:
            break
        asking(line)
        line.post(ev.FieldCaptured("PK1", field, (), "4242", "visa"))
    return line


def at_ready() -> Rehearsal:
    line = at_field("postal_code")
    asking(line)
    line.post(ev.FieldCaptured("PK1", "postal_code", (), "4242", "visa"))
    return line


def at_processing() -> Rehearsal:
    line = at_ready()
    line.tool("complete_payment_processing")
    return line


def at_completed() -> Rehearsal:
    line = at_processing()
    line.post(ev.PaymentSucceeded("PK1", "ch_1"))
    return line


def at_declined() -> Rehearsal:
    line = at_processing()
    line.post(ev.PaymentFailed("PK1", "payment-connector-error", 64012))
    return line


def at_cancelling() -> Rehearsal:
    line = at_entry()
    line.tool("cancel_payment_processing")
    return line


def at_cancelled() -> Rehearsal:
    line = at_cancelling()
    line.post(ev.CancelAccepted(line.order("CancelPay")))
    return line


def at_unknown() -> Rehearsal:
    line = at_processing()
    line.post(ev.PaymentFailed("PK1", "internal-error"))
    return line


def closing_for_a_person() -> Rehearsal:
    line = at_entry()
    line.tool("human_agent_handoff")
    return line


def leaving_for_a_person() -> Rehearsal:
    line = at_amount()
    line.tool("human_agent_handoff")
    return line


def dialled() -> Rehearsal:
    line = leaving_for_a_person()
    line.post(ev.RelayEnded())
    return line

"""The ghost: an account of the money of its own, kept beside a call from its events and orders alone.

The promises are checked against the ghost, never against the facts that the guards themselves read. So it knows as
little of the flow as it can: which row fired it looks at only to tell whether a tool call was accepted.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import get_args

from payagent.flow import effects as do
from payagent.flow import events as ev
from payagent.flow.facts import replace
from payagent.flow.money import Money
from payagent.flow.step import Step
from payagent.review.alphabet import EARLIER

DECLINES = frozenset({"payment-connector-error", "validation-error", "too-many-failed-attempts"})
DECLINED_BY_REST = frozenset({64008, 64012, 64022})
SESSION_GONE = frozenset({404, 20404, 20409, 21220})
UNAVAILABLE = 64002
FIELDS_MISSING = 64019
CARD_BOUND = frozenset({"expiration_date", "security_code"})
"""The fields that belong to one card: another card makes them void."""

_REPORTS = get_args(ev.PayReport)
_STOPPED = ("declined", "cancelled", "session_lost", "star_pressed")
"""Sentences after which a new payment needs new words of the caller."""


@dataclass(frozen=True)  # no slots: see `replace`
class Ghost:
    """What happened to the money. Amounts are in units; `hold` is "", "asked" or "held"; `…_key` name an order."""

    # the caller
    identified: bool = False
    told: Decimal | None = None
    words: bool = False
    confirmed: bool = False
    # this payment
    payment: str = ""
    bill: str = ""
    agreed: Decimal | None = None
    hold: str = ""
    hold_key: str = ""
    opened: Decimal | None = None
    session: str = ""
    capturing: str = ""
    captured: frozenset[str] = frozenset()
    card: str = ""
    success: bool = False
    credited: bool = False
    # whatever is still open, of whichever payment
    creating: bool = False
    open_key: str = ""
    session_open: bool = False
    charging: bool = False
    charge_key: str = ""
    unknown: bool = False


def obeyed(ghost: Ghost, step: Step) -> Ghost:
    """The ghost after the orders of a step whose event it has heard."""
    for n, order in enumerate(step.orders):
        ghost = _ordered(ghost, order, do.order_key(step.call_sid, step.seq, n))
    return ghost


def heard(ghost: Ghost, step: Step) -> Ghost:
    """The ghost after the event of a step, before its orders."""
    if type(step.event) not in _TELLING:
        return ghost
    match step.event:
        case ev.IdentityMatched():
            return replace(ghost, identified=True)
        case ev.CallerSpoke():
            return replace(ghost, words=True)
        case ev.ToolCalled() if step.row:
            return _agreed(ghost, step.event)
        case ev.BillHeld(order=order) if ghost.hold and order == ghost.hold_key:
            return replace(ghost, hold="held")
        case ev.BillNotHeld(order=order) if ghost.hold and order == ghost.hold_key:
            return replace(ghost, hold="")
        case ev.PayNotOpened(order=order) if order == ghost.open_key:
            return replace(ghost, creating=False)
        case ev.PayOpened(order=order, session=session) if order == ghost.open_key:
            return _created(ghost, session)
        case ev.CaptureRefused(code=code) if step.row and code in SESSION_GONE:
            return replace(ghost, session_open=False)
        case ev.CompleteRefused(order=order, code=code) if order == ghost.charge_key:
            return _refused(ghost, code)
        case ev.OutcomeResolved() if step.row:
            return replace(ghost, charging=False, session_open=False)
        case ev.CallerHungUp():  # Twilio ends the session with the call
            return replace(ghost, session_open=False)
    return _reported(ghost, step.event)


_TELLING = frozenset(
    {
        ev.IdentityMatched,
        ev.CallerSpoke,
        ev.ToolCalled,
        ev.BillHeld,
        ev.BillNotHeld,
        ev.PayNotOpened,
        ev.PayOpened,
        ev.CaptureRefused,
        ev.CompleteRefused,
        ev.OutcomeResolved,
        ev.CallerHungUp,
        *_REPORTS,
    }
)
"""The events that say anything of the money."""


def _agreed(ghost: Ghost, event: ev.ToolCalled) -> Ghost:
    arguments = json.loads(event.arguments or "{}")
    match event.name:
        case "confirm_balance":
            return replace(ghost, confirmed=arguments["agreed"] is True)
        case "check_pending_bill":
            return replace(ghost, told=None, confirmed=False)
        case "start_payment":
            return replace(
                ghost,
                words=False,
                agreed=Decimal(arguments["amount"]),
                opened=None,
                session="",
                capturing="",
                captured=frozenset(),
                card="",
                success=False,
                credited=False,
                unknown=False,
            )
    return ghost


def _created(ghost: Ghost, session: str) -> Ghost:
    """Twilio says that a session is open: ours, if a create is unanswered and it is not one of an earlier payment."""
    if not ghost.creating or session == EARLIER:
        return ghost
    return replace(ghost, creating=False, session=session, session_open=True)


def _refused(ghost: Ghost, code: int) -> Ghost:
    if code == UNAVAILABLE:
        return ghost
    if code in DECLINED_BY_REST:
        return replace(ghost, charging=False, session_open=False, agreed=None)
    if code == FIELDS_MISSING:
        return replace(ghost, charging=False, captured=frozenset())
    return replace(ghost, charging=False, session_open=ghost.session_open and code not in SESSION_GONE)


def _reported(ghost: Ghost, event: ev.Event) -> Ghost:
    if not isinstance(event, _REPORTS):
        return ghost
    ghost = _created(ghost, event.session)
    if event.session != ghost.session:
        return ghost
    match event:
        case ev.FieldCaptured(field=name) if name == ghost.capturing:
            return _captured(ghost, event)
        case ev.CaptureOutOfSequence(field=name) if name == ghost.capturing:
            return replace(ghost, captured=ghost.captured - CARD_BOUND)
        case ev.PaymentSucceeded():
            return replace(ghost, success=True, charging=False, session_open=False)
        case ev.PaymentFailed(result=result, code=code) if _declined(result, code) and not ghost.unknown:
            return replace(ghost, charging=False, session_open=False, agreed=None)
        case ev.PaymentFailed():
            return replace(ghost, session_open=False)
        case ev.SessionRefused() if not ghost.charging:
            return replace(ghost, session_open=False)
    return ghost


def _declined(result: str, code: int) -> bool:
    return result in DECLINES and code != UNAVAILABLE


def _captured(ghost: Ghost, event: ev.FieldCaptured) -> Ghost:
    captured = ghost.captured | {event.field}
    if event.field == "card_number":
        captured = captured if ghost.card in ("", event.last_four) else captured - CARD_BOUND
        ghost = replace(ghost, card=event.last_four)
    return replace(ghost, captured=captured - set(event.required or ()))


def _ordered(ghost: Ghost, order: do.Order, key: str) -> Ghost:
    match order:
        case do.Say(sentence="balance"):
            return replace(ghost, told=spoken_amount(order), words=False, confirmed=False)
        case do.Say(sentence=sentence) if sentence in _STOPPED:
            return replace(ghost, words=False)
        case do.Say(sentence="unknown_outcome"):  # from now on only a success or a person settles it
            return replace(ghost, unknown=True)
        case do.HoldBill(bill=bill, payment=payment):
            return replace(ghost, hold="asked", hold_key=key, bill=bill, payment=payment)
        case do.OpenPay(amount=amount):
            return replace(ghost, opened=amount.amount, creating=True, open_key=key)
        case do.Capture(field=name):
            return replace(ghost, captured=ghost.captured - {name}, capturing=name)
        case do.CompletePay():
            return replace(ghost, charging=True, charge_key=key)
        case do.CancelPay(session=session) if session == ghost.session:
            return replace(ghost, session_open=False)
        case do.CreditBill(payment=payment) if payment == ghost.payment:
            return replace(ghost, credited=True, hold="")
        case do.ReleaseBill(payment=payment) if payment == ghost.payment:
            return replace(ghost, hold="")
    return ghost


def spoken_amount(order: do.Say) -> Decimal:
    """The amount that a sentence names."""
    amount = dict(order.values)["amount"]
    assert isinstance(amount, Money)
    return amount.amount

"""How a step becomes facts: `learn` takes in what its event says, `entered` the move, `ordered` what it orders.

All three are pure and total: whatever comes, they give new facts.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import assert_never

from payagent.flow import effects as do
from payagent.flow import events as ev
from payagent.flow.facts import Facts, Pay, Payment, choose_bill, replace
from payagent.flow.guards import FIELDS_MISSING, PROVIDER_UNAVAILABLE
from payagent.flow.limits import Limits
from payagent.flow.money import Money
from payagent.flow.states import FIELDS, Line, Outcome, State
from payagent.flow.tools import Arguments, CheckPendingBill, ConfirmBalance, HandOff, StartPayment


def learn(facts: Facts, event: ev.Event, arguments: Arguments | None, limits: Limits, at: datetime) -> Facts:
    """The facts after an accepted event. `arguments` are a tool call's, validated."""
    match event:
        case ev.ToolCalled():
            return _learn_tool(replace(facts, turn="", refusals=0, model_failures=0, silences=0), arguments)
        case (
            ev.PaymentSessionStarted()
            | ev.CaptureBegan()
            | ev.KeyPressed()
            | ev.FieldCaptured()
            | ev.FieldRejected()
            | ev.EntryTimedOut()
            | ev.CaptureOutOfSequence()
            | ev.SessionRefused()
            | ev.PaymentSucceeded()
            | ev.PaymentFailed()
        ):
            return _learn_report(facts, event, at)
        case ev.TimeUp(timer="silence"):
            return replace(facts, silences=facts.silences + 1)
        case (
            ev.CallStarted()
            | ev.RelayConnected()
            | ev.RelayLost()
            | ev.CallerHungUp()
            | ev.TimeUp(timer="line_overdue")
        ):
            return _learn_line(facts, event)
        case ev.CallerSpoke() | ev.CallerInterrupted() | ev.AgentSpoke():
            return _learn_talk(facts, event, limits, at)
        case ev.TurnEnded() | ev.ModelFailed() | ev.ClaimStopped():
            return _learn_talk(facts, event, limits, at)
        case _:
            return facts if is_late(facts, event) else _learn_answer(facts, event)


def _learn_line(facts: Facts, event: ev.Event) -> Facts:
    match event:
        case ev.RelayConnected(session=session) if facts.line is not Line.GONE or facts.relay:
            return replace(facts, relay=session, line=Line.UP, turn="", speaking_until=None)
        case ev.RelayLost(session=session) if session == facts.relay and not facts.leaving:
            return replace(facts, line=Line.LOST, turn="")
        case ev.CallerHungUp():  # no relay comes back from that
            return replace(facts, line=Line.GONE, turn="", relay="")
        case ev.TimeUp():
            return replace(facts, line=Line.GONE, turn="")
    return facts


Talk = ev.CallerSpoke | ev.CallerInterrupted | ev.AgentSpoke | ev.TurnEnded | ev.ModelFailed | ev.ClaimStopped


def _learn_talk(facts: Facts, event: Talk, limits: Limits, at: datetime) -> Facts:
    match event:
        case ev.CallerSpoke():
            return replace(
                facts,
                turn="",
                heard=True,
                refusals=0,
                silences=0,
                unanswered=facts.unanswered or not event.card_cut,  # a card number cut out wants no answer
                speaking_until=at,
                waiting_since=at,
            )
        case ev.CallerInterrupted():
            return replace(facts, turn="", speaking_until=at)
        case ev.AgentSpoke(words=words):
            start = max(at, facts.speaking_until) if facts.speaking_until else at
            spoken = timedelta(seconds=len(words) * limits.speaking_seconds_per_character)
            return replace(facts, speaking_until=start + spoken)
        case ev.TurnEnded():
            return replace(facts, turn="", model_failures=0)
        case ev.ModelFailed():
            return replace(facts, turn="", model_failures=min(facts.model_failures + 1, limits.model_failures))
        case ev.ClaimStopped():
            return replace(facts, turn="", claims=min(facts.claims + 1, limits.stopped_claims))
        case _:
            assert_never(event)


def _learn_tool(facts: Facts, arguments: Arguments | None) -> Facts:
    match arguments:
        case StartPayment(amount=amount):
            if facts.bill is None:
                return facts
            return _new_payment(facts, Money(amount, facts.bill.owed.currency), facts.bill.id)
        case ConfirmBalance(agreed=agreed):
            return replace(facts, confirmed=agreed)
        case CheckPendingBill(bill=bill):
            return replace(facts, wanted_bill=bill or "", told=False, confirmed=False, heard=False, bill=None)
        case HandOff(reason=reason):
            return replace(facts, reason=reason)
    return facts


def _new_payment(facts: Facts, amount: Money, bill: str) -> Facts:
    """A fresh payment: nothing of an earlier one's session, fields or tries is left."""
    earlier = (*facts.earlier, facts.payment) if facts.payment.no else facts.earlier
    return replace(
        facts,
        payment=Payment(facts.payment.no + 1, bill, amount),
        earlier=earlier,
        held=False,
        capturing="",
        captured=frozenset(),
        field_tries=0,
        capture_refusals=0,
        prompt="",
        key_at=None,
        key_lost_at=None,
        last_four="",
        card_type="",
        completing=False,
        outcome=Outcome.NONE,
        confirmation="",
        heard=False,
        last_error="",
    )


def _learn_answer(facts: Facts, event: ev.Event) -> Facts:
    facts = _answered(facts, ANSWERS.get(type(event), ""))
    match event:
        case ev.IdentityMatched(account=account):
            return replace(facts, account=account)
        case ev.IdentityNotMatched():
            return replace(facts, identity_tries=facts.identity_tries + 1)
        case ev.IdentityLookUpFailed():
            return replace(facts, look_up_failures=facts.look_up_failures + 1)
        case ev.BillsRead(bills=bills):
            bill = choose_bill(bills, facts.wanted_bill)
            return replace(facts, bills=bills, bill=bill, told=True, heard=False, confirmed=False)
        case ev.BillHeld():
            return replace(facts, held=True)
        case ev.BillNotHeld(reason=reason):
            return replace(facts, pay=Pay.CLOSED, last_error=reason)
        case ev.PayOpened(session=session):
            return adopt(facts, session)
        case ev.PayNotOpened(code=code):
            return replace(facts, pay=Pay.CLOSED, start_failures=facts.start_failures + 1, last_error=str(code))
        case ev.CaptureAccepted(field=name) if name == facts.capturing:
            return replace(facts, prompt="")
        case ev.CaptureRefused(field=name, code=code) if name == facts.capturing:
            return replace(facts, capture_refusals=facts.capture_refusals + 1, last_error=str(code), prompt="")
        case ev.CompleteRefused(code=code) if code == FIELDS_MISSING:  # Twilio does not say which: all are taken again
            failures = facts.start_failures + 1
            return replace(facts, completing=False, captured=frozenset(), start_failures=failures, last_error=str(code))
        case ev.CompleteRefused(code=code) if code != PROVIDER_UNAVAILABLE:
            return replace(facts, completing=False, last_error=str(code))
        case ev.OutcomeResolved(outcome=outcome, reference=reference):
            paid = outcome == "paid"
            return replace(
                facts, outcome=Outcome.PAID if paid else Outcome.CANCELLED, confirmation=reference if paid else ""
            )
    return facts


def adopt(facts: Facts, session: str) -> Facts:
    """The session's SID is known, by the REST answer or the first callback: the second of the two tells nothing new."""
    if facts.pay is not Pay.OPENING or facts.payment.session:
        return facts
    return replace(_answered(facts, "OpenPay"), payment=replace(facts.payment, session=session), pay=Pay.OPEN)


def _learn_report(facts: Facts, event: ev.PayReport, at: datetime) -> Facts:
    if not facts.is_ours(event.session):
        return _credit_earlier(facts, event)
    facts = adopt(facts, event.session)
    facts = replace(facts, seen=facts.seen | {event.digest} if event.digest else facts.seen)
    match event:
        case ev.PaymentSessionStarted():
            return facts
        case ev.SessionRefused(error=error):
            if facts.completing:  # after that, only a result tells
                return facts
            return replace(facts, pay=Pay.CLOSED, last_error=error, start_failures=facts.start_failures + 1)
        case ev.PaymentSucceeded(confirmation=code):
            return replace(facts, pay=Pay.CLOSED, outcome=Outcome.PAID, confirmation=code)
        case ev.PaymentFailed(result=result, code=code):
            error = str(code) if code else result
            gone = Line.GONE if result == "caller-hung-up" else facts.line
            return replace(facts, pay=Pay.CLOSED, last_error=error, line=gone)
        case _:
            return _learn_field(facts, event, at) if event.field == facts.capturing else facts


FieldReport = (
    ev.CaptureBegan | ev.KeyPressed | ev.FieldCaptured | ev.FieldRejected | ev.EntryTimedOut | ev.CaptureOutOfSequence
)


def _learn_field(facts: Facts, event: FieldReport, at: datetime) -> Facts:
    """What is reported of the field under way; that the capture was accepted is thereby known, too."""
    facts = _answered(facts, "Capture")
    match event:
        case ev.CaptureBegan():
            return replace(facts, prompt="")
        case ev.KeyPressed():
            lost = at if facts.key_lost_at else None
            return replace(facts, key_at=at, waiting_since=at, key_lost_at=lost, prompt="")
        case ev.FieldCaptured(required=required):
            return _learn_captured(facts, event, frozenset(required or ()))
        case ev.FieldRejected(error=error):
            return replace(facts, field_tries=facts.field_tries + 1, last_error=error)
        case ev.EntryTimedOut(digits=True):
            return replace(facts, field_tries=facts.field_tries + 1, last_error="input-timeout", key_lost_at=at)
        case ev.EntryTimedOut():
            return facts
        case ev.CaptureOutOfSequence():
            captured = facts.captured - {"expiration_date", "security_code"}
            return replace(facts, captured=captured, field_tries=facts.field_tries + 1, last_error="capture-sequence")
        case _:
            assert_never(event)


def _credit_earlier(facts: Facts, event: ev.PayReport) -> Facts:
    """A success of an earlier payment of this call counts, wherever the call is now."""
    if not isinstance(event, ev.PaymentSucceeded):
        return facts
    earlier = tuple(replace(p, credited=True) if p.session == event.session else p for p in facts.earlier)
    return replace(facts, earlier=earlier)


def _learn_captured(facts: Facts, event: ev.FieldCaptured, required: frozenset[str]) -> Facts:
    """A field is in. Another card than before makes expiration date and security code due again."""
    captured = facts.captured | {event.field}
    if event.field == "card_number":
        other = (facts.last_four, facts.card_type) not in (("", ""), (event.last_four, event.card_type))
        if other:
            captured = captured - {"expiration_date", "security_code"}
        facts = replace(facts, last_four=event.last_four, card_type=event.card_type)
    return replace(facts, captured=captured - required, field_tries=0, capture_refusals=0)


def ordered(facts: Facts, orders: tuple[do.Order, ...], call_sid: str, seq: int) -> Facts:
    """The facts after a step's orders are given."""
    for n, order in enumerate(orders):
        key = do.order_key(call_sid, seq, n)
        facts = _ordered_one(_awaited(facts, order, key), order, key)
    return facts


ANSWERS: dict[type[ev.Event], str] = {
    ev.IdentityMatched: "LookUpIdentity",
    ev.IdentityNotMatched: "LookUpIdentity",
    ev.IdentityLookUpFailed: "LookUpIdentity",
    ev.BillsRead: "ReadBills",
    ev.BillsUnavailable: "ReadBills",
    ev.BillHeld: "HoldBill",
    ev.BillNotHeld: "HoldBill",
    ev.PayOpened: "OpenPay",
    ev.PayNotOpened: "OpenPay",
    ev.CaptureAccepted: "Capture",
    ev.CaptureRefused: "Capture",
    ev.CompleteRefused: "CompletePay",
    ev.CancelAccepted: "CancelPay",
    ev.CancelUnanswered: "CancelPay",
}
"""Which order an event answers, where the answer can change anything."""


def is_late(facts: Facts, event: ev.Event) -> bool:
    """Whether an event answers an order that is no longer the latest of its kind."""
    kind = ANSWERS.get(type(event))
    return kind is not None and not facts.awaits(kind, getattr(event, "order", ""))


def _awaited(facts: Facts, order: do.Order, key: str) -> Facts:
    """The latest order of each kind is the one whose answer counts; a stray session's cancel is nobody's."""
    kind = type(order).__name__
    if kind not in ANSWERS.values() or (isinstance(order, do.CancelPay) and order.session != facts.payment.session):
        return facts
    return replace(facts, awaiting=(*((k, o) for k, o in facts.awaiting if k != kind), (kind, key)))


def _answered(facts: Facts, kind: str) -> Facts:
    return replace(facts, awaiting=tuple((k, o) for k, o in facts.awaiting if k != kind)) if kind else facts


def _ordered_one(facts: Facts, order: do.Order, key: str) -> Facts:
    match order:
        case do.Think():
            return replace(facts, turn=key, unanswered=False)
        case do.Say():
            return replace(facts, turn="")
        case do.SwitchLanguage(language=language):
            return replace(facts, language=language)
        case do.EndRelay():
            return replace(facts, leaving=True, turn="")
        case do.ConnectRelay():
            return replace(facts, reconnects=facts.reconnects + 1)
        case do.RouteCall(route=route):
            return replace(facts, routes_tried=(*facts.routes_tried, route), leaving=True)
        case do.HoldBill():
            return replace(facts, pay=Pay.HOLDING)
        case do.OpenPay():
            return replace(facts, pay=Pay.OPENING)
        case do.Capture(field=name, prompt=prompt):
            return replace(_capture_ordered(facts, name), prompt=prompt)
        case do.CompletePay():
            return replace(facts, completing=True)
        case do.CancelPay(session=session) if session == facts.payment.session:
            return replace(facts, pay=Pay.CLOSING)
        case do.CreditBill(payment=payment) if payment.endswith(f":{facts.payment.no}"):
            return replace(facts, held=False, payment=replace(facts.payment, credited=True))
        case do.ReleaseBill(declined=True):
            return replace(facts, held=False, pay=Pay.CLOSED, outcome=Outcome.DECLINED, declines=facts.declines + 1)
        case do.ReleaseBill():  # a session still being opened is adopted when its SID comes, and cancelled
            pay = facts.pay if facts.pay is Pay.OPENING else Pay.CLOSED
            return replace(facts, held=False, pay=pay, outcome=Outcome.CANCELLED)
    return facts


def _capture_ordered(facts: Facts, name: str) -> Facts:
    """Twilio takes the field anew: it is missing again, and callbacks are told apart within this order only."""
    fresh = facts.capturing != name or name in facts.captured
    return replace(
        facts,
        capturing=name,
        captured=facts.captured - {name},
        seen=frozenset(),
        key_at=None,
        key_lost_at=None,
        field_tries=0 if fresh else facts.field_tries,
        capture_refusals=0 if fresh else facts.capture_refusals,
    )


_AWAITED_IN: dict[str, frozenset[State]] = {
    "LookUpIdentity": frozenset({State.VERIFYING_IDENTITY}),
    "ReadBills": frozenset({State.CONFIRMING_BALANCE}),
    "HoldBill": frozenset({State.STARTING_PAYMENT, State.CANCELLING_PAYMENT, State.HANDING_OFF}),
    "OpenPay": frozenset({State.STARTING_PAYMENT, State.CANCELLING_PAYMENT, State.HANDING_OFF}),
    "Capture": frozenset(f.entry for f in FIELDS.values()),
    "CompletePay": frozenset({State.PROCESSING_PAYMENT}),
    "CancelPay": frozenset({State.CANCELLING_PAYMENT, State.HANDING_OFF}),
}
"""Where an answer still matters; anywhere else it is late: recorded, and it changes nothing."""


def entered(facts: Facts, trigger: str, before: State, after: State, at: datetime) -> Facts:
    """The facts after a move: a turn does not outlive a move that is not its own; counts start anew."""
    if before is after:
        return facts
    if after is State.PAYMENT_OUTCOME_UNKNOWN:  # the bill stays held until a person resolves it
        facts = replace(facts, outcome=Outcome.UNKNOWN, pay=Pay.CLOSED)
    if after in (State.PAYMENT_DECLINED, State.PAYMENT_CANCELLED):
        facts = replace(facts, heard=False)
    return replace(
        facts,
        turn="",
        silences=0,
        waiting_since=at,
        entry_since=at,
        reason=facts.reason or trigger if after is State.HANDING_OFF else facts.reason,
        awaiting=tuple((kind, key) for kind, key in facts.awaiting if after in _AWAITED_IN[kind]),
    )

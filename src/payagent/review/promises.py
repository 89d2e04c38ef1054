"""The promises of the design (its section 6) that the walk checks, each on every step it is about."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import get_args

from payagent.flow import effects as do
from payagent.flow import events as ev
from payagent.flow.fold import FieldReport
from payagent.flow.states import FIELDS, FINAL, Outcome, State
from payagent.review.alphabet import EARLIER
from payagent.review.ghost import Ghost, spoken_amount
from payagent.review.heard import HEARD
from payagent.review.moments import Kind, Moment, Promise, gives, orders


def _says(*sentences: str) -> Callable[[Kind], bool]:
    return lambda step: any(sentence in sentences for sentence in step.says)


def _is_tool(step: Kind) -> bool:
    return step.event is ev.ToolCalled


def _starts(step: Kind) -> bool:
    return step.tool == "start_payment" and bool(step.row)


# 1. The model


def _only_what_is_open(m: Moment) -> bool:
    assert isinstance(m.step.event, ev.ToolCalled)
    if m.step.row:
        name, turn = m.step.event.name, m.step.event.turn
        return bool(turn) and turn == m.call.facts.turn and name in m.call.flow.tools[m.call.state]
    return m.after.state is m.call.state and all(isinstance(order, do.Think | do.Say) for order in m.step.orders)


_PARTING = frozenset({State.CANCELLING_PAYMENT, State.PAYMENT_OUTCOME_UNKNOWN, State.HANDING_OFF, State.ENDED})


def _is_quiet(m: Moment) -> bool:
    return not m.after.flow.tools[m.after.state] and not gives(m, do.Think) and not m.after.facts.turn


# 2. The charge


def _is_agreed(ghost: Ghost) -> bool:
    """A known caller confirmed a balance and chose an amount within it."""
    return (
        ghost.identified
        and ghost.confirmed
        and ghost.told is not None
        and ghost.agreed is not None
        and 0 < ghost.agreed <= ghost.told
    )


def _charge_is_due(m: Moment) -> bool:
    now = m.now
    fields = {field.name for field in m.call.flow.profile.fields}
    held = now.hold == "held" and now.session_open
    return _is_agreed(now) and held and now.agreed == now.opened and fields <= now.captured


def _charges_once(m: Moment) -> bool:
    charges = sum(isinstance(order, do.CompletePay) for order in m.step.orders)
    return charges == 1 and not m.now.charging and not m.now.success


_ENTRY = frozenset(f.entry for f in FIELDS.values())
_FIELD_REPORTS = get_args(FieldReport)


def _is_of_the_field_under_way(m: Moment) -> bool:
    """Or it fires no row."""
    return getattr(m.step.event, "field", "") == m.ghost.capturing or not m.step.row


def _opens_what_was_agreed(m: Moment) -> bool:
    opened = [order.amount.amount for order in m.step.orders if isinstance(order, do.OpenPay)]
    return opened == [m.now.agreed] and m.now.hold == "held" and m.now.opened is None


def _nothing_else_open(m: Moment) -> bool:
    return not m.now.session_open and not m.now.creating and not m.now.charging


# 3. The outcome


def _credited_for_a_reason(m: Moment) -> bool:
    event, (credit, *more) = m.step.event, [order for order in m.step.orders if isinstance(order, do.CreditBill)]
    if more:
        return False
    if isinstance(event, ev.PaymentSucceeded) and event.session == EARLIER:
        return any(p.session == EARLIER and not p.credited for p in m.call.facts.earlier)
    found = isinstance(event, ev.OutcomeResolved) and event.outcome == "paid"
    same = (credit.payment, credit.bill, credit.amount.amount) == (m.ghost.payment, m.ghost.bill, m.ghost.opened)
    return same and not m.ghost.credited and (m.now.success or found)


def _frees_what_it_leaves(m: Moment) -> bool:
    return not m.then.hold or m.then.charging


_ENDS_AS = {
    State.PAYMENT_COMPLETED: (Outcome.PAID,),
    State.PAYMENT_DECLINED: (Outcome.DECLINED,),
    State.PAYMENT_CANCELLED: (Outcome.CANCELLED,),
    State.ENDED: (Outcome.PAID, Outcome.DECLINED, Outcome.CANCELLED, Outcome.UNKNOWN),
}


def _ends_a_payment(step: Kind) -> bool:
    under_way = _KEYING | {State.STARTING_PAYMENT, State.PROCESSING_PAYMENT, State.CANCELLING_PAYMENT}
    return step.before in under_way and step.after in _ENDS_AS


def _names_the_amount(m: Moment) -> bool:
    named = [o for o in m.step.orders if isinstance(o, do.Say) and o.sentence in _MONEY_SENTENCES]
    return all(spoken_amount(order) == m.then.opened for order in named)


_MONEY_SENTENCES = ("about_to_pay", "ready", "paid", "paid_without_code")


# 7. The session


_KEYING = _ENTRY | {f.due for f in FIELDS.values()} | {State.READY_TO_COMPLETE}


def _open_session_is_wanted(m: Moment) -> bool:
    return not m.then.session_open or m.then.charging or m.step.after in _KEYING


def _stray_is_cancelled(m: Moment) -> bool:
    event = m.step.event
    assert isinstance(event, ev.PayOpened | ev.PaymentSessionStarted)
    known = {m.after.facts.payment.session, *(p.session for p in m.after.facts.earlier)}
    cancelled = any(isinstance(order, do.CancelPay) and order.session == event.session for order in m.step.orders)
    return event.session in known or cancelled


def _cancels_no_charge(m: Moment) -> bool:
    cancelled = {order.session for order in m.step.orders if isinstance(order, do.CancelPay)}
    return not m.now.charging or m.ghost.session not in cancelled


# 8. The record


def _gives_each_order_once(m: Moment) -> bool:
    # Two of an account's other bills may be alike, in name and amount.
    orders = [order for order in m.step.orders if not (isinstance(order, do.Say) and order.sentence == "other_bill")]
    return not any(order in orders[:n] for n, order in enumerate(orders))


_ALL: tuple[Promise, ...] = (
    Promise(1, "the model does only what the state opens, in the current turn", _is_tool, _only_what_is_open),
    Promise(
        1,
        "while a charge is with the processor no tool is open and no model turn runs",
        lambda step: step.after is State.PROCESSING_PAYMENT,
        _is_quiet,
    ),
    Promise(
        1,
        "no tool is open and no model turn runs while a payment is cancelled or unknown, or the call parts",
        lambda step: step.after in _PARTING,
        _is_quiet,
    ),
    Promise(
        2,
        "a payment is started only by a known caller, for a confirmed balance and an amount within it",
        _starts,
        lambda m: _is_agreed(m.now),
    ),
    Promise(
        2,
        "a payment is started only after words of the caller since the balance, the last decline or cancel",
        _starts,
        lambda m: m.ghost.words,
    ),
    Promise(
        2,
        "no payment is started while another one of the call is open, unknown, or holds its bill",
        _starts,
        lambda m: _nothing_else_open(m) and not m.ghost.hold,
    ),
    Promise(
        3,
        "a bill does not stay held by a call that is over, unless its charge is unknown",
        lambda step: step.after in FINAL,
        lambda m: not m.then.hold or m.then.charging,
    ),
    Promise(
        2,
        "a report about another field than the one being keyed in moves nothing",
        lambda step: step.event in _FIELD_REPORTS and step.before in _ENTRY,
        _is_of_the_field_under_way,
    ),
    Promise(
        3,
        "a caller who is let go holds no bill, unless its charge is unknown",
        lambda step: do.EndRelay in step.orders and step.event is not ev.RelayConnected,
        _frees_what_it_leaves,
    ),
    Promise(
        3,
        "the record says how a payment ended as soon as it is over",
        _ends_a_payment,
        lambda m: m.after.facts.outcome in _ENDS_AS[m.after.state],
    ),
    *HEARD,
    Promise(
        7,
        "a payment session is open only while its fields are taken or its charge is under way",
        lambda _: True,
        _open_session_is_wanted,
    ),
    Promise(
        7,
        "a session that nobody waits for is cancelled as soon as it is known",
        lambda step: step.event in (ev.PayOpened, ev.PaymentSessionStarted),
        _stray_is_cancelled,
    ),
    Promise(
        8,
        "a final state is never left",
        lambda step: step.before in FINAL,
        lambda m: m.step.after is m.step.before,
    ),
    Promise(
        8,
        "no step gives the same order twice, but to name bills that are alike",
        lambda step: len(set(step.orders)) < len(step.orders),
        _gives_each_order_once,
    ),
    Promise(
        2,
        "no charge without identity, balance, agreed amount within bounds, every field, and the bill held",
        orders(do.CompletePay),
        _charge_is_due,
    ),
    Promise(
        2,
        "at most one charge is asked for in a payment that Twilio may have accepted",
        orders(do.CompletePay),
        _charges_once,
    ),
    Promise(
        2,
        "after a decline no second charge without a new agreement",
        orders(do.CompletePay),
        lambda m: m.now.agreed is not None,
    ),
    Promise(
        2,
        "a session is opened once, for the amount agreed, on a held bill, with no other session open",
        orders(do.OpenPay),
        lambda m: _opens_what_was_agreed(m) and _nothing_else_open(m),
    ),
    Promise(
        3,
        "“paid” is said only after the processor's success",
        _says("paid", "paid_without_code"),
        lambda m: m.now.success,
    ),
    Promise(
        3,
        "the amount spoken before and after the charge is the one the session was opened for",
        _says(*_MONEY_SENTENCES),
        _names_the_amount,
    ),
    Promise(
        3,
        "a bill is credited once, with the amount charged, and only for a success or a person's word",
        orders(do.CreditBill),
        _credited_for_a_reason,
    ),
    Promise(
        3,
        "a bill whose charge is unknown stays held until a person resolves it",
        orders(do.ReleaseBill),
        lambda m: not m.now.charging,
    ),
    Promise(
        7,
        "a payment whose charge Twilio may have accepted is never cancelled",
        orders(do.CancelPay),
        _cancels_no_charge,
    ),
)

PROMISES = tuple(sorted(_ALL, key=lambda promise: promise.number))


@cache
def about(kind: Kind) -> tuple[Promise, ...]:
    """The promises that a step of this kind may break."""
    return tuple(promise for promise in PROMISES if promise.applies(kind))

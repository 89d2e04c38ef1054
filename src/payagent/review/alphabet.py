"""Every event that can befall a call, derived from the table and from what the call waits for.

Whatever the model, Twilio, the line or the clock may send is here: tools that exist and tools that do not, arguments
that fit and that do not, turns that are current and stale, callbacks of this session, of an earlier one and of none,
answers to the order under way and to old ones. Nothing is left out because it would be unreasonable to happen.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from payagent.flow import events as ev
from payagent.flow.call import Call
from payagent.flow.money import Account, Bill, Money
from payagent.flow.states import Field
from payagent.flow.tools import TOOLS

STRAY = "PK-stray"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
ACCOUNT = Account("A-1", "Ada Payer", has_hsa=True)
BILLS = (
    Bill("B-1", "clinic visit", Money(Decimal("600.00"), "USD")),
    Bill("B-2", "lab work", Money(Decimal("80.00"), "USD")),
)

_ARGUMENTS: dict[str, tuple[str, ...]] = {
    "verify_user": ('{"full_name":"Ada Payer","date_of_birth":"1990-05-01"}', '{"full_name":"Ada"}'),
    "check_pending_bill": ('{"bill":null}', '{"bill":"lab work"}'),
    "confirm_balance": ('{"agreed":true}', '{"agreed":false}', '{"agreed":"maybe"}'),
    "start_payment": tuple(
        f'{{"amount":"{amount}"}}' for amount in ("600.00", "1.00", "0.99", "0", "-5", "600.01", "1e999", "all")
    ),
    "switch_language": ('{"language":"es"}', '{"language":"xx"}'),
    "human_agent_handoff": ('{"reason":"asked"}',),
}
_RESULTS = (
    ("payment-connector-error", 64012),
    ("payment-connector-error", 64002),
    ("validation-error", 0),
    ("too-many-failed-attempts", 0),
    ("internal-error", 0),
    ("caller-interrupted-with-star", 0),
    ("caller-hung-up", 0),
    ("something-new", 0),
)
_REST_CODES = (64002, 64012, 64019, 64021, 404, 429, 0)

Timed = tuple[ev.Event, datetime]


def alphabet(call: Call) -> Iterator[Timed]:
    """The events, each with the time it happens (`LATER` is after any wait for quiet keys)."""
    yield from ((event, NOW) for event in _line(call))
    yield from _tools(call)
    yield from ((event, NOW) for event in _answers(call))
    yield from ((event, NOW) for event in _reports(call))
    yield from ((event, NOW) for event in _clock(call))
    yield ev.OutcomeResolved("paid", "ref-1", "operator", "seen at the processor"), NOW
    yield ev.OutcomeResolved("not_paid", "", "operator", "not at the processor"), NOW


def _line(call: Call) -> Iterator[ev.Event]:
    yield ev.RelayConnected("VX-1")
    yield ev.RelayLost(call.facts.relay)
    yield ev.RelayLost("VX-old")
    yield from (ev.RelayFailed(), ev.RelayEnded(), ev.CallerHungUp())
    yield from (ev.HandOffAnswered("dial", "completed"), ev.HandOffUnanswered("dial", "busy"))
    yield from (ev.CallerSpoke("yes"), ev.CallerSpoke("", card_cut=True), ev.CallerInterrupted(""))
    yield from (ev.LanguageKeyPressed("es"), ev.LanguageKeyPressed("xx"))
    yield from (
        ev.AgentSpoke("x", "well"),
        ev.TurnEnded(call.facts.turn, "stop"),
        ev.ModelFailed(call.facts.turn, "cut"),
    )


def _tools(call: Call) -> Iterator[Timed]:
    turn = call.facts.turn
    yield ev.ToolCalled(turn, "c", "mark_as_paid", "{}"), NOW
    for name in TOOLS:
        if turn:
            for arguments in _ARGUMENTS.get(name, ("{}", '{"extra":1}')):
                yield ev.ToolCalled(turn, "c", name, arguments), NOW
            if call.facts.key_at:
                yield ev.ToolCalled(turn, "c", name, "{}"), LATER
        yield ev.ToolCalled("stale", "c", name, _ARGUMENTS.get(name, ("{}",))[0]), NOW


def _answers(call: Call) -> Iterator[ev.Event]:
    """Answers to the latest order of each kind, and one to an order of long ago."""
    for kind, key in call.facts.awaiting:
        yield from _answer(call, kind, key)
    yield from (
        ev.IdentityMatched("old", ACCOUNT),
        ev.BillsRead("old", ()),
        ev.BillHeld("old"),
        ev.BillNotHeld("old", "held"),
    )
    yield from (ev.PayOpened("old", STRAY), ev.PayNotOpened("old", 64021), ev.PayOpenUnanswered("old"))
    yield from (ev.CaptureAccepted("old", "card_number"), ev.CaptureRefused("old", "card_number", 404))
    yield from (ev.CompleteAccepted("old"), ev.CompleteUnanswered("old"), ev.CompleteRefused("old", 64012))
    yield from (ev.CancelAccepted("old"), ev.BillCredited("old"), ev.BillReleased("old"))


def _answer(call: Call, kind: str, key: str) -> Iterator[ev.Event]:
    match kind:
        case "LookUpIdentity":
            yield from (ev.IdentityMatched(key, ACCOUNT), ev.IdentityNotMatched(key), ev.IdentityLookUpFailed(key))
        case "ReadBills":
            yield from (ev.BillsRead(key, BILLS), ev.BillsRead(key, ()), ev.BillsUnavailable(key))
        case "HoldBill":
            yield from (ev.BillHeld(key), ev.BillNotHeld(key, "held"))
        case "OpenPay":
            yield from (ev.PayOpened(key, f"PK-{call.facts.payment.no}"), ev.PayNotOpened(key, 64021))
        case "Capture":
            field = call.facts.capturing
            yield from (
                ev.CaptureAccepted(key, field),
                ev.CaptureRefused(key, field, 64020),
                ev.CaptureRefused(key, field, 404),
            )
        case "CompletePay":
            yield from (ev.CompleteRefused(key, code) for code in _REST_CODES)
        case "CancelPay":
            yield from (ev.CancelAccepted(key), ev.CancelUnanswered(key))


def _fields(call: Call) -> tuple[Field, ...]:
    return call.flow.profile.fields


def _reports(call: Call) -> Iterator[ev.Event]:
    facts = call.facts
    current = facts.payment.session or f"PK-{facts.payment.no}"
    yield from _of_session(call, current)
    yield from (ev.PaymentSessionStarted(STRAY), ev.PaymentSucceeded(STRAY, "ch_0"))
    for payment in facts.earlier[-1:]:
        yield from (ev.PaymentSucceeded(payment.session, "ch_0"), ev.PaymentFailed(payment.session, "internal-error"))
        yield ev.FieldCaptured(payment.session, _fields(call)[-1].name, (), "1111", "visa")


def _of_session(call: Call, session: str) -> Iterator[ev.Event]:
    yield ev.PaymentSessionStarted(session)
    fields = _fields(call)
    for field in fields:
        yield from (ev.CaptureBegan(session, field.name), ev.KeyPressed(session, field.name))
        yield from (ev.EntryTimedOut(session, field.name, False), ev.EntryTimedOut(session, field.name, True))
        yield from (ev.FieldRejected(session, field.name, "invalid"), ev.CaptureOutOfSequence(session, field.name))
        yield ev.FieldCaptured(session, field.name, None, "4242", "visa")
    yield ev.FieldCaptured(session, "card_number", (), "1111", "visa")
    yield ev.FieldCaptured(session, fields[-1].name, (fields[1].name,), "4242", "visa")
    yield ev.SessionRefused(session, "session-in-progress")
    yield from (ev.PaymentSucceeded(session, "ch_1"), ev.PaymentSucceeded(session, ""))
    yield from (ev.PaymentFailed(session, result, code) for result, code in _RESULTS)


def _clock(call: Call) -> Iterator[ev.Event]:
    yield from (ev.TimeUp(timer.name, timer.armed) for timer in call.timers)
    yield ev.TimeUp("result_overdue", -1)

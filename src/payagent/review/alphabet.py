"""Every event that can befall a call, derived from the table and from what the call waits for.

Whatever the model, Twilio, the line or the clock may send is here, reasonable or not: tools that exist and tools that
do not, arguments that fit and that do not, turns that are current and stale, callbacks of this session, of an earlier
one and of none, answers to the order under way and to old ones. Of events that nothing in the flow can tell apart
(two codes with the same meaning, two fields that are not being keyed in) one stands for all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache

from payagent.flow import events as ev
from payagent.flow.call import Call
from payagent.flow.money import Account, Bill, Money
from payagent.flow.states import Profile
from payagent.flow.tools import TOOLS

STRAY = "PK-stray"
"""A session of none of this call's payments."""

EARLIER = "PK-earlier"
"""The session of an earlier payment of this call, where it had one."""

INVENTED = "mark_as_paid"
"""A tool that does not exist."""

RELAY = "VX-1"
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
    "switch_language": ('{"language":"es"}', '{"language":"xx"}'),
    "human_agent_handoff": ('{"reason":"asked"}', "not json"),
}
_AMOUNTS = ("1.00", "0.99", "0", "-5", "1e999", "all")
_RESULTS = (  # one of each kind: declined, open whether charged, stopped by the caller, hung up, unheard of
    ("payment-connector-error", 64012),
    ("payment-connector-error", 64002),
    ("caller-interrupted-with-star", 0),
    ("caller-hung-up", 0),
    ("something-new", 0),
)
_COMPLETE_CODES = (64002, 64012, 64019, 404, 429)

Timed = tuple[ev.Event, datetime]


def alphabet(call: Call) -> Iterator[Timed]:
    """The events, each with the time it happens (`LATER` is after any wait for quiet keys)."""
    facts = call.facts
    reports = _reports(_session(call), facts.capturing, facts.last_four, call.flow.profile)
    for events in (_LINE, _talk(facts.turn), _tools(call), _answers(call), reports, _clock(call)):
        for event in events:
            yield event, NOW
    if facts.key_at:
        for name in _open(call):
            yield ev.ToolCalled(facts.turn, "c", name, "{}"), LATER
        yield ev.ToolCalled(facts.turn, "c", "switch_language", '{"language":"es"}'), LATER


_LINE: tuple[ev.Event, ...] = (
    ev.RelayConnected(RELAY),
    ev.RelayLost(RELAY),
    ev.RelayLost("VX-old"),
    ev.RelayFailed(),
    ev.RelayEnded(),
    ev.CallerHungUp(),
    ev.HandOffAnswered("dial", "completed"),
    ev.HandOffUnanswered("dial", "busy"),
)


@cache
def _talk(turn: str) -> tuple[ev.Event, ...]:
    said = (ev.CallerSpoke("yes"), ev.CallerSpoke("", card_cut=True), ev.CallerInterrupted(""))
    other = (ev.LanguageKeyPressed("es"), ev.LanguageKeyPressed("xx"), ev.AgentSpoke("x", "well"))
    ends = [
        (ev.TurnEnded(t, "stop"), ev.ModelFailed(t, "cut"), ev.ClaimStopped(t, "")) for t in (turn or "none", "stale")
    ]
    return (*said, *other, *(end for of_turn in ends for end in of_turn))


def _open(call: Call) -> tuple[str, ...]:
    return call.flow.tools[call.state]


def _tools(call: Call) -> Iterator[ev.Event]:
    """What is open, with all its arguments, and in a stale turn; one tool that is closed, one that does not exist."""
    turn = call.facts.turn
    closed = [name for name in TOOLS if name not in _open(call)]
    for name in _open(call):
        if turn:
            yield from (ev.ToolCalled(turn, "c", name, arguments) for arguments in _arguments(call, name))
        yield ev.ToolCalled("stale", "c", name, _arguments(call, name)[0])
    for name in (closed[0], INVENTED):
        yield from (ev.ToolCalled(one, "c", name, _arguments(call, name)[0]) for one in dict.fromkeys((turn, "")))


def _arguments(call: Call, name: str) -> tuple[str, ...]:
    if name == "start_payment":
        owed = call.facts.bill.owed.amount if call.facts.bill else Decimal(600)
        return tuple(f'{{"amount":"{amount}"}}' for amount in (owed, owed + Decimal("0.01"), *_AMOUNTS))
    return _ARGUMENTS.get(name, ("{}", '{"extra":1}'))


def _answers(call: Call) -> Iterator[ev.Event]:
    """Answers to the latest order of each kind, some to orders of long ago, and those that never say anything new."""
    for kind, key in call.facts.awaiting:
        yield from _answer(call, kind, key)
    yield from _OLD


_OLD: tuple[ev.Event, ...] = (
    ev.BillHeld("old"),
    ev.PayNotOpened("old", 64021),
    ev.CompleteRefused("old", 64012),
    ev.CancelAccepted("old"),
    ev.CompleteUnanswered("old"),
    ev.BillCredited("old"),
)


def _answer(call: Call, kind: str, key: str) -> Iterator[ev.Event]:
    field = call.facts.capturing
    match kind:
        case "LookUpIdentity":
            yield from (ev.IdentityMatched(key, ACCOUNT), ev.IdentityNotMatched(key), ev.IdentityLookUpFailed(key))
        case "ReadBills":
            yield from (ev.BillsRead(key, BILLS), ev.BillsRead(key, ()), ev.BillsUnavailable(key))
        case "HoldBill":
            yield from (ev.BillHeld(key), ev.BillNotHeld(key, "held"))
        case "OpenPay":
            yield from (ev.PayOpened(key, _session(call)), ev.PayNotOpened(key, 64021), ev.PayNotOpened(key, 64004))
        case "Capture":
            yield ev.CaptureAccepted(key, field)
            yield from (ev.CaptureRefused(key, field, 64020), ev.CaptureRefused(key, field, 404))
        case "CompletePay":
            yield from (ev.CompleteRefused(key, code) for code in _COMPLETE_CODES)
        case "CancelPay":
            yield from (ev.CancelAccepted(key), ev.CancelUnanswered(key))


def _session(call: Call) -> str:
    return call.facts.payment.session or f"PK-{call.facts.payment.no}"


@cache
def _reports(session: str, capturing: str, last_four: str, profile: Profile) -> tuple[ev.Event, ...]:
    return tuple(_all_reports(session, capturing, last_four, [field.name for field in profile.fields]))


def _all_reports(session: str, capturing: str, last_four: str, names: Sequence[str]) -> Iterator[ev.Event]:
    yield ev.PaymentSessionStarted(session)
    yield from _field_reports(session, capturing, last_four, names)
    yield from (ev.SessionRefused(session, "session-in-progress"), ev.PaymentSucceeded(session, "ch_1"))
    yield from (ev.PaymentFailed(session, result, code) for result, code in _RESULTS)
    for other in (STRAY, EARLIER):
        yield from (ev.PaymentSessionStarted(other), ev.PayOpened("old", other), ev.PaymentSucceeded(other, "ch_0"))
        yield ev.PaymentFailed(other, "internal-error")
    yield ev.FieldCaptured(STRAY, capturing or "card_number", (), "1111", "visa")


def _field_reports(session: str, capturing: str, last_four: str, names: Sequence[str]) -> Iterator[ev.Event]:
    """About the field being keyed in, and about one other."""
    now = capturing or names[0]
    other = next(name for name in names if name != now)
    same, another = (last_four or "4242"), ("1111" if last_four != "1111" else "4242")
    for name in (now, other) if capturing else (now,):
        yield from (ev.CaptureBegan(session, name), ev.KeyPressed(session, name))
        yield from (ev.EntryTimedOut(session, name, False), ev.EntryTimedOut(session, name, True))
        yield from (ev.FieldRejected(session, name, "invalid"), ev.CaptureOutOfSequence(session, name))
        yield ev.FieldCaptured(session, name, None, same, "visa")
    for missing in names if capturing else ():  # be it the very field that is in by this
        yield ev.FieldCaptured(session, now, (missing,), same, "visa")
    if now == "card_number":
        yield ev.FieldCaptured(session, now, (), another, "visa")


def _clock(call: Call) -> Iterator[ev.Event]:
    yield from (ev.TimeUp(timer.name, timer.armed) for timer in call.timers)
    yield from _ANY_TIME


_ANY_TIME: tuple[ev.Event, ...] = (
    ev.TimeUp("result_overdue", -1),
    ev.OutcomeResolved("paid", "ref-1", "operator", "seen at the processor"),
    ev.OutcomeResolved("not_paid", "", "operator", "not at the processor"),
)

"""Steps as JSON and back, by a list of what may be written.

* `RECORDED` names, class by class, the fields that are written: a field that is not on it is not on the record.
* Spoken words, the model's on why a person is needed, the account holder's name and what is known of the caller's
  number stand apart from the record (see `words`); a record whose words were erased decodes without them.
* The arguments of `verify_user` and of tools there are not are written as `{}`, those of `LookUpIdentity` not at all:
  they are or may be personal.
* Decimals are strings, times ISO 8601 in UTC. The JSON is canonical: keys sorted, no spaces.
* A record of another version is refused, not guessed at.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, get_args

import msgspec

from payagent.errors import JournalFailed
from payagent.flow import effects as fx
from payagent.flow import events as ev
from payagent.flow.money import Account, Bill, Money
from payagent.flow.states import State
from payagent.flow.step import Step, Timer
from payagent.flow.tools import ARGUMENTS_LENGTH, TOOLS
from payagent.journal.words import Words, masked, salted, unicode

VERSION = 1

RECORDED: dict[type[object], tuple[str, ...]] = {
    # the call and its line
    ev.CallStarted: ("caller", "caller_id"),
    ev.RelayConnected: ("session",),
    ev.RelayLost: ("session",),
    ev.RelayFailed: (),
    ev.RelayEnded: (),
    ev.CallerHungUp: (),
    ev.HandOffAnswered: ("route", "result"),
    ev.HandOffUnanswered: ("route", "result"),
    # the talk
    ev.CallerSpoke: ("card_cut",),
    ev.CallerInterrupted: (),
    ev.LanguageKeyPressed: ("language",),
    ev.AgentSpoke: ("source",),
    ev.ToolCalled: ("turn", "call_id", "name", "arguments"),
    ev.TurnEnded: ("turn", "finish"),
    ev.ModelFailed: ("turn", "reason"),
    ev.ClaimStopped: ("turn",),
    # answers to orders
    ev.IdentityMatched: ("order", "account"),
    ev.IdentityNotMatched: ("order",),
    ev.IdentityLookUpFailed: ("order",),
    ev.BillsRead: ("order", "bills"),
    ev.BillsUnavailable: ("order",),
    ev.BillHeld: ("order",),
    ev.BillNotHeld: ("order", "reason"),
    ev.BillCredited: ("order",),
    ev.BillReleased: ("order",),
    ev.PayOpened: ("order", "session"),
    ev.PayNotOpened: ("order", "code"),
    ev.PayOpenUnanswered: ("order",),
    ev.CaptureAccepted: ("order", "field"),
    ev.CaptureRefused: ("order", "field", "code"),
    ev.CompleteAccepted: ("order",),
    ev.CompleteRefused: ("order", "code"),
    ev.CompleteUnanswered: ("order",),
    ev.CancelAccepted: ("order", "code"),
    ev.CancelUnanswered: ("order",),
    # payment callbacks
    ev.PaymentSessionStarted: ("session", "digest"),
    ev.CaptureBegan: ("session", "field", "digest"),
    ev.KeyPressed: ("session", "field", "digest"),
    ev.FieldCaptured: ("session", "field", "required", "last_four", "card_type", "digest"),
    ev.FieldRejected: ("session", "field", "error", "digest"),
    ev.EntryTimedOut: ("session", "field", "digits", "digest"),
    ev.CaptureOutOfSequence: ("session", "field", "digest"),
    ev.SessionRefused: ("session", "error", "digest"),
    ev.PaymentSucceeded: ("session", "confirmation", "last_four", "card_type", "digest"),
    ev.PaymentFailed: ("session", "result", "code", "digest"),
    # clock and operator
    ev.TimeUp: ("timer", "armed"),
    ev.OutcomeResolved: ("outcome", "reference", "who", "why"),
    # orders
    fx.Say: ("sentence", "values", "interruptible"),
    fx.Think: (),
    fx.SwitchLanguage: ("language",),
    fx.EndRelay: (),
    fx.ConnectRelay: (),
    fx.RouteCall: ("route", "sentence"),
    fx.HangUp: ("sentence",),
    fx.LookUpIdentity: (),
    fx.ReadBills: ("account",),
    fx.HoldBill: ("bill", "payment", "account"),
    fx.CreditBill: ("bill", "payment", "amount", "confirmation"),
    fx.ReleaseBill: ("bill", "payment", "declined"),
    fx.OpenPay: ("payment", "amount", "description"),
    fx.Capture: ("session", "field", "prompt"),
    fx.CompletePay: ("session",),
    fx.CancelPay: ("session",),
    # what they are made of
    Money: ("amount", "currency"),
    Bill: ("id", "description", "owed"),
    Account: ("id", "name", "language", "has_hsa"),
    Timer: ("name", "armed", "due"),
    Step: ("call_sid", "seq", "at", "before", "after", "row", "refused", "reply", "timers", "flow"),
}

SPOKEN: dict[type[object], str] = {
    ev.CallerSpoke: "words",
    ev.CallerInterrupted: "heard",
    ev.AgentSpoke: "words",
    ev.ClaimStopped: "words",
}
"""The field of these events that holds spoken words; in the record stands `words`, their digest."""

APART = "\n"
"""Between what is known of a caller's number and what stands for the whole of it."""

_EVENTS: dict[str, type[ev.Event]] = {kind.__name__: kind for kind in get_args(ev.Event)}
_ORDERS: dict[str, type[fx.Order]] = {kind.__name__: kind for kind in get_args(fx.Order)}


@dataclass(frozen=True, slots=True)
class Entry:
    """A step ready to be written: its record (canonical JSON) and, if it is speech, its words."""

    record: bytes
    words: Words | None


def encode(step: Step) -> Entry:
    """The step as it is written.

    Raises:
        JournalFailed: it holds something that is not on the list, or a time without a zone.
    """
    event, words = _without_words(step)
    plain = _plain(step) | {
        "v": VERSION,
        "event": _tagged(event) | ({"words": words.digest} if words else {}),
        "orders": [_tagged(order) for order in step.orders],
    }
    return Entry(msgspec.json.encode(plain, order="sorted"), words)


def decode(record: bytes, text: str = "") -> Step:
    """The step of that record, with the words `text` ("" when they were erased).

    Raises:
        JournalFailed: the record is of another version, or cannot be read.
    """
    with _reading():
        plain = _read(record)
        return Step(
            call_sid=plain["call_sid"],
            seq=plain["seq"],
            at=msgspec.convert(plain["at"], datetime),
            event=_event(plain["event"], text),
            before=State(plain["before"]),
            after=State(plain["after"]),
            row=plain["row"],
            refused=plain["refused"],
            reply=plain["reply"],
            orders=tuple(_order(order) for order in plain["orders"]),
            timers=msgspec.convert(plain["timers"], tuple[Timer, ...]),
            flow=plain["flow"],
        )


def decode_order(record: bytes, n: int) -> fx.DurableOrder:
    """Order number `n` of that record, a durable one.

    Raises:
        JournalFailed: the record is of another version, or has no such order.
    """
    with _reading():
        order = _order(_read(record)["orders"][n])
        if not isinstance(order, fx.DurableOrder):
            raise TypeError(f"{type(order).__name__} is not a durable order")
        return order


def decode_timers(record: bytes) -> tuple[Timer, ...]:
    """The timers that run after the step of that record.

    Raises:
        JournalFailed: the record is of another version, or cannot be read.
    """
    with _reading():
        return msgspec.convert(_read(record)["timers"], tuple[Timer, ...])


def encode_report(call_sid: str, report: ev.PayReport) -> bytes:
    """A call's payment callback by itself, as it would stand in a step's record.

    Raises:
        JournalFailed: it holds something that is not on the list.
    """
    plain = {"v": VERSION, "call_sid": call_sid, "event": _tagged(report)}
    return msgspec.json.encode(plain, order="sorted")


def decode_report(record: bytes) -> tuple[str, ev.Event]:
    """The call and the event of such a record.

    Raises:
        JournalFailed: the record is of another version, or cannot be read.
    """
    with _reading():
        plain = _read(record)
        return plain["call_sid"], _event(plain["event"], "")


def time_text(at: datetime) -> str:
    """The time in UTC, always of the same length, so that texts sort as times do.

    Raises:
        JournalFailed: the time has no zone.
    """
    if at.tzinfo is None:
        raise JournalFailed("a time without a zone cannot be recorded")
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _without_words(step: Step) -> tuple[ev.Event, Words | None]:
    match step.event:
        case (
            ev.CallerSpoke(words=text)
            | ev.AgentSpoke(words=text)
            | ev.ClaimStopped(words=text)
            | ev.CallerInterrupted(heard=text)
        ):
            # The agent repeats what it heard, so its words are masked too.
            identifying = step.before is State.VERIFYING_IDENTITY
            return step.event, salted(masked(text) if identifying else text)
        case ev.CallStarted(caller=caller, caller_id=caller_id):
            return replace(step.event, caller="", caller_id=""), salted(f"{caller}{APART}{caller_id}")
        case ev.IdentityMatched(account=account):
            return replace(step.event, account=replace(account, name="")), salted(account.name)
        case ev.ToolCalled(name=name) if name == "verify_user" or name not in TOOLS:
            return replace(step.event, arguments="{}"), None
        case ev.ToolCalled(name="human_agent_handoff", arguments=arguments):  # the model's own words on why
            return replace(step.event, arguments="{}"), salted(arguments[:ARGUMENTS_LENGTH])
        case ev.ToolCalled(arguments=arguments):
            return replace(step.event, arguments=arguments[:ARGUMENTS_LENGTH]), None
        case _:
            return step.event, None


def _tagged(value: ev.Event | fx.Order) -> dict[str, Any]:
    return {"type": type(value).__name__, **_plain(value)}


def _plain(value: object) -> Any:
    if (names := RECORDED.get(type(value))) is not None:  # most values are these, or text
        return {name: _plain(getattr(value, name)) for name in names}
    match value:
        case str():
            return unicode(value)
        case bool() | int() | None:
            return value
        case Decimal():
            return str(value)
        case datetime():
            return time_text(value)
        case tuple():
            return [_plain(item) for item in value]
    raise JournalFailed(f"{type(value).__name__} has no place in the record")


@contextmanager
def _reading() -> Iterator[None]:
    try:
        yield
    except (LookupError, TypeError, ValueError) as error:  # msgspec's errors are ValueErrors
        raise JournalFailed("a record cannot be read") from error


def _read(record: bytes) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.json.decode(record, type=dict[str, Any])
    if plain.get("v") != VERSION:
        raise JournalFailed(f"a record is of version {plain.get('v')}; this payagent reads {VERSION}")
    return plain


def _event(plain: dict[str, Any], text: str) -> ev.Event:
    kind = _EVENTS[plain["type"]]
    spoken = {SPOKEN[kind]: text} if kind in SPOKEN else {}
    event = msgspec.convert(plain | spoken, kind)
    match event:
        case ev.CallStarted() if text:
            caller, _, caller_id = text.partition(APART)
            return replace(event, caller=caller, caller_id=caller_id)
        case ev.IdentityMatched(account=account) if text:
            return replace(event, account=replace(account, name=text))
        case ev.ToolCalled(name="human_agent_handoff") if text:
            return replace(event, arguments=text)
    return event


def _order(plain: dict[str, Any]) -> fx.Order:
    return msgspec.convert(plain, _ORDERS[plain["type"]])

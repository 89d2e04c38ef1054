"""What can happen to a call: frozen, in the past tense, never card data.

An event's *trigger* is the word the table's rows are found by. It is the class's name in
snake case, but for two: a `ToolCalled` is triggered by its tool's name, a `TimeUp` by its timer's.

Events that answer an order carry `order`, that order's key: recording the event marks the order done.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import get_args

from payagent.flow.money import Account, Bill


@dataclass(frozen=True, slots=True)
class CallStarted:
    """The phone rang: `POST /api/incoming-call` was answered.

    `caller` is masked to its last four; `caller_id` is a keyed hash of the whole number, "" when it was withheld.
    """

    caller: str
    caller_id: str = ""


@dataclass(frozen=True, slots=True)
class RelayConnected:
    """A relay socket said `setup` with a valid token; the newest session owns the mouth."""

    session: str


@dataclass(frozen=True, slots=True)
class RelayLost:
    """The relay's socket closed; whether the caller is still there is not known."""

    session: str


@dataclass(frozen=True, slots=True)
class RelayFailed:
    """`/api/action` said the relay session failed: the caller is still on the line."""


@dataclass(frozen=True, slots=True)
class RelayEnded:
    """`/api/action` said the relay ended because this program sent `end`."""


@dataclass(frozen=True, slots=True)
class CallerHungUp:
    """The caller is gone, as `/api/action` or a call status says."""


@dataclass(frozen=True, slots=True)
class HandOffAnswered:
    """A person took the call (`route` is `queue` or `dial`), and that conversation is over."""

    route: str
    result: str


@dataclass(frozen=True, slots=True)
class HandOffUnanswered:
    """Busy, no answer, queue full: nobody took the call on this route."""

    route: str
    result: str


@dataclass(frozen=True, slots=True)
class CallerSpoke:
    """The caller finished saying something; card numbers are already cut out of `words`.

    `card_cut` says that a spoken card number was cut out.
    """

    words: str
    card_cut: bool = False


@dataclass(frozen=True, slots=True)
class CallerInterrupted:
    """The caller talked over the agent; `heard` is what was played until then."""

    heard: str


@dataclass(frozen=True, slots=True)
class LanguageKeyPressed:
    """The keypad's language key, heard while no payment was open."""

    language: str


@dataclass(frozen=True, slots=True)
class AgentSpoke:
    """These words were sent to the caller by `source`: a turn's key or a `Say` order's key."""

    source: str
    words: str


@dataclass(frozen=True, slots=True)
class ToolCalled:
    """The model, in turn `turn`, called tool `name` with `arguments` (its raw JSON)."""

    turn: str
    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """The model's turn ended without a tool; `finish` is its finish reason."""

    turn: str
    finish: str


@dataclass(frozen=True, slots=True)
class ModelFailed:
    """The model gave no usable answer in this turn."""

    turn: str
    reason: str


@dataclass(frozen=True, slots=True)
class ClaimStopped:
    """`words` of the model were stopped unspoken: they claim of the money what the record does not say."""

    turn: str
    words: str


@dataclass(frozen=True, slots=True)
class IdentityMatched:
    """Exactly one account matches."""

    order: str
    account: Account


@dataclass(frozen=True, slots=True)
class IdentityNotMatched:
    """No account matches, or it is locked: the two are not told apart."""

    order: str


@dataclass(frozen=True, slots=True)
class IdentityLookUpFailed:
    """The look-up could not be made (or its values were lost in a crash): not a failed try."""

    order: str


@dataclass(frozen=True, slots=True)
class BillsRead:
    """What the account owes now, oldest first; empty when nothing is owed."""

    order: str
    bills: tuple[Bill, ...]


@dataclass(frozen=True, slots=True)
class BillsUnavailable:
    """The bills could not be read."""

    order: str


@dataclass(frozen=True, slots=True)
class BillHeld:
    """The bill is held for this payment."""

    order: str


@dataclass(frozen=True, slots=True)
class BillNotHeld:
    """The bill is not to be had: another payment holds it, or a limit was reached, or the book is out of reach."""

    order: str
    reason: str


@dataclass(frozen=True, slots=True)
class BillCredited:
    """The payment now stands on the bill, once."""

    order: str


@dataclass(frozen=True, slots=True)
class BillReleased:
    """The bill is free again."""

    order: str


@dataclass(frozen=True, slots=True)
class PayOpened:
    """REST 201: Twilio opened payment session `session`."""

    order: str
    session: str


@dataclass(frozen=True, slots=True)
class PayNotOpened:
    """Twilio refused to open a session; `code` is its error number."""

    order: str
    code: int


@dataclass(frozen=True, slots=True)
class PayOpenUnanswered:
    """No usable answer to the create: a session may be open."""

    order: str


@dataclass(frozen=True, slots=True)
class CaptureAccepted:
    """REST 202: Twilio listens to the keypad for `field`."""

    order: str
    field: str


@dataclass(frozen=True, slots=True)
class CaptureRefused:
    """Twilio refused the capture, or did not answer (`code` 0)."""

    order: str
    field: str
    code: int


@dataclass(frozen=True, slots=True)
class CompleteAccepted:
    """REST 202: the charge is on its way to the processor."""

    order: str


@dataclass(frozen=True, slots=True)
class CompleteRefused:
    """Twilio refused the complete: surely nothing was charged by it."""

    order: str
    code: int


@dataclass(frozen=True, slots=True)
class CompleteUnanswered:
    """No usable answer to the complete: whether the card is charged is open. Never sent again."""

    order: str


@dataclass(frozen=True, slots=True)
class CancelAccepted:
    """REST 202 (or any 4xx: there is nothing left to cancel)."""

    order: str
    code: int = 202


@dataclass(frozen=True, slots=True)
class CancelUnanswered:
    """No usable answer to the cancel."""

    order: str


@dataclass(frozen=True, slots=True)
class PaymentSessionStarted:
    """Callback: a payment session is open on this call."""

    session: str
    digest: str = ""


@dataclass(frozen=True, slots=True)
class CaptureBegan:
    """Callback: Twilio listens for `field`; no digit yet."""

    session: str
    field: str
    digest: str = ""


@dataclass(frozen=True, slots=True)
class KeyPressed:
    """Callback: the caller keyed in a digit of `field` (how many is not kept)."""

    session: str
    field: str
    digest: str = ""


@dataclass(frozen=True, slots=True)
class FieldCaptured:
    """Callback: `field` is complete. `required` are the fields still missing; None: the callback did not say."""

    session: str
    field: str
    required: tuple[str, ...] | None = None
    last_four: str = ""
    card_type: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True)
class FieldRejected:
    """Callback: what was keyed in for `field` is not usable; `error` is Twilio's `ErrorType`."""

    session: str
    field: str
    error: str
    digest: str = ""


@dataclass(frozen=True, slots=True)
class EntryTimedOut:
    """Callback: the keypad fell silent; `digits` says whether any key had been pressed."""

    session: str
    field: str
    digits: bool
    digest: str = ""


@dataclass(frozen=True, slots=True)
class CaptureOutOfSequence:
    """Callback: the security code does not fit the card as keyed in; expiry and code are due again."""

    session: str
    field: str
    digest: str = ""


@dataclass(frozen=True, slots=True)
class SessionRefused:
    """Callback: Twilio says another session is in progress, or the session broke (`error`)."""

    session: str
    error: str
    digest: str = ""


@dataclass(frozen=True, slots=True)
class PaymentSucceeded:
    """Callback `Result=success`: the processor charged the card."""

    session: str
    confirmation: str
    last_four: str = ""
    card_type: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True)
class PaymentFailed:
    """Callback with any other `Result`; `code` is `PayErrorCode`, 0 when absent."""

    session: str
    result: str
    code: int = 0
    digest: str = ""


@dataclass(frozen=True, slots=True)
class TimeUp:
    """A wait is over. `armed` is the step that armed the timer: one of an older wait is ignored."""

    timer: str
    armed: int


@dataclass(frozen=True, slots=True)
class OutcomeResolved:
    """A person found out what became of an unknown payment: `paid` (with a reference) or `not_paid`."""

    outcome: str
    reference: str
    who: str
    why: str


PayReport = (
    PaymentSessionStarted
    | CaptureBegan
    | KeyPressed
    | FieldCaptured
    | FieldRejected
    | EntryTimedOut
    | CaptureOutOfSequence
    | SessionRefused
    | PaymentSucceeded
    | PaymentFailed
)
"""What a Payments status callback can become."""

OrderAnswer = (
    IdentityMatched
    | IdentityNotMatched
    | IdentityLookUpFailed
    | BillsRead
    | BillsUnavailable
    | BillHeld
    | BillNotHeld
    | BillCredited
    | BillReleased
    | PayOpened
    | PayNotOpened
    | PayOpenUnanswered
    | CaptureAccepted
    | CaptureRefused
    | CompleteAccepted
    | CompleteRefused
    | CompleteUnanswered
    | CancelAccepted
    | CancelUnanswered
)
"""What a durable order can come back as."""

Event = (
    CallStarted
    | RelayConnected
    | RelayLost
    | RelayFailed
    | RelayEnded
    | CallerHungUp
    | HandOffAnswered
    | HandOffUnanswered
    | CallerSpoke
    | CallerInterrupted
    | LanguageKeyPressed
    | AgentSpoke
    | ToolCalled
    | TurnEnded
    | ModelFailed
    | ClaimStopped
    | OrderAnswer
    | PayReport
    | TimeUp
    | OutcomeResolved
)


LINE_EVENTS = (
    CallStarted,
    RelayConnected,
    RelayLost,
    RelayFailed,
    RelayEnded,
    CallerHungUp,
    HandOffAnswered,
    HandOffUnanswered,
    CallerSpoke,
    CallerInterrupted,
    LanguageKeyPressed,
)
PROGRAM_EVENTS = (
    AgentSpoke,
    TurnEnded,
    ModelFailed,
    ClaimStopped,
    IdentityMatched,
    IdentityNotMatched,
    IdentityLookUpFailed,
    BillsRead,
    BillsUnavailable,
    BillHeld,
    BillNotHeld,
    BillCredited,
    BillReleased,
)
PAY_EVENTS = (
    PayOpened,
    PayNotOpened,
    PayOpenUnanswered,
    CaptureAccepted,
    CaptureRefused,
    CompleteAccepted,
    CompleteRefused,
    CompleteUnanswered,
    CancelAccepted,
    CancelUnanswered,
    *get_args(PayReport),
)


def snake(name: str) -> str:
    """`FieldCaptured` → `field_captured`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def trigger_of(event: Event) -> str:
    """The word the table's rows are found by."""
    match event:
        case ToolCalled(name=name):
            return name
        case TimeUp(timer=timer):
            return timer
        case _:
            return _TRIGGERS[type(event)]


def answered(event: Event) -> str:
    """The key of the durable order that the event answers; "" for an event that answers none."""
    return event.order if isinstance(event, OrderAnswer) else ""


_TRIGGERS: dict[type[Event], str] = {kind: snake(kind.__name__) for kind in get_args(Event)}

EARLIER_PAYMENT_SUCCEEDED = "earlier_payment_succeeded"
OTHER_SESSION_REPORTED = "other_session_reported"

SIMPLE_TRIGGERS: dict[str, str] = {
    **{snake(kind.__name__): "line" for kind in LINE_EVENTS},
    **{snake(kind.__name__): "program" for kind in PROGRAM_EVENTS},
    **{snake(kind.__name__): "pay" for kind in PAY_EVENTS},
    EARLIER_PAYMENT_SUCCEEDED: "pay",
    OTHER_SESSION_REPORTED: "pay",
}
"""Trigger → party, for all events that are never refused."""

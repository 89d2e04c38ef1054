"""What a call may order: frozen, in the imperative, carried out by hands outside.

Orders for the mouth (`Say`, `Think`, `SwitchLanguage`, `EndRelay`) belong to one relay session and die with it.
Answers (`ConnectRelay`, `RouteCall`, `HangUp`) are told to Twilio as the TwiML of the webhook that asked.
All others are *durable*: written with their step, claimed before they are sent, done when their event is recorded.
"""

from __future__ import annotations

from dataclasses import dataclass

from payagent.flow.money import Money

Value = str | int | Money


@dataclass(frozen=True, slots=True)
class Say:
    """Speak fixed sentence `sentence` with these values, in the call's language."""

    sentence: str
    values: tuple[tuple[str, Value], ...] = ()
    interruptible: bool = True


@dataclass(frozen=True, slots=True)
class Think:
    """Ask the model for one answer with the tools open now; its key is the turn's identity."""


@dataclass(frozen=True, slots=True)
class SwitchLanguage:
    """Speak and listen in `language` (`en`, `es`) from here on."""

    language: str


@dataclass(frozen=True, slots=True)
class EndRelay:
    """Let the queued speech finish and end the relay; Twilio then asks `/api/action`."""


@dataclass(frozen=True, slots=True)
class ConnectRelay:
    """TwiML: connect the call to a new relay, without a second greeting."""


@dataclass(frozen=True, slots=True)
class RouteCall:
    """TwiML: say sentence `sentence` (if any), then pass the call on by `queue` (a workflow) or `dial` (a number)."""

    route: str
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class HangUp:
    """TwiML: say sentence `sentence` (if any) and hang up."""

    sentence: str = ""


@dataclass(frozen=True, slots=True)
class LookUpIdentity:
    """Find the one account of this person. The two values are never written: None after a restart."""

    full_name: str | None = None
    date_of_birth: str | None = None


@dataclass(frozen=True, slots=True)
class ReadBills:
    """Read what the account owes."""

    account: str


@dataclass(frozen=True, slots=True)
class HoldBill:
    """Hold the bill for this payment, or find it taken. `payment` is unique across calls."""

    bill: str
    payment: str
    account: str


@dataclass(frozen=True, slots=True)
class CreditBill:
    """Take `amount` off the bill, once per payment, and free it."""

    bill: str
    payment: str
    amount: Money
    confirmation: str


@dataclass(frozen=True, slots=True)
class ReleaseBill:
    """Free the bill; `declined` counts a declined card against the account."""

    bill: str
    payment: str
    declined: bool = False


@dataclass(frozen=True, slots=True)
class OpenPay:
    """Open a Twilio payment session for exactly this amount."""

    payment: str
    amount: Money
    description: str


@dataclass(frozen=True, slots=True)
class Capture:
    """Have Twilio listen to the keypad for `field` (a `Field.name`).

    Sentence `prompt` is spoken once it listens ("": none), so that no early digit is lost.
    """

    session: str
    field: str
    prompt: str = ""


@dataclass(frozen=True, slots=True)
class CompletePay:
    """Send the payment to the processor. Sent again only if it surely did not go out."""

    session: str


@dataclass(frozen=True, slots=True)
class CancelPay:
    """Close the payment session without a charge."""

    session: str


MouthOrder = Say | Think | SwitchLanguage | EndRelay
Answer = ConnectRelay | RouteCall | HangUp
DurableOrder = (
    LookUpIdentity | ReadBills | HoldBill | CreditBill | ReleaseBill | OpenPay | Capture | CompletePay | CancelPay
)
Order = MouthOrder | Answer | DurableOrder


def order_key(call_sid: str, seq: int, n: int) -> str:
    """The order's identity, and the idempotency key it is sent with."""
    return f"{call_sid}:{seq}:{n}"

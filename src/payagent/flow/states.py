"""The places a call can be, the card's fields, and who may cause a move."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """A place in the call; each waits for one thing (see `MEANING`)."""

    VERIFYING_IDENTITY = "verifying_identity"
    CONFIRMING_BALANCE = "confirming_balance"
    CHOOSING_AMOUNT = "choosing_amount"
    STARTING_PAYMENT = "starting_payment"
    CARD_NUMBER_DUE = "card_number_due"
    CARD_NUMBER_ENTRY = "card_number_entry"
    EXPIRATION_DATE_DUE = "expiration_date_due"
    EXPIRATION_DATE_ENTRY = "expiration_date_entry"
    SECURITY_CODE_DUE = "security_code_due"
    SECURITY_CODE_ENTRY = "security_code_entry"
    POSTAL_CODE_DUE = "postal_code_due"
    POSTAL_CODE_ENTRY = "postal_code_entry"
    READY_TO_COMPLETE = "ready_to_complete"
    PROCESSING_PAYMENT = "processing_payment"
    PAYMENT_COMPLETED = "payment_completed"
    PAYMENT_DECLINED = "payment_declined"
    CANCELLING_PAYMENT = "cancelling_payment"
    PAYMENT_CANCELLED = "payment_cancelled"
    PAYMENT_OUTCOME_UNKNOWN = "payment_outcome_unknown"
    HANDING_OFF = "handing_off"
    ENDED = "ended"


MEANING: dict[State, str] = {
    State.VERIFYING_IDENTITY: "waiting for one account that matches the caller's full name and date of birth",
    State.CONFIRMING_BALANCE: "the balance is told; waiting for the caller to agree to it",
    State.CHOOSING_AMOUNT: "waiting for the caller to choose how much to pay",
    State.STARTING_PAYMENT: "the bill is being held and Twilio is opening a payment session",
    State.CARD_NUMBER_DUE: "the card number is to be asked for",
    State.CARD_NUMBER_ENTRY: "the caller is keying in the card number",
    State.EXPIRATION_DATE_DUE: "the expiration date is to be asked for",
    State.EXPIRATION_DATE_ENTRY: "the caller is keying in the expiration date",
    State.SECURITY_CODE_DUE: "the security code is to be asked for",
    State.SECURITY_CODE_ENTRY: "the caller is keying in the security code",
    State.POSTAL_CODE_DUE: "the postal code is to be asked for",
    State.POSTAL_CODE_ENTRY: "the caller is keying in the postal code",
    State.READY_TO_COMPLETE: "every field is in; waiting for the caller's go-ahead to charge the card",
    State.PROCESSING_PAYMENT: "the charge is with the processor; nothing but its result is awaited",
    State.PAYMENT_COMPLETED: "the processor said success; the caller may want something else",
    State.PAYMENT_DECLINED: "the card was declined; waiting for another card or a no",
    State.CANCELLING_PAYMENT: "the payment session is being cancelled",
    State.PAYMENT_CANCELLED: "nothing was charged; waiting for what the caller wants now",
    State.PAYMENT_OUTCOME_UNKNOWN: "no result came; a person must find out whether the card was charged",
    State.HANDING_OFF: "the call is being passed to a person",
    State.ENDED: "the call is over",
}

FINAL: frozenset[State] = frozenset({State.ENDED})


class Party(StrEnum):
    """Who may cause a move."""

    MODEL = "model"
    PAY = "pay"
    LINE = "line"
    CLOCK = "clock"
    PROGRAM = "program"
    OPERATOR = "operator"


class Line(StrEnum):
    """Whether the caller is there: a fact, not a state."""

    UP = "up"
    LOST = "lost"
    GONE = "gone"


class Outcome(StrEnum):
    """What became of the last payment: a fact, not a state."""

    NONE = "none"
    PAID = "paid"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


class Pace(StrEnum):
    """Who asks for the next card field: the model, or the callback's own row."""

    MODEL = "model"
    AUTOMATIC = "automatic"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the card: its Twilio `Capture` name, its tool and its two states."""

    name: str
    capture: str
    tool: str
    due: State
    entry: State


CARD_NUMBER = Field(
    "card_number", "payment-card-number", "capture_payment_card_number", State.CARD_NUMBER_DUE, State.CARD_NUMBER_ENTRY
)
EXPIRATION_DATE = Field(
    "expiration_date",
    "expiration-date",
    "capture_expiration_date",
    State.EXPIRATION_DATE_DUE,
    State.EXPIRATION_DATE_ENTRY,
)
SECURITY_CODE = Field(
    "security_code", "security-code", "capture_security_code", State.SECURITY_CODE_DUE, State.SECURITY_CODE_ENTRY
)
POSTAL_CODE = Field("postal_code", "postal-code", "capture_postal_code", State.POSTAL_CODE_DUE, State.POSTAL_CODE_ENTRY)

FIELDS: dict[str, Field] = {f.name: f for f in (CARD_NUMBER, EXPIRATION_DATE, SECURITY_CODE, POSTAL_CODE)}


class Profile(StrEnum):
    """Which fields are captured."""

    CARD = "card"
    CARD_POSTAL_CODE = "card_postal_code"

    @property
    def fields(self) -> tuple[Field, ...]:
        """The fields in the order they are asked for."""
        card = (CARD_NUMBER, EXPIRATION_DATE, SECURITY_CODE)
        return card if self is Profile.CARD else (*card, POSTAL_CODE)

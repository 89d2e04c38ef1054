"""What guards and effects need to know about a call besides its state.

Facts are folded from a call's steps (see `fold`). They hold only what a guard, an effect or a timer reads, and every
counter is bounded by a guard, so that the set of situations a call can be in stays finite and can be walked whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from payagent.flow.money import Account, Bill, Money
from payagent.flow.states import Line, Outcome


class Pay(StrEnum):
    """How far the current payment has come at Twilio."""

    NONE = "none"
    HOLDING = "holding"
    OPENING = "opening"
    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"


@dataclass(frozen=True)  # no slots: see `replace`
class Payment:
    """One attempt to pay one bill. `no` counts them in the call; `session` is Twilio's SID, "" until known."""

    no: int = 0
    bill: str = ""
    amount: Money | None = None
    session: str = ""
    credited: bool = False


@dataclass(frozen=True)  # no slots: see `replace`
class Facts:
    """All that is known about a call besides its state."""

    # the line and the talk
    line: Line = Line.UP
    relay: str = ""
    reconnects: int = 0
    leaving: bool = False
    language: str = "en"
    turn: str = ""
    refusals: int = 0
    model_failures: int = 0
    claims: int = 0
    silences: int = 0
    speaking_until: datetime | None = None
    unanswered: bool = False
    awaiting: tuple[tuple[str, str], ...] = ()

    # identity
    identity_tries: int = 0
    look_up_failures: int = 0
    account: Account | None = None

    # the balance
    bills: tuple[Bill, ...] = ()
    wanted_bill: str = ""
    bill: Bill | None = None
    told: bool = False
    heard: bool = False
    confirmed: bool = False

    # the payment
    payment: Payment = Payment()
    earlier: tuple[Payment, ...] = ()
    pay: Pay = Pay.NONE
    held: bool = False
    capturing: str = ""
    captured: frozenset[str] = frozenset()
    field_tries: int = 0
    capture_refusals: int = 0
    prompt: str = ""
    key_at: datetime | None = None
    key_lost_at: datetime | None = None
    waiting_since: datetime | None = None
    entry_since: datetime | None = None
    last_four: str = ""
    card_type: str = ""
    seen: frozenset[str] = frozenset()
    completing: bool = False
    start_failures: int = 0
    declines: int = 0
    outcome: Outcome = Outcome.NONE
    confirmation: str = ""

    # the hand-off
    reason: str = ""
    last_error: str = ""
    routes_tried: tuple[str, ...] = ()

    def awaits(self, kind: str, key: str = "") -> bool:
        """Whether the latest order of this kind (`LookUpIdentity` …) is unanswered and, if a key is given, has it."""
        return any(k == kind and (not key or key == order) for k, order in self.awaiting)

    def is_ours(self, session: str) -> bool:
        """Whether a callback of `session` is about the current payment: of its session, or of the one being opened."""
        if self.payment.session:
            return session == self.payment.session
        return self.pay is Pay.OPENING and session not in {p.session for p in self.earlier}


if TYPE_CHECKING:  # so that mypy checks the names and types
    from dataclasses import replace as replace
else:

    def replace(facts: Any, **changes: Any) -> Any:
        """`dataclasses.replace` in 1 µs instead of 17, for dataclasses without slots; a step makes some ten copies."""
        copy = object.__new__(type(facts))
        copy.__dict__.update(facts.__dict__, **changes)
        return copy


def choose_bill(bills: tuple[Bill, ...], wanted: str) -> Bill | None:
    """The bill asked for by id or by words of its description; the oldest when none was asked for or none fits."""
    asked = wanted.strip().casefold()
    for bill in bills:
        if asked and (asked == bill.id.casefold() or asked in bill.description.casefold()):
            return bill
    return bills[0] if bills else None

"""The hand-off card: under the names of the contract, true for every outcome, and nothing that is no one's business."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from payagent.flow.call import Call
from payagent.flow.facts import Facts, Payment
from payagent.flow.hand_off import card
from payagent.flow.money import Account, Money
from payagent.flow.states import Outcome, State
from payagent.flow.table import build

NAMES = {
    "callSid",
    "reason",
    "state",
    "verified",
    "amount",
    "currency",
    "lastFour",
    "attempts",
    "lastError",
    "payment",
    "nextSafeAction",
}
JOHN = Account("A-1001", "John Doe")


def handed_off(**facts: Any) -> Call:
    """A call of which these facts are known."""
    call = Call(build(), "CA1")
    call.facts = Facts(**facts)
    return call


def test_the_card_of_a_declined_payment_tells_all_there_is() -> None:
    """Amount to the cent, the last four digits, how often it was tried, and why it failed."""
    payment = Payment(2, "B-2001", Money(Decimal("120.50"), "USD"), "PK1")
    call = handed_off(
        account=JOHN,
        payment=payment,
        last_four="1111",
        last_error="64012",
        reason="payment_failed",
        outcome=Outcome.DECLINED,
    )

    assert card(call, State.PROCESSING_PAYMENT) == {
        "callSid": "CA1",
        "reason": "payment_failed",
        "state": "processing_payment",
        "verified": True,
        "amount": "120.50",
        "currency": "USD",
        "lastFour": "1111",
        "attempts": 2,
        "lastError": "64012",
        "payment": "not_paid",
        "nextSafeAction": "Nothing was charged. Another card or another way to pay may be offered.",
    }


def test_the_card_of_a_call_without_a_payment_has_the_same_names() -> None:
    """Nothing is invented: what is not known is null."""
    found = card(handed_off(reason="identity_not_matched"), State.VERIFYING_IDENTITY)

    assert found.keys() == NAMES
    assert [found[name] for name in ("amount", "currency", "lastFour", "lastError", "attempts")] == [None] * 4 + [0]
    assert found["verified"] is False


@pytest.mark.parametrize(
    ("outcome", "payment", "action"),
    [
        (Outcome.NONE, "not_paid", "The payment can be started anew."),
        (Outcome.CANCELLED, "not_paid", "The payment can be started anew."),
        (Outcome.DECLINED, "not_paid", "Another card"),
        (Outcome.PAID, "paid", "Do not charge again."),
        (Outcome.UNKNOWN, "unknown", "Do not charge again until it is resolved."),
    ],
)
def test_every_outcome_has_its_word_and_its_next_safe_action(outcome: Outcome, payment: str, action: str) -> None:
    """Only a success is paid, only an unknown is unknown; after both nobody is told to charge."""
    found = card(handed_off(account=JOHN, outcome=outcome), State.CHOOSING_AMOUNT)

    assert found["payment"] == payment
    assert action in str(found["nextSafeAction"])
    assert ("Do not charge again" in str(found["nextSafeAction"])) is (payment != "not_paid")


def test_a_stranger_is_to_be_verified_first() -> None:
    """The person who takes over starts where the program stopped."""
    found = card(handed_off(), State.VERIFYING_IDENTITY)

    assert found["nextSafeAction"] == "Verify the caller's identity. Nothing was charged."


def test_the_card_names_neither_the_person_nor_the_account() -> None:
    """It goes through Twilio's task attributes, which are no place for personal data."""
    text = json.dumps(card(handed_off(account=JOHN, captured=frozenset({"card_number"})), State.CARD_NUMBER_ENTRY))

    assert "Doe" not in text
    assert "A-1001" not in text


@pytest.mark.parametrize(
    ("outcome", "payment"),
    [
        (Outcome.NONE, "unknown"),
        (Outcome.PAID, "paid"),
        (Outcome.CANCELLED, "not_paid"),
        (Outcome.DECLINED, "not_paid"),
    ],
)
def test_a_charge_without_an_answer_is_unknown(outcome: Outcome, payment: str) -> None:
    """Where a call is passed on before the flow itself has given up waiting."""
    shown = card(handed_off(account=JOHN, completing=True, outcome=outcome), State.PROCESSING_PAYMENT)

    assert shown["payment"] == payment
    assert ("Do not charge again" in str(shown["nextSafeAction"])) is (payment in ("unknown", "paid"))

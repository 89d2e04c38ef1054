"""Facts: what is known of a call, and the questions they answer."""

from __future__ import annotations

import dataclasses
from decimal import Decimal

import pytest

from payagent.flow.facts import Facts, Pay, Payment, choose_bill, replace
from payagent.flow.limits import Limits
from payagent.flow.money import Bill, Money
from payagent.flow.states import Line

VISIT = Bill("B-1", "Clinic visit", Money(Decimal("600.00"), "USD"))
LAB = Bill("B-2", "Lab work", Money(Decimal("80.00"), "USD"))


def test_replace_does_what_that_of_dataclasses_does() -> None:
    """Only faster: the original is untouched."""
    facts = Facts(language="es")

    assert replace(facts, line=Line.LOST, silences=2) == dataclasses.replace(facts, line=Line.LOST, silences=2)
    assert replace(Payment(1, "B-1"), session="PK-1") == Payment(1, "B-1", session="PK-1")
    assert facts == Facts(language="es")


def test_facts_cannot_be_changed_in_place() -> None:
    """Deciding would change the call."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        Facts().turn = "CA1:1:0"  # type: ignore[misc]


def test_which_order_is_awaited() -> None:
    """By its kind, and if need be by its key."""
    facts = Facts(awaiting=(("OpenPay", "CA1:9:1"),))

    assert facts.awaits("OpenPay")
    assert facts.awaits("OpenPay", "CA1:9:1")
    assert not facts.awaits("OpenPay", "CA1:3:1")
    assert not facts.awaits("Capture")


@pytest.mark.parametrize(
    ("facts", "session", "ours"),
    [
        (Facts(payment=Payment(1, "B-1", session="PK-1"), pay=Pay.OPEN), "PK-1", True),
        (Facts(payment=Payment(1, "B-1", session="PK-1"), pay=Pay.CLOSED), "PK-1", True),
        (Facts(payment=Payment(1, "B-1", session="PK-1"), pay=Pay.OPEN), "PK-2", False),
        (Facts(payment=Payment(1, "B-1"), pay=Pay.OPENING), "PK-1", True),
        (Facts(payment=Payment(2, "B-1"), earlier=(Payment(1, session="PK-1"),), pay=Pay.OPENING), "PK-1", False),
        (Facts(payment=Payment(2, "B-1"), earlier=(Payment(1, session="PK-1"),), pay=Pay.OPENING), "PK-2", True),
        (Facts(payment=Payment(1, "B-1"), pay=Pay.HOLDING), "PK-1", False),
        (Facts(), "", False),
    ],
)
def test_which_sessions_callbacks_are_about_the_current_payment(facts: Facts, session: str, ours: bool) -> None:
    """Its own, or the first one heard of while it is being opened; never that of an earlier payment."""
    assert facts.is_ours(session) is ours


@pytest.mark.parametrize(
    ("wanted", "bill"),
    [("", VISIT), ("lab", LAB), (" LAB WORK ", LAB), ("b-2", LAB), ("rent", VISIT), ("  ", VISIT)],
)
def test_the_bill_that_is_asked_for(wanted: str, bill: Bill) -> None:
    """By id or by words of its description; else the oldest."""
    assert choose_bill((VISIT, LAB), wanted) == bill


def test_no_bill_to_choose() -> None:
    """Nothing is owed."""
    assert choose_bill((), "lab") is None


def test_money_is_told_with_two_decimals() -> None:
    """And its currency."""
    assert str(Money(Decimal("600"), "USD")) == "600.00 USD"


def test_scaled_limits_keep_their_counts() -> None:
    """Only waits are shortened."""
    scaled = Limits().scaled(0.5)

    assert (scaled.silence_seconds, scaled.unknown_seconds) == (5, 30)
    assert scaled.field_tries == Limits().field_tries

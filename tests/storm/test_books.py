"""Three books that agree, and each way in which they may not."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from payagent.flow import events as ev
from payagent.flow.states import Outcome
from payagent.storm.books import BillLine, Charged, Recorded, differences, recorded
from payagent.testing import PracticeCall

FULL = Decimal("600.00")
CHARGED = Charged("PK1", "CA1", FULL)
PAID = Recorded("CA1:1", "CA1", "B-1", "PK1", FULL, Outcome.PAID)
PAID_OFF = BillLine("B-1", FULL, Decimal(0), held=False)
UNPAID = BillLine("B-1", FULL, FULL, held=False)
UNKNOWN = replace(PAID, outcome=Outcome.UNKNOWN)


@pytest.mark.parametrize(
    ("charges", "payments", "bill"),
    [
        ([], [], UNPAID),
        ([CHARGED], [PAID], PAID_OFF),
        ([CHARGED], [UNKNOWN], replace(UNPAID, held=True)),
        ([], [UNKNOWN], replace(UNPAID, held=True)),
        ([], [replace(PAID, outcome=Outcome.DECLINED)], UNPAID),
        ([], [replace(PAID, outcome=Outcome.CANCELLED, session="")], UNPAID),
    ],
)
def test_books_that_agree(charges: list[Charged], payments: list[Recorded], bill: BillLine) -> None:
    """Paid and taken off, unknown and held, or neither."""
    assert differences(charges, payments, [bill]) == []


def test_two_parts_of_one_bill() -> None:
    """Both count, and their sum is taken off."""
    half = Decimal("300.00")
    charges = [replace(CHARGED, amount=half), Charged("PK2", "CA2", half)]
    payments = [replace(PAID, amount=half), Recorded("CA2:1", "CA2", "B-1", "PK2", half, Outcome.PAID)]

    assert differences(charges, payments, [PAID_OFF]) == []


@pytest.mark.parametrize(
    ("charges", "payments", "bill", "said", "call"),
    [
        ([CHARGED], [], UNPAID, "600.00 was charged in a session that is not on record", "CA1"),
        ([CHARGED], [replace(PAID, outcome=Outcome.CANCELLED)], UNPAID, "the record says cancelled", "CA1"),
        ([CHARGED], [replace(PAID, outcome=Outcome.NONE)], UNPAID, "the record says none", "CA1"),
        ([CHARGED, CHARGED], [PAID], PAID_OFF, "a payment session was charged twice", ""),
        ([replace(CHARGED, amount=Decimal(6))], [PAID], PAID_OFF, "6 was charged where 600.00 was agreed", "CA1"),
        ([], [PAID], PAID_OFF, "600.00 is paid on record, and was not charged", "CA1"),
        ([CHARGED], [PAID], UNPAID, "bill B-1: 600.00 is paid on record, 0.00 was taken off", "CA1"),
        ([], [], PAID_OFF, "bill B-1: 0 is paid on record, 600.00 was taken off", ""),
        ([], [], replace(UNPAID, held=True), "bill B-1 is held for nobody", ""),
        ([CHARGED], [UNKNOWN], UNPAID, "is not held, though an outcome is unknown", "CA1"),
    ],
)
def test_books_that_do_not(
    charges: list[Charged], payments: list[Recorded], bill: BillLine, said: str, call: str
) -> None:
    """Each difference is told once, with the call to look at."""
    (found,) = differences(charges, payments, [bill])

    assert said in found.what
    assert found.call_sid == call


def test_a_bill_that_was_paid_twice() -> None:
    """More than it owed, by two calls that both have their charge."""
    again = Recorded("CA2:1", "CA2", "B-1", "PK2", FULL, Outcome.PAID)
    (found,) = differences([CHARGED, Charged("PK2", "CA2", FULL)], [PAID, again], [PAID_OFF])

    assert found.what == "bill B-1 owed 600.00 and 1200.00 was paid on it"
    assert found.call_sid == "CA2"


def test_the_payments_of_a_call() -> None:
    """One that was declined, then one that was paid; what is credited stays paid."""
    call = PracticeCall().verify().agree().start("600.00").open().key_in_card().go_ahead()
    call.report(ev.PaymentFailed, result="payment-connector-error", code=64012)
    call.start("25.00").open().key_in_card().go_ahead()
    call.report(ev.PaymentSucceeded, confirmation="ch_2")

    assert list(recorded(PracticeCall().call)) == []
    assert list(recorded(call.call)) == [
        Recorded("CA1:1", "CA1", "B-1", "PK-1", FULL, Outcome.NONE),
        Recorded("CA1:2", "CA1", "B-1", "PK-2", Decimal("25.00"), Outcome.PAID),
    ]


def test_a_late_success_of_an_earlier_payment() -> None:
    """What was credited is paid, whatever the call goes on with."""
    call = PracticeCall().verify().agree().start("600.00").open().key_in_card().go_ahead()
    call.report(ev.PaymentFailed, result="payment-connector-error", code=64012)
    call.start("25.00").open()
    call.post(ev.PaymentSucceeded("PK-1", "ch_1"))

    assert [payment.outcome for payment in recorded(call.call)] == [Outcome.PAID, Outcome.NONE]


def test_an_outcome_nobody_knows() -> None:
    """The latest payment has the call's outcome."""
    call = PracticeCall().verify().agree().start("600.00").open().key_in_card().go_ahead()
    call.time_up("result_overdue")

    assert [payment.outcome for payment in recorded(call.call)] == [Outcome.UNKNOWN]

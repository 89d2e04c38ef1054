"""How a step becomes facts: what the stories of the paths do not come by."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from payagent.flow import effects as do
from payagent.flow import events as ev
from payagent.flow.facts import Facts, Pay, Payment
from payagent.flow.fold import adopt, entered, is_late, learn, ordered
from payagent.flow.limits import Limits
from payagent.flow.money import Money
from payagent.flow.states import Line, Outcome, State
from payagent.flow.tools import parse

S = State
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
TEN = Money(Decimal("10.00"), "USD")
PAYING = Facts(payment=Payment(1, "B-1", TEN, "PK-1"), pay=Pay.OPEN, held=True, capturing="card_number")


def learned(facts: Facts, event: ev.Event) -> Facts:
    return learn(facts, event, None, Limits(), NOON)


def test_a_payment_without_a_bill_is_no_payment() -> None:
    """Learning is total: a table that opened `start_payment` too early is stopped by its guards, not by a crash."""
    event = ev.ToolCalled("CA1:1:0", "c", "start_payment", '{"amount": "10.00"}')

    assert learn(Facts(), event, parse("start_payment", event.arguments), Limits(), NOON).payment == Payment()


def test_what_is_said_takes_its_time() -> None:
    """Each character a little; what is said meanwhile is spoken after it."""
    facts = learned(Facts(), ev.AgentSpoke("CA1:1:0", "x" * 100))
    facts = learned(facts, ev.AgentSpoke("CA1:1:1", "x" * 100))

    assert facts.speaking_until == NOON + timedelta(seconds=200 * Limits().speaking_seconds_per_character)


@pytest.mark.parametrize(
    "event",
    [
        ev.FieldCaptured("PK-1", "security_code", (), "1111", "visa"),
        ev.KeyPressed("PK-1", "security_code"),
        ev.CaptureOutOfSequence("PK-1", "security_code"),
        ev.FieldRejected("PK-1", "security_code", "invalid-security-code"),
    ],
)
def test_a_report_about_another_field_changes_nothing(event: ev.PayReport) -> None:
    """Late callbacks cannot complete, reject or quicken the field under way."""
    assert learned(PAYING, event) == PAYING


def test_a_digest_is_remembered_until_the_next_capture() -> None:
    """So that a retry is noise, and a new time-out is not."""
    facts = learned(PAYING, ev.CaptureBegan("PK-1", "card_number", "digest-1"))
    anew = ordered(facts, (do.Capture("PK-1", "card_number"),), "CA1", 9)

    assert facts.seen == {"digest-1"}
    assert anew.seen == frozenset()


def test_a_field_taken_anew_is_missing_again_and_its_tries_start_over() -> None:
    """The same field asked again after a rejection keeps its count."""
    before = Facts(capturing="card_number", captured=frozenset({"card_number"}), field_tries=2, capture_refusals=1)
    fresh = ordered(before, (do.Capture("PK-1", "card_number"),), "CA1", 9)
    again = ordered(
        learned(PAYING, ev.FieldRejected("PK-1", "card_number", "x")), (do.Capture("PK-1", "card_number"),), "CA1", 9
    )

    assert (fresh.captured, fresh.field_tries, fresh.capture_refusals) == (frozenset(), 0, 0)
    assert again.field_tries == 1


def test_the_rest_answer_after_the_callback_tells_nothing_new() -> None:
    """And the other way round."""
    opening = Facts(payment=Payment(1, "B-1", TEN), pay=Pay.OPENING, awaiting=(("OpenPay", "CA1:9:1"),))
    adopted = adopt(opening, "PK-1")

    assert adopted.payment.session == "PK-1"
    assert adopted.pay is Pay.OPEN
    assert is_late(adopted, ev.PayOpened("CA1:9:1", "PK-1"))
    assert adopt(adopted, "PK-2") == adopted


def test_an_answer_is_awaited_only_where_it_matters() -> None:
    """A move to where nothing waits for it makes it late."""
    facts = Facts(awaiting=(("ReadBills", "CA1:5:0"),))

    assert entered(facts, "x", S.CONFIRMING_BALANCE, S.CONFIRMING_BALANCE, NOON).awaits("ReadBills")
    assert not entered(facts, "x", S.CONFIRMING_BALANCE, S.HANDING_OFF, NOON).awaits("ReadBills")


def test_an_unknown_outcome_keeps_its_hold() -> None:
    """The session counts as over, the bill does not."""
    facts = entered(PAYING, "result_overdue", S.PROCESSING_PAYMENT, S.PAYMENT_OUTCOME_UNKNOWN, NOON)

    assert (facts.outcome, facts.pay, facts.held) == (Outcome.UNKNOWN, Pay.CLOSED, True)


@pytest.mark.parametrize("place", [S.PAYMENT_DECLINED, S.PAYMENT_CANCELLED])
def test_after_a_decline_or_a_cancel_the_caller_has_to_speak_anew(place: State) -> None:
    """Words of before are no agreement to another charge."""
    assert not entered(Facts(heard=True), "x", S.PROCESSING_PAYMENT, place, NOON).heard


def test_releasing_a_bill_leaves_a_session_that_is_being_opened_to_be_adopted() -> None:
    """Its first callback makes it known, and then it is cancelled."""
    opening = Facts(payment=Payment(1, "B-1", TEN), pay=Pay.OPENING, held=True)
    released = ordered(opening, (do.ReleaseBill("B-1", "CA1:1"),), "CA1", 9)

    assert (released.pay, released.held) == (Pay.OPENING, False)


def test_crediting_an_earlier_payment_does_not_touch_the_current_one() -> None:
    """Payments are numbered in a call."""
    credit = do.CreditBill("B-1", "CA1:1", TEN, "ch_1")
    second = Facts(payment=Payment(2, "B-1", TEN, "PK-2"), held=True)

    assert ordered(second, (credit,), "CA1", 9) == second
    assert ordered(PAYING, (credit,), "CA1", 9).payment.credited


def test_cancelling_a_stray_session_is_nobodys_business() -> None:
    """Its answer closes nothing of this payment."""
    facts = ordered(PAYING, (do.CancelPay("PK-stray"),), "CA1", 9)

    assert facts == PAYING


def test_a_relay_lost_after_goodbye_is_no_lost_line() -> None:
    """The program ended it."""
    leaving = Facts(relay="VX-1", leaving=True)

    assert learned(leaving, ev.RelayLost("VX-1")).line is Line.UP

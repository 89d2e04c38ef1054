"""The paths from the go-ahead on, told as stories: paid, declined, refused, unknown, and late."""

from __future__ import annotations

import pytest
from stories import DECLINED, charging, chosen, opened, sayings, usd

from payagent.flow import effects as do
from payagent.flow import events as ev
from payagent.flow.facts import Pay
from payagent.flow.states import Line, Outcome, State
from payagent.flow.table import Flow

S = State


# The processor's answer


def test_words_while_the_charge_is_open_are_answered_after_the_outcome(paced: Flow) -> None:
    """No model turn meanwhile: a fixed “still working”."""
    call = charging(paced)
    meanwhile = call.say("did it go through?")
    call.report(ev.PaymentSucceeded, confirmation="ch_1")

    assert meanwhile.orders == (do.Say("still_working", interruptible=False),)
    assert call.offered == () or call.state is S.PAYMENT_COMPLETED
    assert call.said() == ["paid"]
    assert do.Think() in call.steps[-1].orders


def test_no_tool_is_open_while_the_charge_is(paced: Flow) -> None:
    """Whatever the model tries."""
    call = charging(paced)

    assert call.offered == ()
    assert call.tool("cancel_payment_processing").refused
    assert call.tool("complete_payment_processing").refused
    assert call.ordered(do.CompletePay) == [do.CompletePay("PK-1")]


def test_declined_then_another_card(paced: Flow) -> None:
    """A new agreement, a new session, and the first card's fields are forgotten."""
    call = charging(paced)
    call.report(ev.PaymentFailed, **DECLINED)
    told, freed = call.said(), call.ordered(do.ReleaseBill)
    call.start().open().key_in_card("1111").go_ahead()
    call.report(ev.PaymentSucceeded, confirmation="ch_2")

    assert told == ["declined"]
    assert freed == [do.ReleaseBill("B-1", "CA1:1", declined=True)]
    assert call.ordered(do.CompletePay) == [do.CompletePay("PK-1"), do.CompletePay("PK-2")]
    assert call.state is S.PAYMENT_COMPLETED


def test_three_declined_cards_are_enough(paced: Flow) -> None:
    """No machine to try cards on."""
    call = chosen(paced)
    for _ in range(3):
        call.start().open().key_in_card().go_ahead()
        call.report(ev.PaymentFailed, **DECLINED)

    assert call.said() == ["declined_person"]
    assert call.state is S.HANDING_OFF


@pytest.mark.parametrize("by_rest", [False, True])
def test_the_last_declined_card_counts_too(paced: Flow, by_rest: bool) -> None:
    """The bill is freed, the card counts against the account, and the relay is left for a person."""
    call = chosen(paced)
    for _ in range(3):
        call.start().open().key_in_card().go_ahead()
        if by_rest:
            call.answer(ev.CompleteRefused, code=64012)
        else:
            call.report(ev.PaymentFailed, **DECLINED)

    assert call.ordered(do.ReleaseBill) == [do.ReleaseBill("B-1", f"CA1:{n}", declined=True) for n in (1, 2, 3)]
    assert call.ordered(do.EndRelay) == [do.EndRelay()]


def test_declined_then_stop() -> None:
    """A declined session is dead already: there is nothing to cancel."""
    call = charging()
    call.report(ev.PaymentFailed, **DECLINED)
    call.say("then leave it")
    step = call.tool("cancel_payment_processing")

    assert step.after is S.PAYMENT_CANCELLED
    assert call.ordered(do.CancelPay) == []


@pytest.mark.parametrize(
    ("result", "code"),
    [
        ("payment-connector-error", 64002),
        ("internal-error", 0),
        ("caller-interrupted-with-star", 0),
        ("something-new", 0),
    ],
)
def test_any_other_result_leaves_it_open_whether_the_card_was_charged(paced: Flow, result: str, code: int) -> None:
    """Said so, handed to a person, never charged again; the bill stays held."""
    call = charging(paced)
    step = call.report(ev.PaymentFailed, result=result, code=code)
    call.time_up("hand_over")

    assert step.after is S.PAYMENT_OUTCOME_UNKNOWN
    assert sayings(step.orders) == ["unknown_outcome"]
    assert call.state is S.HANDING_OFF
    assert call.ordered(do.ReleaseBill, do.CancelPay) == []


@pytest.mark.parametrize("result", ["validation-error", "too-many-failed-attempts"])
def test_documented_results_that_surely_charged_nothing_are_declines(result: str) -> None:
    """Told as such."""
    call = charging()

    assert call.report(ev.PaymentFailed, result=result).after is S.PAYMENT_DECLINED


def test_a_result_that_never_comes_is_unknown(paced: Flow) -> None:
    """“Still working” every ten seconds; after sixty the truth."""
    call = charging(paced)
    steps = call.wait(61)

    assert [sayings(step.orders)[0] for step in steps] == ["still_working"] * 5 + ["unknown_outcome"]
    assert call.call.facts.outcome is Outcome.UNKNOWN


def test_an_unknown_outcome_settled_by_a_late_success(paced: Flow) -> None:
    """The caller who is still there hears it; the bill is credited once."""
    call = charging(paced)
    call.time_up("result_overdue")
    step = call.report(ev.PaymentSucceeded, confirmation="ch_1")
    again = call.report(ev.PaymentSucceeded, confirmation="ch_1")

    assert step.after is S.PAYMENT_COMPLETED
    assert sayings(step.orders)[0] == "paid"
    assert again.orders == ()
    assert len(call.ordered(do.CreditBill)) == 1


def test_a_late_success_after_the_call_is_recorded_and_credited() -> None:
    """In place: nothing is said, the call stays over."""
    call = charging()
    call.time_up("result_overdue")
    call.post(ev.CallerHungUp())
    step = call.report(ev.PaymentSucceeded, confirmation="ch_1")

    assert call.state is S.ENDED
    assert step.orders == (do.CreditBill("B-1", "CA1:1", usd("600.00"), "ch_1"),)


@pytest.mark.parametrize(
    ("outcome", "order"),
    [
        ("paid", do.CreditBill("B-1", "CA1:1", usd("600.00"), "ref-7")),
        ("not_paid", do.ReleaseBill("B-1", "CA1:1")),
    ],
)
def test_an_unknown_outcome_settled_by_a_person(outcome: str, order: do.Order) -> None:
    """With a reference, or as not paid; once, and only where it is unknown."""
    call = charging()
    too_early = call.post(ev.OutcomeResolved(outcome, "ref-7", "op", "seen"))
    call.time_up("result_overdue")
    call.post(ev.CallerHungUp())
    step = call.post(ev.OutcomeResolved(outcome, "ref-7", "op", "seen"))
    again = call.post(ev.OutcomeResolved(outcome, "ref-7", "op", "seen"))

    assert too_early is not None
    assert "not unknown" in too_early.refused
    assert step is not None
    assert step.orders == (order,)
    assert again is not None
    assert again.refused


def test_a_late_success_of_an_earlier_payment_is_credited_to_it() -> None:
    """Wherever the call is now; once."""
    call = opened()
    call.tool("cancel_payment_processing")
    call.answer(ev.CancelAccepted)
    call.start("10.00").open()
    step = call.post(ev.PaymentSucceeded("PK-1", "ch_0"))
    again = call.post(ev.PaymentSucceeded("PK-1", "ch_0"))

    assert step is not None
    assert step.orders == (do.CreditBill("B-1", "CA1:1", usd("600.00"), "ch_0"),)
    assert again is not None
    assert again.orders == ()
    assert call.state is S.CARD_NUMBER_DUE


def test_a_success_while_cancelling_counts() -> None:
    """The race is won by the processor, and the caller is told."""
    call = opened()
    call.tool("cancel_payment_processing")
    step = call.report(ev.PaymentSucceeded, confirmation="")

    assert step.after is S.PAYMENT_COMPLETED
    assert sayings(step.orders)[0] == "paid_without_code"


# A charge that Twilio refuses


def test_a_field_that_twilio_still_misses(paced: Flow) -> None:
    """64019 names none, so all are taken again; words said meanwhile are answered; and it is bounded."""
    call = charging(paced)
    call.say("how long does it take?")
    step = call.answer(ev.CompleteRefused, code=64019)
    first, captured = call.state, call.call.facts.captured
    call.key_in_card().go_ahead()
    call.answer(ev.CompleteRefused, code=64019)
    call.key_in_card().go_ahead()
    call.answer(ev.CompleteRefused, code=64019)

    assert "field_missing" in sayings(step.orders)
    assert do.Think() in step.orders
    assert first in (S.CARD_NUMBER_DUE, S.CARD_NUMBER_ENTRY)
    assert captured == frozenset()
    assert call.ordered(do.CompletePay) == [do.CompletePay("PK-1")] * 3
    assert call.state is S.HANDING_OFF


def test_a_refusal_that_leaves_the_charge_open_is_waited_out() -> None:
    """64002: the result or the deadline decides; the charge is never sent again."""
    call = charging()
    step = call.answer(ev.CompleteRefused, code=64002)
    call.post(ev.SessionRefused("PK-1", "internal-error"))
    still_open = (call.call.facts.completing, call.call.facts.pay)
    late = call.report(ev.PaymentSucceeded, confirmation="ch_1")

    assert (step.after, step.orders) == (S.PROCESSING_PAYMENT, ())
    assert still_open == (True, Pay.OPEN)
    assert late.after is S.PAYMENT_COMPLETED


@pytest.mark.parametrize(
    ("code", "state", "sentence"),
    [
        (64012, S.PAYMENT_DECLINED, "declined"),
        (20404, S.PAYMENT_CANCELLED, "session_lost"),
        (429, S.HANDING_OFF, "start_failed_person"),
    ],
)
def test_a_charge_that_was_surely_refused(code: int, state: State, sentence: str) -> None:
    """By the card, by a session that is gone, or by anything else: a person."""
    call = charging()
    step = call.answer(ev.CompleteRefused, code=code)

    assert (step.after, sayings(step.orders)) == (state, [sentence])


def test_a_charge_that_was_surely_refused_while_nobody_is_there() -> None:
    """The session is closed."""
    call = charging()
    call.post(ev.RelayLost("VX-1"))
    step = call.answer(ev.CompleteRefused, code=429)

    assert step.after is S.CANCELLING_PAYMENT
    assert step.orders == (do.CancelPay("PK-1"),)


def test_a_charge_without_an_answer_is_never_sent_again() -> None:
    """Only the callback or the deadline tells."""
    call = charging()
    step = call.answer(ev.CompleteUnanswered)

    assert (step.after, step.orders) == (S.PROCESSING_PAYMENT, ())


def test_the_caller_hangs_up_while_the_charge_is_open() -> None:
    """The call waits for the result, silently, and comes to a true end."""
    call = charging()
    call.post(ev.CallerHungUp())
    waiting = call.state
    call.wait(30)
    step = call.report(ev.PaymentSucceeded, confirmation="ch_1")

    assert waiting is S.PROCESSING_PAYMENT
    assert call.call.facts.line is Line.GONE
    assert step.orders == (do.CreditBill("B-1", "CA1:1", usd("600.00"), "ch_1"),)
    assert step.after is S.ENDED


def test_a_decline_after_the_caller_hung_up() -> None:
    """Nothing is said; the bill is free."""
    call = charging()
    call.post(ev.CallerHungUp())
    step = call.report(ev.PaymentFailed, **DECLINED)

    assert (step.after, step.orders) == (S.ENDED, (do.ReleaseBill("B-1", "CA1:1", declined=True),))

"""The paths up to the payment, told as stories: who calls, what is owed, how much is paid, and the session opened."""

from __future__ import annotations

import pytest
from stories import AUTOMATIC, DECLINED, charging, chosen, opened, sayings, usd

from payagent.flow import effects as do
from payagent.flow import events as ev
from payagent.flow.states import State
from payagent.flow.table import Flow
from payagent.testing import ACCOUNT, BILL, OTHER_BILL, PracticeCall

S = State


# Who is calling


def test_the_identity_is_tried_three_times() -> None:
    """Then a person takes over; half an identity is no try."""
    call = PracticeCall()
    for _ in range(3):
        call.say("Ada, born in May")
        assert call.tool("verify_user", full_name="Ada", date_of_birth="May").refused
        call.say("Ada Payer, third of May")
        call.tool("verify_user", full_name="Ada Payer", date_of_birth="1990-05-03")
        call.answer(ev.IdentityNotMatched)

    assert [name for step in call.steps for name in sayings(step.orders)] == [
        "identity_not_matched",
        "identity_not_matched",
        "identity_failed",
    ]
    assert call.state is S.HANDING_OFF


def test_a_look_up_that_could_not_be_made_is_no_failed_try() -> None:
    """It is asked again, and bounded apart: then a person takes over."""
    call = PracticeCall()
    for _ in range(3):
        call.say("Ada Payer, first of May")
        call.tool("verify_user", full_name="Ada Payer", date_of_birth="1990-05-01")
        call.answer(ev.IdentityLookUpFailed)

    assert call.call.facts.identity_tries == 0
    assert call.said() == ["identity_failed"]
    assert call.state is S.HANDING_OFF


def test_one_look_up_at_a_time() -> None:
    """A second one while the first runs is refused."""
    call = PracticeCall()
    call.say("Ada Payer")
    call.tool("verify_user", full_name="Ada Payer", date_of_birth="1990-05-01")
    call.say("hello?")

    assert "verify_user" not in call.offered
    assert "Still looking" in call.tool("verify_user", full_name="Ada Payer", date_of_birth="1990-05-01").refused


# Paying


def test_a_whole_payment(flow: Flow) -> None:
    """From the first ring to the receipt; what is charged is what was agreed to, to the cent."""
    call = chosen(flow).start("600.00").open().key_in_card().go_ahead()
    call.report(ev.PaymentSucceeded, confirmation="ch_1")
    paid = call.steps[-1]
    call.say("no, thanks")
    call.tool("end_call")

    assert paid.orders == (
        do.Say("paid", (("amount", usd("600.00")), ("code", "ch_1")), interruptible=False),
        do.Say("anything_else"),
        do.CreditBill("B-1", "CA1:1", usd("600.00"), "ch_1"),
    )
    assert call.ordered(do.OpenPay) == [do.OpenPay("CA1:1", usd("600.00"), "clinic visit")]
    assert call.ordered(do.CompletePay) == [do.CompletePay("PK-1")]
    assert call.state is S.ENDED


def test_the_way_of_a_payment_through_the_states_in_model_pace() -> None:
    """Each field is due first; the caller's go-ahead comes last."""
    call = charging()
    call.report(ev.PaymentSucceeded, confirmation="ch_1")

    assert [step.after for step in call.steps if step.after is not step.before] == [
        S.CONFIRMING_BALANCE,
        S.CHOOSING_AMOUNT,
        S.STARTING_PAYMENT,
        S.CARD_NUMBER_DUE,
        S.CARD_NUMBER_ENTRY,
        S.EXPIRATION_DATE_DUE,
        S.EXPIRATION_DATE_ENTRY,
        S.SECURITY_CODE_DUE,
        S.SECURITY_CODE_ENTRY,
        S.READY_TO_COMPLETE,
        S.PROCESSING_PAYMENT,
        S.PAYMENT_COMPLETED,
    ]


def test_in_automatic_pace_the_model_is_not_needed_from_the_amount_to_the_charge() -> None:
    """The callbacks' own rows ask for each field and charge the card."""
    call = charging(AUTOMATIC)
    started = next(n for n, step in enumerate(call.steps) if step.after is S.STARTING_PAYMENT)

    assert call.state is S.PROCESSING_PAYMENT
    assert not [order for step in call.steps[started:] for order in step.orders if isinstance(order, do.Think)]


def test_a_part_of_the_bill(paced: Flow) -> None:
    """Any amount from 1.00 up to what is owed."""
    call = chosen(paced).start("1.00").open().key_in_card().go_ahead()
    call.report(ev.PaymentSucceeded, confirmation="ch_1")

    assert call.ordered(do.CreditBill) == [do.CreditBill("B-1", "CA1:1", usd("1.00"), "ch_1")]


@pytest.mark.parametrize("amount", ["0.99", "0", "-5", "600.01"])
def test_an_amount_that_cannot_be_paid_starts_nothing(amount: str) -> None:
    """The model is told in words, and may ask again."""
    call = chosen()
    call.say("that much")
    step = call.tool("start_payment", amount=amount)

    assert "at least 1.00" in step.refused
    assert step.orders == (do.Think(),)
    assert call.state is S.CHOOSING_AMOUNT


def test_one_utterance_may_agree_to_the_balance_and_name_the_amount() -> None:
    """“Yes, and all of it”: the model's turn goes on after `confirm_balance`."""
    call = PracticeCall().verify()
    call.say("yes, and all of it")
    call.tool("confirm_balance", agreed=True)
    step = call.tool("start_payment", amount="600.00")

    assert step.after is S.STARTING_PAYMENT


def test_the_model_cannot_agree_for_the_caller() -> None:
    """A turn that was not caused by words since the balance was told may not confirm it, nor start a payment again."""
    call = charging()
    call.say("and then I want to try again")
    call.report(ev.PaymentFailed, **DECLINED)
    step = call.tool("start_payment", amount="600.00")

    assert "Wait for what the caller says" in step.refused
    assert call.state is S.PAYMENT_DECLINED


def test_the_amount_is_spoken_before_the_keypad_opens() -> None:
    """By a fixed sentence that cannot be talked over."""
    call = chosen().start("120.00")

    assert call.steps[-1].orders[0] == do.Say(
        "about_to_pay", (("amount", usd("120.00")), ("description", "clinic visit")), interruptible=False
    )


def test_a_second_bill_in_one_call() -> None:
    """It is read anew, told, agreed to and paid as a payment of its own."""
    call = charging()
    call.report(ev.PaymentSucceeded, confirmation="ch_1")
    call.say("and the lab work")
    call.tool("check_pending_bill", bill="lab work")
    call.answer(ev.BillsRead, bills=(OTHER_BILL,))
    call.agree().start("80.00").open().key_in_card("1111").go_ahead()
    call.report(ev.PaymentSucceeded, confirmation="ch_2")

    assert call.ordered(do.CreditBill) == [
        do.CreditBill("B-1", "CA1:1", usd("600.00"), "ch_1"),
        do.CreditBill("B-2", "CA1:2", usd("80.00"), "ch_2"),
    ]
    assert call.ordered(do.CompletePay) == [do.CompletePay("PK-1"), do.CompletePay("PK-2")]


def test_the_bill_named_is_the_one_told_and_paid() -> None:
    """Its balance is agreed to anew, even when another was agreed to before."""
    call = chosen()
    call.say("I mean the lab work")
    call.tool("check_pending_bill", bill="Lab")
    call.answer(ev.BillsRead, bills=(BILL, OTHER_BILL))
    balance = call.steps[-1].orders[-1]
    call.say("yes")
    refused = call.tool("start_payment", amount="80.00")

    assert balance == do.Say("balance", (("amount", usd("80.00")), ("description", "lab work")), interruptible=False)
    assert "no tool 'start_payment'" in refused.refused
    assert call.call.facts.bill == OTHER_BILL


def test_nothing_owed() -> None:
    """Nothing can be paid; the call may end."""
    call = PracticeCall()
    call.say("Ada Payer, first of May 1990")
    call.tool("verify_user", full_name="Ada Payer", date_of_birth="1990-05-01")
    call.answer(ev.IdentityMatched, account=ACCOUNT)
    call.answer(ev.BillsRead, bills=())
    told = call.said()
    call.say("oh, good")

    assert told == ["nothing_owed"]
    assert set(call.offered) == {"check_pending_bill", "end_call", "human_agent_handoff", "switch_language"}
    assert call.tool("end_call").after is S.ENDED


def test_a_disputed_balance_is_a_persons_business() -> None:
    """The model does not argue."""
    call = PracticeCall().verify()
    call.say("that is wrong")
    call.tool("confirm_balance", agreed=False)

    assert call.said() == ["balance_disputed"]
    assert call.state is S.HANDING_OFF


def test_bills_that_cannot_be_read_lead_to_a_person() -> None:
    """Without the book nothing can be paid."""
    call = chosen()
    call.tool("check_pending_bill", bill=None)
    step = call.answer(ev.BillsUnavailable)

    assert step.after is S.HANDING_OFF


def test_a_bill_that_is_held_elsewhere_leads_to_a_person() -> None:
    """Another payment on it is open, or unresolved."""
    call = chosen()
    call.tool("start_payment", amount="600.00")
    step = call.answer(ev.BillNotHeld, reason="held")

    assert call.said() == ["bill_busy"]
    assert step.after is S.HANDING_OFF
    assert call.ordered(do.OpenPay) == []


# Opening the session


def test_a_callback_may_come_before_the_rest_answer(paced: Flow) -> None:
    """Whichever comes first makes the session known; the other tells nothing new."""
    call = chosen(paced).start()
    call.report(ev.PaymentSessionStarted, session="PK-9")
    moved = call.state
    second = call.answer(ev.PayOpened, session="PK-9")

    assert moved in (S.CARD_NUMBER_DUE, S.CARD_NUMBER_ENTRY)
    assert (second.row, second.orders) == ("", ())
    assert call.call.facts.payment.session == "PK-9"


def test_a_start_that_is_refused_may_be_tried_three_times() -> None:
    """Surely no session is open; the bill is free in between."""
    call = chosen()
    for _ in range(3):
        call.start()
        call.answer(ev.PayNotOpened, code=64021)

    assert call.said() == ["start_failed_person"]
    assert call.state is S.HANDING_OFF
    assert len(call.ordered(do.ReleaseBill)) == 3


def test_a_session_in_progress_is_a_refusal_too() -> None:
    """Twilio says it by a callback."""
    call = chosen().start()
    step = call.report(ev.SessionRefused, error="session-in-progress")

    assert step.after is S.CHOOSING_AMOUNT
    assert call.said() == ["start_failed"]


def test_a_session_that_nobody_waits_for_is_cancelled() -> None:
    """Whether it is told by a callback or by a late answer."""
    call = chosen()
    by_callback = call.report(ev.PaymentSessionStarted, session="PK-stray")
    by_answer = call.post(ev.PayOpened("CA9:1:0", "PK-late"))

    assert by_callback.orders == (do.CancelPay("PK-stray"),)
    assert by_answer is not None
    assert by_answer.orders == (do.CancelPay("PK-late"),)
    assert call.state is S.CHOOSING_AMOUNT


def test_a_late_callback_of_an_earlier_session_is_not_taken_for_the_new_one() -> None:
    """A cancelled session's last word comes while the next one is being opened."""
    call = opened()
    call.tool("cancel_payment_processing")
    call.answer(ev.CancelAccepted)
    call.start("10.00")
    late = call.post(ev.PaymentFailed("PK-1", "something-new"))
    call.open()

    assert late is not None
    assert (late.row, late.after) == ("", S.STARTING_PAYMENT)
    assert call.call.facts.payment.session == "PK-2"
    assert call.state is S.CARD_NUMBER_DUE

"""The paths of keying in a card, told as stories: wrong, late, silent, again, another card, and no more."""

from __future__ import annotations

import pytest
from stories import chosen, opened, sayings, usd

from payagent.flow import effects as do
from payagent.flow import events as ev
from payagent.flow.states import Pace, State
from payagent.flow.table import Flow

S = State


# Keying in


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        ("invalid-card-number", "rejected_card_number"),
        ("invalid-card-type", "rejected_card_type"),
        ("something-new", "rejected_other"),
    ],
)
def test_a_wrong_card_number_then_a_right_one(paced: Flow, error: str, sentence: str) -> None:
    """The caller is told why, and asked again."""
    call = opened(paced).listen("card_number")
    call.report(ev.FieldRejected, error=error)
    told = call.said()
    call.key_in("card_number")

    assert told[0] == sentence
    assert call.state in (S.EXPIRATION_DATE_DUE, S.EXPIRATION_DATE_ENTRY)
    assert call.call.facts.field_tries == 0


def test_a_field_is_tried_three_times(flow: Flow) -> None:
    """Then a person takes over, and the session is closed first."""
    call = opened(flow)
    for _ in range(3):
        call.listen("card_number")
        call.report(ev.FieldRejected, error="invalid-card-number")

    assert call.said() == ["field_person"]
    assert call.state is S.HANDING_OFF
    assert call.ordered(do.CancelPay) == [do.CancelPay("PK-1")]


def test_the_keypad_falls_silent_after_some_digits(paced: Flow) -> None:
    """A short quiet, the capture anew, and then “from the first digit”."""
    call = opened(paced).listen("card_number")
    call.report(ev.KeyPressed, after=1)
    timed_out = call.report(ev.EntryTimedOut, after=10, digits=True)
    capture = call.time_up("recapture")
    prompt = call.answer(ev.CaptureAccepted, field="card_number")

    assert timed_out.orders == ()
    assert capture.orders == (do.Capture("PK-1", "card_number", "entry_timed_out"),)
    assert sayings(prompt.orders) == ["entry_timed_out"]


def test_the_keypad_falls_silent_without_a_digit(paced: Flow) -> None:
    """“My card is in the car”: not a failed try, however often; the keypad stays open, silently."""
    call = opened(paced).listen("card_number")
    steps = [call.report(ev.EntryTimedOut, after=5, digits=False) for _ in range(5)]

    assert {step.orders for step in steps} == {(do.Capture("PK-1", "card_number", ""),)}
    assert call.call.facts.field_tries == 0
    assert call.state is S.CARD_NUMBER_ENTRY


def test_time_outs_with_digits_are_tries() -> None:
    """Three, and a person helps."""
    call = opened().listen("card_number")
    for _ in range(2):
        call.report(ev.EntryTimedOut, digits=True)
        call.time_up("recapture")
    step = call.report(ev.EntryTimedOut, digits=True)

    assert step.after is S.HANDING_OFF


def test_the_prompt_is_spoken_once_when_twilio_listens() -> None:
    """The 202 and the first callback say the same."""
    call = opened()
    call.tool("capture_payment_card_number")
    silent = call.said()
    call.report(ev.CaptureBegan)
    spoken = call.said()
    call.post(ev.CaptureAccepted("", "card_number"))

    assert (silent, spoken, call.said()) == ([], ["ask_card_number"], [])


def test_a_keypad_that_never_opens_is_not_a_silence(paced: Flow) -> None:
    """Twilio's word that it listens is lost: the caller hears so, the capture is ordered anew, and then asked for."""
    call = opened(paced)
    if call.state is S.CARD_NUMBER_DUE:
        call.tool("capture_payment_card_number")
    step = call.time_up("entry_waiting")
    told = call.said()
    call.answer(ev.CaptureAccepted, field="card_number")

    assert (told, call.said()) == (["capture_failed"], ["ask_card_number"])
    assert step.orders[-1] == do.Capture("PK-1", "card_number", "ask_card_number")
    assert step.after is S.CARD_NUMBER_ENTRY


def test_a_keypad_that_never_opens_is_not_talked_about_to_nobody(paced: Flow) -> None:
    """While the line is lost nothing is said or ordered."""
    call = opened(paced)
    if call.state is S.CARD_NUMBER_DUE:
        call.tool("capture_payment_card_number")
    call.post(ev.RelayLost("VX-1"))
    step = call.time_up("entry_waiting")

    assert (step.row, step.orders) == ("", ())


def test_ask_me_again_only_while_no_keys_are_moving() -> None:
    """A second capture would lose the digits."""
    call = opened().listen("card_number")
    call.report(ev.KeyPressed, after=1)
    call.say("could you ask again?", after=1)
    moving = call.tool("capture_payment_card_number")
    quiet = call.tool("capture_payment_card_number", after=5)

    assert "keying in digits" in moving.refused
    assert quiet.orders == (do.Capture("PK-1", "card_number", "ask_card_number"),)


def test_a_field_may_be_keyed_in_anew_before_the_charge() -> None:
    """Only that field; the others stay in."""
    call = opened().key_in_card()
    call.say("the date was wrong")
    call.tool("capture_expiration_date")
    call.answer(ev.CaptureAccepted, field="expiration_date")
    refused_meanwhile = call.state
    call.report(ev.FieldCaptured)

    assert refused_meanwhile is S.EXPIRATION_DATE_ENTRY
    assert call.state is S.READY_TO_COMPLETE
    assert call.said() == ["ready"]


@pytest.mark.parametrize(("last_four", "card_type"), [("1111", "visa"), ("4242", "mastercard")])
def test_another_card_makes_what_belongs_to_the_card_due_again(last_four: str, card_type: str) -> None:
    """Expiration date and code are those of the card before."""
    call = opened().key_in_card()
    call.say("I take another card")
    call.tool("capture_payment_card_number")
    call.report(ev.FieldCaptured, last_four=last_four, card_type=card_type)

    assert call.state is S.EXPIRATION_DATE_DUE
    assert call.call.facts.captured == {"card_number"}


def test_the_same_card_again_makes_nothing_due() -> None:
    """The caller only wanted to be sure."""
    call = opened().key_in_card()
    call.say("once more, please")
    call.tool("capture_payment_card_number")
    call.report(ev.FieldCaptured, last_four="4242", card_type="visa")

    assert call.state is S.READY_TO_COMPLETE


def test_a_code_that_does_not_fit_the_card(paced: Flow) -> None:
    """Expiration date and code are taken anew; the third time a person helps."""
    call = opened(paced).key_in("card_number").key_in("expiration_date")
    call.listen("security_code")
    call.report(ev.CaptureOutOfSequence)

    assert call.said()[0] == "out_of_sequence"
    assert call.call.facts.captured == {"card_number"}
    assert call.state in (S.EXPIRATION_DATE_DUE, S.EXPIRATION_DATE_ENTRY)


def test_twilio_says_what_is_still_missing() -> None:
    """A field it takes back is due again."""
    call = opened().key_in("card_number").listen("expiration_date")
    call.report(ev.FieldCaptured, required=("card_number", "security_code"))

    assert call.state is S.CARD_NUMBER_DUE


def test_a_late_callback_of_the_field_before_does_not_complete_this_one() -> None:
    """Per-digit callbacks can overtake each other."""
    call = opened().key_in("card_number").listen("expiration_date")
    steps = [
        call.report(ev.FieldCaptured, field="card_number", last_four="4242", card_type="visa"),
        call.report(ev.FieldRejected, field="card_number", error="invalid-card-number"),
        call.report(ev.EntryTimedOut, field="card_number", digits=True),
        call.report(ev.CaptureOutOfSequence, field="card_number"),
        call.report(ev.CaptureBegan, field="card_number"),
    ]

    assert {step.row for step in steps} == {""}
    assert call.state is S.EXPIRATION_DATE_ENTRY
    assert call.call.facts.captured == {"card_number"}


def test_a_late_key_of_the_field_before_does_not_swallow_the_prompt() -> None:
    """The caller is asked, whatever straggles in."""
    call = opened().key_in("card_number")
    call.tool("capture_expiration_date")
    call.report(ev.KeyPressed, field="card_number")
    step = call.answer(ev.CaptureAccepted, field="expiration_date")

    assert sayings(step.orders) == ["ask_expiration_date"]


def test_a_capture_that_twilio_refuses(paced: Flow) -> None:
    """Not the caller's fault: counted apart, and asked for again; the third time a person helps."""
    call = opened(paced)
    for _ in range(3):
        if call.call.flow.pace is Pace.MODEL:
            call.tool("capture_payment_card_number")
        call.answer(ev.CaptureRefused, field="card_number", code=64020)

    assert call.said() == ["field_person"]
    assert call.call.facts.field_tries == 0


def test_a_capture_on_a_session_that_is_gone(paced: Flow) -> None:
    """Nothing was charged, and the caller may start again."""
    call = opened(paced)
    if call.state is S.CARD_NUMBER_DUE:
        call.tool("capture_payment_card_number")
    step = call.answer(ev.CaptureRefused, field="card_number", code=20404)

    assert step.after is S.PAYMENT_CANCELLED
    assert call.said() == ["session_lost"]


def test_a_model_that_talks_instead_of_asking_does_not_stop_the_payment() -> None:
    """The clock asks for the field that is due."""
    call = opened()
    call.post(ev.TurnEnded(call.call.facts.turn, "stop"))
    step = call.time_up("due_overdue")

    assert step.orders == (do.Capture("PK-1", "card_number", "ask_card_number"),)
    assert step.after is S.CARD_NUMBER_ENTRY


# Star, cancel, and sessions that break


def test_star_ends_the_session_and_the_caller_is_asked(flow: Flow) -> None:
    """Nothing was charged; the bill is free again."""
    call = opened(flow).key_in("card_number").listen("expiration_date")
    step = call.report(ev.PaymentFailed, result="caller-interrupted-with-star")

    assert step.after is S.PAYMENT_CANCELLED
    assert call.said() == ["star_pressed"]
    assert call.ordered(do.ReleaseBill) == [do.ReleaseBill("B-1", "CA1:1")]


@pytest.mark.parametrize("report", [ev.PaymentFailed, ev.SessionRefused])
def test_any_result_before_the_charge_means_that_the_session_is_dead(
    paced: Flow, report: type[ev.PaymentFailed | ev.SessionRefused]
) -> None:
    """The caller is told that nothing was charged."""
    call = opened(paced).listen("card_number")
    detail = {"result": "internal-error"} if report is ev.PaymentFailed else {"error": "internal-error"}
    step = call.report(report, **detail)

    assert step.after is S.PAYMENT_CANCELLED
    assert call.said() == ["session_lost"]


def test_the_caller_cancels_while_keying_in(flow: Flow) -> None:
    """The session is closed, the bill freed, and the caller asked what now."""
    call = opened(flow).listen("card_number")
    call.say("stop, I do not want this")
    cancelling = call.tool("cancel_payment_processing")
    step = call.answer(ev.CancelAccepted)

    assert cancelling.orders == (do.Say("one_moment"), do.CancelPay("PK-1"))
    assert step.after is S.PAYMENT_CANCELLED
    assert call.said() == ["cancelled"]
    assert call.ordered(do.CompletePay) == []


def test_the_caller_cancels_before_the_sessions_sid_is_known() -> None:
    """It is cancelled as soon as it is."""
    call = chosen().start()
    call.say("stop")
    waiting = call.tool("cancel_payment_processing")
    known = call.answer(ev.PayOpened, session="PK-1")
    step = call.answer(ev.CancelAccepted)

    assert waiting.orders == (do.Say("one_moment"),)
    assert known.orders == (do.CancelPay("PK-1"),)
    assert step.after is S.PAYMENT_CANCELLED


def test_the_caller_cancels_before_the_bill_is_held() -> None:
    """Nothing is opened any more; the hold is given back."""
    call = chosen()
    call.tool("start_payment", amount="600.00")
    call.say("stop")
    call.tool("cancel_payment_processing")
    step = call.answer(ev.BillHeld)

    assert step.after is S.PAYMENT_CANCELLED
    assert call.ordered(do.OpenPay) == []
    assert call.ordered(do.ReleaseBill) == [do.ReleaseBill("B-1", "CA1:1")]


def test_the_caller_cancels_at_the_go_ahead() -> None:
    """The last moment at which it can be."""
    call = opened().key_in_card()
    call.say("no, leave it")
    call.tool("cancel_payment_processing")
    call.answer(ev.CancelUnanswered)

    assert call.state is S.PAYMENT_CANCELLED


def test_a_session_whose_sid_never_becomes_known_is_followed_by_no_second_one() -> None:
    """One could be mistaken for the other: a person goes on, be the relay up or lost at that moment."""
    for lost in (False, True):
        call = chosen().start()
        call.say("stop")
        call.tool("cancel_payment_processing")
        if lost:
            call.post(ev.RelayLost("VX-1"))
        step = call.time_up("cancel_overdue")
        late = call.report(ev.PaymentSessionStarted, session="PK-1")

        assert step.after is S.HANDING_OFF
        assert step.orders == (do.Say("start_failed_person"), do.EndRelay(), do.ReleaseBill("B-1", "CA1:1"))
        assert late.orders == (do.CancelPay("PK-1"),)


def test_after_a_cancel_the_caller_may_pay_after_all() -> None:
    """With another amount, once they have said so."""
    call = opened()
    call.tool("cancel_payment_processing")
    call.answer(ev.CancelAccepted)
    offered_at_once = call.offered
    call.start("50.00").open()

    assert "start_payment" not in offered_at_once
    assert call.call.facts.payment.amount == usd("50.00")
    assert call.state is S.CARD_NUMBER_DUE


def test_silence_at_the_go_ahead_never_charges() -> None:
    """The question is repeated; then the payment is cancelled."""
    call = opened().key_in_card()
    steps = call.wait(41)

    assert [sayings(step.orders) for step in steps] == [["ready"], ["ready"], ["ready"], []]
    assert steps[-1].orders == (do.CancelPay("PK-1"),)
    assert call.ordered(do.CompletePay) == []

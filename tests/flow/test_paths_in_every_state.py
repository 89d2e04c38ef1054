"""What may befall a call anywhere, in every state of both paces: the line, the talk, and money that comes late."""

from __future__ import annotations

import pytest
from places import DUE, ENTRY, SILENT, UNPAID, S, at, does, places
from stories import sayings

from payagent.flow import effects as do
from payagent.flow import events as ev
from payagent.flow.rows import Flow
from payagent.flow.states import Line, Pace, State
from payagent.testing import PracticeCall

PARTING = (S.HANDING_OFF, S.ENDED)


def kinds(call: PracticeCall) -> list[str]:
    """The orders of the last step."""
    return [type(order).__name__ for order in call.steps[-1].orders]


def parting(call: PracticeCall) -> list[str]:
    """What the last step ordered to make way for a person."""
    return [kind for kind in kinds(call) if kind in ("CancelPay", "EndRelay")]


def how_to_part(state: State) -> list[str]:
    """A session that is open is cancelled first; one that is not open yet is waited for."""
    if state in (*DUE, *ENTRY, S.READY_TO_COMPLETE):
        return ["CancelPay"]
    return [] if state is S.STARTING_PAYMENT else ["EndRelay"]


# The line


@places(but=PARTING)
def test_a_new_relay_is_told_where_the_call_stands(flow: Flow, state: State) -> None:
    """In the state's own words, and the call stays where it is."""
    call = at(flow, state)
    call.post(ev.RelayLost("VX-1"))
    call.post(ev.RelayConnected("VX-2"))

    assert call.said()[0] == "line_back"
    assert (call.state, call.call.facts.line) == (state, Line.UP)


@places(*PARTING)
def test_a_new_relay_is_let_go_where_nothing_is_left_to_talk_about(flow: Flow, state: State) -> None:
    """Goodbye was said."""
    call = at(flow, state)
    call.post(ev.RelayConnected("VX-2"))

    assert (call.state, kinds(call)) == (state, ["EndRelay"])


@places(but=(S.PROCESSING_PAYMENT, *PARTING))
def test_a_broken_relay_is_built_anew_three_times(flow: Flow, state: State) -> None:
    """Then a person takes over; an open session is cancelled, and no held bill is left but an unknown one."""
    for broken in (ev.RelayFailed(), ev.RelayEnded()):
        call = at(flow, state)
        for _ in range(3):
            call.post(broken)
            assert (call.state, kinds(call)) == (state, ["ConnectRelay"])
        call.post(broken)

        assert call.state is S.HANDING_OFF
        assert kinds(call)[0] == "RouteCall"
        assert ("CancelPay" in kinds(call)) == (state in (*DUE, *ENTRY, S.READY_TO_COMPLETE))
        assert call.call.facts.held == (state is S.PAYMENT_OUTCOME_UNKNOWN)


@pytest.mark.promise(7)
@places(S.PROCESSING_PAYMENT)
def test_a_charge_under_way_is_never_left(flow: Flow, state: State) -> None:
    """However often the relay breaks: the charge's deadline bounds it."""
    call = at(flow, state)
    for broken in (ev.RelayFailed(), ev.RelayEnded()) * 3:
        call.post(broken)

        assert (call.state, kinds(call)) == (state, ["ConnectRelay"])


@places(S.ENDED)
def test_a_relay_that_ends_after_goodbye_is_hung_up(flow: Flow, state: State) -> None:
    """Nothing else comes of it."""
    for over in (ev.RelayFailed(), ev.RelayEnded()):
        call = at(flow, state)
        call.post(over)

        assert (call.state, kinds(call)) == (state, ["HangUp"])


_AFTER_HANG_UP = {
    S.STARTING_PAYMENT: S.CANCELLING_PAYMENT,
    S.PROCESSING_PAYMENT: S.PROCESSING_PAYMENT,
    S.CANCELLING_PAYMENT: S.CANCELLING_PAYMENT,
}
"""Where money may be open the call goes on without its caller."""


@places()
def test_a_hang_up_ends_the_call_unless_money_is_open(flow: Flow, state: State) -> None:
    """Where a session was open, Twilio has closed it, and the bill is freed."""
    call = at(flow, state)
    call.post(ev.CallerHungUp())

    assert call.state is _AFTER_HANG_UP.get(state, S.ENDED)
    assert call.call.facts.held == (state in {*_AFTER_HANG_UP, S.PAYMENT_OUTCOME_UNKNOWN})


@places(but=PARTING)
def test_a_relay_that_does_not_come_back_counts_as_a_hang_up(flow: Flow, state: State) -> None:
    """But for the session, which is still open: it is cancelled first."""
    call = at(flow, state)
    call.post(ev.RelayLost("VX-1"))
    call.time_up("line_overdue")
    keying = state in (*DUE, *ENTRY, S.READY_TO_COMPLETE)

    assert call.state is (S.CANCELLING_PAYMENT if keying else _AFTER_HANG_UP.get(state, S.ENDED))
    assert ("CancelPay" in kinds(call)) == keying


# The talk


@pytest.mark.promise(4)
@places(but=SILENT)
def test_words_are_answered_by_the_model_but_a_card_number_is_not_passed_on(flow: Flow, state: State) -> None:
    """The caller is asked to key it in."""
    call = at(flow, state)
    call.say("and now?")
    assert kinds(call) == ["Think"]
    call.post(ev.CallerSpoke("my card is", card_cut=True))

    assert (call.state, call.said()) == (state, ["use_keypad"])


@places(but=SILENT)
def test_a_model_that_fails_is_covered_for_and_then_taken_off_the_call(flow: Flow, state: State) -> None:
    """But in automatic pace a payment under way needs no model, and while a field is due the clock asks for it."""
    call = at(flow, state)
    said = []
    for _ in range(3):
        call.say("hello?")
        call.post(ev.ModelFailed(call.call.facts.turn, "no answer"))
        said.append(call.said())
    under_way = flow.pace is Pace.AUTOMATIC and state in (S.STARTING_PAYMENT, *ENTRY)

    assert said[:2] == [[] if state in DUE else ["say_again"]] * 2
    assert said[2] == (["one_moment"] if under_way else ["model_person"])
    assert call.state is (state if under_way else S.HANDING_OFF)
    assert parting(call) == ([] if under_way else how_to_part(state))


@places(but=SILENT)
def test_a_model_that_goes_on_claiming_is_taken_off_the_call(flow: Flow, state: State) -> None:
    """Each claim is answered by a fixed sentence; but in automatic pace a payment under way needs no model."""
    call = at(flow, state)
    for _ in range(3):
        call.say("did it go through?")
        call.post(ev.ClaimStopped(call.call.facts.turn, "you have paid"))
        said = call.said()
        assert (call.state, said != ["model_person"]) == (state, True) or call.state is S.HANDING_OFF
    under_way = flow.pace is Pace.AUTOMATIC and state in (S.STARTING_PAYMENT, *ENTRY)

    assert call.state is (state if under_way else S.HANDING_OFF)
    assert (said == ["model_person"]) != under_way


@places(but=SILENT)
def test_the_language_is_switched_by_tool_and_by_key(flow: Flow, state: State) -> None:
    """The sentence of the moment follows; the call stays. A language without sentences is refused, or recorded."""
    call = at(flow, state)
    call.wait(4)  # a field is asked for again only while no key moves
    does(call, "switch_language", language="es")
    by_tool = call.said()
    assert (call.state, call.call.facts.language, by_tool[0]) == (state, "es", "language_changed")
    assert (len(by_tool) > 1) is (state not in DUE)
    call.post(ev.LanguageKeyPressed("en"))
    assert (call.state, call.call.facts.language, call.said()) == (state, "en", by_tool)

    does(call, "switch_language", language="xx")
    assert call.steps[-1].refused
    call.post(ev.LanguageKeyPressed("xx"))
    assert (call.call.facts.language, call.steps[-1].row) == ("en", "")


@places(but=SILENT)
def test_whoever_asks_for_a_person_gets_one(flow: Flow, state: State) -> None:
    """At once where no session is open, and else when its cancel is in."""
    call = at(flow, state)
    does(call, "human_agent_handoff", reason="asked")

    assert (call.state, call.said()) == (S.HANDING_OFF, ["hand_off"])
    assert parting(call) == how_to_part(state)


@places(S.STARTING_PAYMENT, *DUE, *ENTRY)
def test_a_payment_can_be_stopped_until_it_is_charged(flow: Flow, state: State) -> None:
    """Nothing is charged; a session that is open is cancelled."""
    call = at(flow, state)
    does(call, "cancel_payment_processing")

    assert (call.state, call.said()) == (S.CANCELLING_PAYMENT, ["one_moment"])
    assert ("CancelPay" in kinds(call)) == (state is not S.STARTING_PAYMENT)


@places(*DUE)
def test_the_clock_asks_for_a_field_that_the_model_does_not_ask_for(flow: Flow, state: State) -> None:
    """A model that talks or fails instead does not stop the payment."""
    call = at(flow, state)
    call.time_up("due_overdue")

    assert (str(call.state), kinds(call)) == (state.replace("_due", "_entry"), ["Capture"])


@places(S.READY_TO_COMPLETE)
def test_any_field_can_be_keyed_in_anew_before_the_charge(flow: Flow, state: State) -> None:
    """By its own tool."""
    for field in at(flow, state).fields:
        call = at(flow, state)
        does(call, field.tool)

        assert (call.state, kinds(call)) == (field.entry, ["Capture"])


# Money that comes late


@pytest.mark.promise(7)
@places()
def test_a_session_that_nobody_waits_for_is_cancelled(flow: Flow, state: State) -> None:
    """By whatever it becomes known; the call's own session is let be."""
    for known in (ev.PaymentSessionStarted("PK-stray"), ev.PayOpened("old", "PK-stray")):
        call = at(flow, state)
        if state is S.STARTING_PAYMENT:
            call.open()
        call.post(known)

        assert [o.session for o in call.steps[-1].orders if isinstance(o, do.CancelPay)] == ["PK-stray"]


@places(but=UNPAID)
def test_the_call_s_own_session_is_no_stray(flow: Flow, state: State) -> None:
    """Said twice it is recorded, and nothing is cancelled."""
    if state is S.STARTING_PAYMENT:
        return
    call = at(flow, state)
    session = call.call.facts.payment.session
    for known in (ev.PaymentSessionStarted(session), ev.PayOpened("old", session)):
        call.post(known)

        assert (call.state, kinds(call)) == (state, [])


@places(but=(S.VERIFYING_IDENTITY,))
def test_a_success_of_an_earlier_payment_is_credited_once(flow: Flow, state: State) -> None:
    """Wherever the call is by then."""
    call = at(flow, state, again=True)
    late = ev.PaymentSucceeded("PK-1", "ch_late")
    call.post(late)
    assert [(o.payment, o.confirmation) for o in call.ordered(do.CreditBill)][-1] == ("CA1:1", "ch_late")
    call.post(late)

    assert (call.state, kinds(call)) == (state, [])


@places(but=UNPAID)
def test_a_success_is_told_and_credited_once_wherever_it_comes(flow: Flow, state: State) -> None:
    """The caller hears of it if anybody is there to hear; a second one changes nothing."""
    call = at(flow, state)
    if state is S.STARTING_PAYMENT:
        call.report(ev.PaymentSucceeded, session="PK-1", confirmation="ch_1")
    elif state in PARTING:
        call = at(flow, S.PAYMENT_OUTCOME_UNKNOWN)
        call.time_up("hand_over")
        if state is S.ENDED:
            call.post(ev.CallerHungUp())
        call.report(ev.PaymentSucceeded, confirmation="ch_1")
    elif state is not S.PAYMENT_COMPLETED:
        call.report(ev.PaymentSucceeded, confirmation="ch_1")
    assert len(call.ordered(do.CreditBill)) == 1
    assert call.state is (state if state in PARTING else S.PAYMENT_COMPLETED)

    call.report(ev.PaymentSucceeded, session="PK-1", confirmation="ch_1")

    assert len(call.ordered(do.CreditBill)) == 1


@places(S.PROCESSING_PAYMENT, S.CANCELLING_PAYMENT, S.PAYMENT_OUTCOME_UNKNOWN)
def test_a_success_without_a_caller_is_credited_and_the_call_ends(flow: Flow, state: State) -> None:
    """Nobody is left to be told."""
    call = at(flow, state)
    if state is S.PAYMENT_OUTCOME_UNKNOWN:
        call = at(flow, S.PROCESSING_PAYMENT)
    call.post(ev.CallerHungUp())
    if state is S.PAYMENT_OUTCOME_UNKNOWN:
        call.report(ev.PaymentFailed, result="internal-error")
    call.report(ev.PaymentSucceeded, confirmation="ch_1")

    assert (call.state, kinds(call)) == (S.ENDED, ["CreditBill"])


# A session that breaks


@places(S.STARTING_PAYMENT, *DUE, *ENTRY, S.READY_TO_COMPLETE)
def test_a_session_that_breaks_before_the_charge_has_charged_nothing(flow: Flow, state: State) -> None:
    """Star, a broken session, a refused one, the caller gone: told where there is anybody, and the bill is free."""
    star = at(flow, state)
    star.report(ev.PaymentFailed, result="caller-interrupted-with-star")
    broken = at(flow, state)
    broken.report(ev.PaymentFailed, result="internal-error")
    gone = at(flow, state)
    gone.report(ev.PaymentFailed, result="caller-hung-up")

    assert (star.state, star.said()) == (S.PAYMENT_CANCELLED, ["star_pressed"])
    assert (broken.state, broken.said()) == (S.PAYMENT_CANCELLED, ["session_lost"])
    assert (gone.state, kinds(gone)) == (S.ENDED, ["ReleaseBill"])
    if state is not S.STARTING_PAYMENT:
        refused = at(flow, state)
        refused.report(ev.SessionRefused, error="unknown")
        assert (refused.state, refused.said()) == (S.PAYMENT_CANCELLED, ["session_lost"])
    assert not any(call.call.facts.held for call in (star, broken, gone))


@places(S.CONFIRMING_BALANCE, S.CHOOSING_AMOUNT, S.PAYMENT_COMPLETED, S.PAYMENT_DECLINED, S.PAYMENT_CANCELLED)
def test_a_dead_session_that_ends_with_the_caller_ends_the_call(flow: Flow, state: State) -> None:
    """Any other end of it is old news."""
    call = at(flow, state, again=True)
    session = call.call.facts.payment.session
    call.report(ev.PaymentFailed, session=session, result="internal-error")
    assert (call.state, kinds(call)) == (state, [])
    call.report(ev.PaymentFailed, session=session, result="caller-hung-up")

    assert call.state is S.ENDED
    assert sayings(call.steps[-1].orders) == []

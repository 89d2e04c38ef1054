"""How a payment is closed: what ends a session, a hold or a hand-off, with the caller there and gone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from places import TABLES, S, at, does, places
from stories import chosen

from payagent.flow import effects as do
from payagent.flow import events as ev
from payagent.flow.rows import Flow
from payagent.flow.states import State
from payagent.testing import PracticeCall

TABLE = pytest.mark.parametrize("flow", TABLES, ids=[str(flow.pace) for flow in TABLES])


def holding(flow: Flow) -> PracticeCall:
    """The hold of the bill is not answered yet."""
    call = chosen(flow)
    does(call, "start_payment", amount="600.00")
    return call


def opening(flow: Flow) -> PracticeCall:
    """Neither the create's answer nor a callback has come."""
    return chosen(flow).start()


def open_(flow: Flow) -> PracticeCall:
    """The session is open."""
    return chosen(flow).start().open().listen("card_number")


def held(call: PracticeCall) -> None:
    call.answer(ev.BillHeld)


def not_held(call: PracticeCall) -> None:
    call.answer(ev.BillNotHeld, reason="busy")


def not_opened(call: PracticeCall) -> None:
    call.answer(ev.PayNotOpened, code=64021)


def refused(call: PracticeCall) -> None:
    call.report(ev.SessionRefused, error="session-in-progress")


def cancelled(call: PracticeCall) -> None:
    call.answer(ev.CancelAccepted)


def unanswered(call: PracticeCall) -> None:
    call.answer(ev.CancelUnanswered)


def failed(call: PracticeCall) -> None:
    call.report(ev.PaymentFailed, result="internal-error")


def overdue(call: PracticeCall) -> None:
    call.time_up("cancel_overdue")


Way, Happens = Callable[[Flow], PracticeCall], Callable[[PracticeCall], None]
CLOSINGS: list[tuple[Way, Happens]] = [
    (holding, held),
    (holding, not_held),
    (opening, not_opened),
    (opening, refused),
    (open_, cancelled),
    (open_, unanswered),
    (open_, failed),
    (open_, overdue),
]
CLOSED = pytest.mark.parametrize(("way", "happens"), CLOSINGS, ids=[happens.__name__ for _, happens in CLOSINGS])


@TABLE
@CLOSED
def test_a_cancel_is_over_when_nothing_can_be_open_any_more(flow: Flow, way: Way, happens: Happens) -> None:
    """The bill is free; the caller is told, or the call ends."""
    there, gone = way(flow), way(flow)
    for call in (there, gone):
        does(call, "cancel_payment_processing")
        assert call.state is S.CANCELLING_PAYMENT
    gone.post(ev.CallerHungUp())
    happens(there)
    happens(gone)

    assert (there.state, there.said()) == (S.PAYMENT_CANCELLED, ["cancelled"])
    assert (gone.state, gone.said()) == (S.ENDED, [])
    assert not there.call.facts.held
    assert not gone.call.facts.held


@TABLE
@CLOSED
def test_a_hand_off_waits_until_nothing_can_be_open_any_more(flow: Flow, way: Way, happens: Happens) -> None:
    """Then the relay ends; the person could not open a session while this one is. Gone is gone."""
    there, gone = way(flow), way(flow)
    for call in (there, gone):
        does(call, "human_agent_handoff", reason="asked")
        assert (call.state, call.ordered(do.EndRelay)) == (S.HANDING_OFF, [])
    gone.post(ev.CallerHungUp())
    happens(there)
    happens(gone)

    assert (there.state, len(there.ordered(do.EndRelay))) == (S.HANDING_OFF, 1)
    assert (gone.state, gone.ordered(do.EndRelay)) == (S.ENDED, [])
    assert not there.call.facts.held
    assert not gone.call.facts.held


@TABLE
@CLOSED
def test_a_hand_off_that_waited_long_enough_is_not_told_to_leave_twice(flow: Flow, way: Way, happens: Happens) -> None:
    """What comes after the longest wait is recorded."""
    if happens is overdue:
        return
    call = way(flow)
    does(call, "human_agent_handoff", reason="asked")
    overdue(call)
    happens(call)

    assert (call.state, len(call.ordered(do.EndRelay)), call.steps[-1].row) == (S.HANDING_OFF, 1, "")


@TABLE
def test_a_session_that_becomes_known_on_the_way_out_is_cancelled(flow: Flow) -> None:
    """By its callback or by the answer to its create, in a cancel, in a hand-off, and after the end."""
    for tool in ("cancel_payment_processing", "human_agent_handoff"):
        for known in ("answer", "callback"):
            call = opening(flow)
            does(call, tool)
            state = call.state
            if known == "answer":
                call.open()
            else:
                call.report(ev.PaymentSessionStarted)

            assert (call.state, [o.session for o in call.ordered(do.CancelPay)]) == (state, ["PK-1"])


@TABLE
def test_a_lost_line_waits_for_a_session_that_is_closing(flow: Flow) -> None:
    """And then there is nobody to pass on."""
    call = open_(flow)
    does(call, "human_agent_handoff", reason="asked")
    call.post(ev.RelayLost("VX-1"))
    call.time_up("line_overdue")
    assert call.state is S.HANDING_OFF
    cancelled(call)

    assert call.state is S.ENDED


@TABLE
def test_each_way_to_a_person_is_tried_once(flow: Flow) -> None:
    """Then the caller hears an apology."""
    call = at(flow, S.HANDING_OFF)
    for _ in call.call.flow.routes:
        call.post(ev.RelayFailed())
        assert call.state is S.HANDING_OFF
    call.post(ev.RelayFailed())

    assert (call.state, [o.sentence for o in call.ordered(do.HangUp)]) == (S.ENDED, ["hand_off_failed"])


@TABLE
def test_a_relay_that_comes_after_a_hang_up_brings_nobody_back(flow: Flow) -> None:
    """Where the call goes on without its caller."""
    cancelling = open_(flow)
    does(cancelling, "cancel_payment_processing")
    cancelling.post(ev.CallerHungUp())
    unknown = at(flow, S.PROCESSING_PAYMENT)
    unknown.post(ev.CallerHungUp())
    failed(unknown)
    for call in (cancelling, unknown):
        call.post(ev.RelayConnected("VX-2"))

        assert (call.steps[-1].row, call.said()) == ("", [])


# A session of nobody's


@TABLE
def test_a_session_of_nobody_s_is_cancelled_while_ours_is_not_asked_for(flow: Flow) -> None:
    """The bill is not held yet; a session of an earlier payment is let be."""
    for kind in (ev.PaymentSessionStarted, lambda session: ev.PayOpened("old", session)):
        call = at(flow, S.PAYMENT_DECLINED)
        does(call, "start_payment", amount="600.00")
        call.post(kind("PK-1"))
        assert call.steps[-1].orders == ()
        call.post(kind("PK-stray"))

        assert [o.session for o in call.ordered(do.CancelPay)] == ["PK-stray"]


@places(S.VERIFYING_IDENTITY, S.CONFIRMING_BALANCE, S.CHOOSING_AMOUNT)
def test_what_names_no_session_of_nobody_s_cancels_nothing(flow: Flow, state: State) -> None:
    """An earlier payment's session is no stray, nor is one without a name."""
    again = state is not S.VERIFYING_IDENTITY
    call = at(flow, state, again=again)
    session = "PK-1" if again else ""
    call.post(ev.PaymentSessionStarted(session))
    call.post(ev.PayOpened("old", session))

    assert [o for step in call.steps[-2:] for o in step.orders] == []


# Results that come late


@places(S.CONFIRMING_BALANCE, S.CHOOSING_AMOUNT)
def test_a_declined_payment_that_succeeded_after_all_is_told(flow: Flow, state: State) -> None:
    """Once; while the next bill is talked about it is old news."""
    call = at(flow, state, again=True)
    call.report(ev.PaymentSucceeded, confirmation="ch_1")
    assert (call.state, len(call.ordered(do.CreditBill))) == (S.PAYMENT_COMPLETED, 1)
    does(call, "check_pending_bill")
    if state is S.CHOOSING_AMOUNT:
        call.answer(ev.BillsRead, bills=at(flow, S.CONFIRMING_BALANCE).call.facts.bills)
        call.agree()
    call.report(ev.PaymentSucceeded, confirmation="ch_1")

    assert (call.state, len(call.ordered(do.CreditBill))) == (state, 1)


@places(S.PAYMENT_OUTCOME_UNKNOWN, S.HANDING_OFF, S.ENDED)
def test_a_person_resolves_an_unknown_outcome_once(flow: Flow, state: State) -> None:
    """Found paid, it is credited; found unpaid, the bill is free; a second word is refused."""
    for word, order in (("paid", do.CreditBill), ("not_paid", do.ReleaseBill)):
        call = at(flow, S.PAYMENT_OUTCOME_UNKNOWN)
        if state is not S.PAYMENT_OUTCOME_UNKNOWN:
            call.time_up("hand_over")
        if state is S.ENDED:
            call.post(ev.CallerHungUp())
        assert call.state is state
        call.post(ev.OutcomeResolved(word, "ref-1", "kim", "seen at the processor"))
        assert (call.state, [type(o) for o in call.steps[-1].orders]) == (state, [order])
        call.post(ev.OutcomeResolved(word, "ref-1", "kim", "seen at the processor"))

        assert call.steps[-1].refused


@TABLE
def test_a_success_behind_a_person_s_word_changes_nothing(flow: Flow) -> None:
    """The bill was credited; with the caller there or gone."""
    for gone in (False, True):
        call = at(flow, S.PROCESSING_PAYMENT)
        if gone:
            call.post(ev.CallerHungUp())
        failed(call)
        call.post(ev.OutcomeResolved("paid", "ref-1", "kim", "seen at the processor"))
        call.report(ev.PaymentSucceeded, confirmation="ch_1")

        assert (call.state, len(call.ordered(do.CreditBill))) == (S.PAYMENT_OUTCOME_UNKNOWN, 1)


# A charge that Twilio refuses


@TABLE
def test_a_charge_that_is_declined_by_its_answer_is_a_decline(flow: Flow) -> None:
    """Another card; with nobody there the end; after three cards a person."""
    there, gone = at(flow, S.PROCESSING_PAYMENT), at(flow, S.PROCESSING_PAYMENT)
    gone.post(ev.CallerHungUp())
    for call in (there, gone):
        call.answer(ev.CompleteRefused, code=64012)
    assert (there.state, there.said()) == (S.PAYMENT_DECLINED, ["declined"])
    assert (gone.state, gone.said()) == (S.ENDED, [])
    for _ in range(2):
        there.start().open().key_in_card().go_ahead()
        there.answer(ev.CompleteRefused, code=64012)

    assert (there.state, there.said()) == (S.HANDING_OFF, ["declined_person"])


@TABLE
@pytest.mark.parametrize("code", [64019, 404])
def test_a_refused_charge_without_a_caller_closes_the_session(flow: Flow, code: int) -> None:
    """Surely nothing was charged, and nobody is there to go on with."""
    call = at(flow, S.PROCESSING_PAYMENT)
    call.post(ev.RelayLost("VX-1"))
    call.answer(ev.CompleteRefused, code=code)

    assert call.state is S.CANCELLING_PAYMENT


@TABLE
def test_a_charge_goes_on_in_silence_while_a_card_number_is_said(flow: Flow) -> None:
    """The caller is told where card numbers belong."""
    call = at(flow, S.PROCESSING_PAYMENT)
    call.post(ev.CallerSpoke("my other card is", card_cut=True))

    assert (call.state, call.said()) == (S.PROCESSING_PAYMENT, ["use_keypad"])


def test_a_field_that_is_void_again_keeps_the_charge_back() -> None:
    """A late word of Twilio's that the code does not fit the card: the go-ahead does not charge."""
    call = at(TABLES[0], S.READY_TO_COMPLETE)
    call.report(ev.CaptureOutOfSequence)
    does(call, "complete_payment_processing")

    assert (call.state, bool(call.steps[-1].refused)) == (S.READY_TO_COMPLETE, True)


# What is refused before a payment


@TABLE
def test_what_the_balance_has_to_be_for(flow: Flow) -> None:
    """Nothing is agreed to that was not told, no call ended over an open bill; the bill is read again on request."""
    call = at(flow, S.CONFIRMING_BALANCE)
    does(call, "end_call")
    assert call.steps[-1].refused
    does(call, "check_pending_bill", bill="lab work")
    assert call.state is S.CONFIRMING_BALANCE
    call.say("yes")
    for agreed in (True, False):
        call.say("yes")
        call.tool("confirm_balance", agreed=agreed)

        assert call.steps[-1].refused
    assert call.state is S.CONFIRMING_BALANCE


@places(S.PAYMENT_DECLINED, S.PAYMENT_CANCELLED)
def test_after_a_payment_that_came_to_nothing_another_needs_a_fitting_amount(flow: Flow, state: State) -> None:
    """Or the call ends."""
    call = at(flow, state)
    does(call, "start_payment", amount="600.01")
    assert (call.state, bool(call.steps[-1].refused)) == (state, True)
    does(call, "end_call")

    assert (call.state, call.said()) == (S.ENDED, ["goodbye"])


@TABLE
def test_after_a_cancel_another_payment_needs_words_of_the_caller(flow: Flow) -> None:
    """What was said while the cancel was under way is answered, but chooses nothing."""
    call = at(flow, S.CANCELLING_PAYMENT)
    call.say("what now?")
    cancelled(call)
    assert call.call.facts.turn
    call.tool("start_payment", amount="600.00")

    assert (call.state, bool(call.steps[-1].refused)) == (S.PAYMENT_CANCELLED, True)


@TABLE
def test_a_line_that_is_set_up_wrongly_is_not_tried_again(flow: Flow) -> None:
    """A person takes over at once."""
    call = opening(flow)
    call.answer(ev.PayNotOpened, code=64004)

    assert (call.state, call.said()) == (S.HANDING_OFF, ["start_failed_person"])


@TABLE
def test_a_session_that_is_refused_too_often_ends_in_a_person(flow: Flow) -> None:
    """By callbacks, too."""
    call = opening(flow)
    for _ in range(2):
        refused(call)
        assert (call.state, call.said()) == (S.CHOOSING_AMOUNT, ["start_failed"])
        call.start()
    refused(call)

    assert (call.state, call.said()) == (S.HANDING_OFF, ["start_failed_person"])

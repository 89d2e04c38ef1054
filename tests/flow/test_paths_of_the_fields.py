"""What may befall a field while it is taken, for every field of every table."""

from __future__ import annotations

import pytest
from conftest import FLOWS
from places import S, at
from stories import sayings

from payagent.flow import effects as do
from payagent.flow import events as ev
from payagent.flow.rows import Flow
from payagent.flow.states import Field, Pace
from payagent.testing import PracticeCall

CASES = [(flow, field) for flow in FLOWS.values() for field in flow.profile.fields]
FIELD = pytest.mark.parametrize(("flow", "field"), CASES, ids=[f"{f.pace}-{f.profile}-{x.name}" for f, x in CASES])


def keying(flow: Flow, field: Field) -> PracticeCall:
    """Twilio listens for the field, and the caller was asked for it."""
    return at(flow, field.entry)


def ordered(flow: Flow, field: Field) -> PracticeCall:
    """The capture is ordered; Twilio has not said yet that it listens."""
    call = at(flow, field.due if flow.pace is Pace.MODEL else S.STARTING_PAYMENT)
    if flow.pace is Pace.MODEL:
        call.say("go on")
        call.tool(field.tool)
        return call
    call.open()
    for before in flow.profile.fields[: flow.profile.fields.index(field)]:
        call.key_in(before.name)
    return call


def again(flow: Flow, field: Field) -> object:
    """Where the field is taken once more: in model pace the model asks first."""
    return field.due if flow.pace is Pace.MODEL else field.entry


def captures(call: PracticeCall) -> list[str]:
    """The fields whose capture the last step ordered."""
    return [order.field for order in call.steps[-1].orders if isinstance(order, do.Capture)]


def other(flow: Flow, field: Field) -> str:
    """The name of another field."""
    return next(one.name for one in flow.profile.fields if one is not field)


@FIELD
def test_the_field_is_asked_for_once_whatever_tells_first_that_twilio_listens(flow: Flow, field: Field) -> None:
    """The REST answer or the first callback; not a callback about another field."""
    call = ordered(flow, field)
    call.report(ev.CaptureBegan, field=other(flow, field))
    assert call.said() == []
    call.report(ev.CaptureBegan)
    assert call.said() == [f"ask_{field.name}"]
    call.post(ev.CaptureAccepted("late", field.name))
    assert call.said() == []

    call = ordered(flow, field)
    call.answer(ev.CaptureAccepted, field=field.name)
    assert call.said() == [f"ask_{field.name}"]
    call.report(ev.CaptureBegan)
    assert call.said() == []


@FIELD
def test_a_key_before_the_answer_is_prompt_enough(flow: Flow, field: Field) -> None:
    """Who keys in already is not asked; the answer that comes behind says nothing."""
    call = ordered(flow, field)
    order = dict(call.call.facts.awaiting)["Capture"]
    call.report(ev.KeyPressed)
    call.post(ev.CaptureAccepted(order, field.name))

    assert "ask_" not in " ".join(call.said())


@FIELD
def test_ask_me_again_is_done_only_while_no_key_moves(flow: Flow, field: Field) -> None:
    """A new capture would lose the digits."""
    call = keying(flow, field)
    call.report(ev.KeyPressed)
    call.say("what was it?")
    assert call.tool(field.tool).refused
    call.say("what was it?", after=10)

    assert not call.tool(field.tool).refused
    assert call.state is field.entry


@FIELD
def test_a_refused_capture_is_tried_again_and_then_a_person_helps(flow: Flow, field: Field) -> None:
    """Where the session is gone, nothing was charged and the payment is over."""
    gone = ordered(flow, field)
    gone.answer(ev.CaptureRefused, field=field.name, code=404)
    assert (gone.state, gone.said()) == (S.PAYMENT_CANCELLED, ["session_lost"])

    call = ordered(flow, field)
    for _ in range(2):
        call.answer(ev.CaptureRefused, field=field.name, code=64020)
        assert (call.state, call.said()) == (again(flow, field), ["capture_failed"])
        assert (do.Think() in call.steps[-1].orders) is (flow.pace is Pace.MODEL)
        assert captures(call) == ([] if flow.pace is Pace.MODEL else [field.name])
        if flow.pace is Pace.MODEL:
            call.say("go on")
            call.tool(field.tool)
    call.answer(ev.CaptureRefused, field=field.name, code=64020)

    assert (call.state, call.said()) == (S.HANDING_OFF, ["field_person"])


@FIELD
def test_a_rejected_field_is_taken_again_and_then_a_person_helps(flow: Flow, field: Field) -> None:
    """A callback about another field counts for nothing."""
    call = keying(flow, field)
    call.report(ev.FieldRejected, field=other(flow, field), error="invalid-date")
    assert (call.state, call.said()) == (field.entry, [])
    for _ in range(2):
        call.report(ev.FieldRejected, error="input-not-understood")
        assert (call.state, call.said()) == (again(flow, field), ["rejected_other"])
        assert captures(call) == ([] if flow.pace is Pace.MODEL else [field.name])
        call.listen(field.name)
    call.report(ev.FieldRejected, error="input-not-understood")

    assert (call.state, call.said()) == (S.HANDING_OFF, ["field_person"])


@FIELD
def test_a_code_that_does_not_fit_the_card_makes_expiration_and_code_due(flow: Flow, field: Field) -> None:
    """After the last try a person helps."""
    call = keying(flow, field)
    call.report(ev.CaptureOutOfSequence, field=other(flow, field))
    assert (call.state, call.said()) == (field.entry, [])
    last = at(flow, field.entry)
    for _ in range(2):
        last.report(ev.FieldRejected, error="input-not-understood")
        last.listen(field.name)
    last.report(ev.CaptureOutOfSequence)
    assert (last.state, last.said()) == (S.HANDING_OFF, ["field_person"])
    call.report(ev.CaptureOutOfSequence)

    expiration = flow.profile.fields[1]
    assert (call.state, call.said()) == (again(flow, expiration), ["out_of_sequence"])
    assert captures(call) == ([] if flow.pace is Pace.MODEL else [expiration.name])
    assert not call.call.facts.captured & {"expiration_date", "security_code"}


@FIELD
def test_a_time_out_counts_only_with_digits(flow: Flow, field: Field) -> None:
    """With digits: a short quiet, then from the first digit, and after the last try a person. Without: silently on."""
    call = keying(flow, field)
    call.report(ev.EntryTimedOut, field=other(flow, field), digits=True)
    assert (call.steps[-1].row, call.call.facts.field_tries) == ("", 0)
    call.report(ev.EntryTimedOut, digits=False)
    assert (call.state, call.said(), call.call.facts.field_tries) == (field.entry, [], 0)
    call.answer(ev.CaptureAccepted, field=field.name)
    assert (call.steps[-1].row, call.said()) == ("", [])
    for tries in (1, 2):
        call.report(ev.EntryTimedOut, digits=True)
        assert (call.state, call.call.facts.field_tries) == (field.entry, tries)
        call.time_up("recapture")
        call.answer(ev.CaptureAccepted, field=field.name)
        assert call.said() == ["entry_timed_out"]
    call.report(ev.EntryTimedOut, digits=True)

    assert (call.state, call.said()) == (S.HANDING_OFF, ["field_person"])


@FIELD
def test_the_waits_of_a_field_are_for_a_caller_who_is_there(flow: Flow, field: Field) -> None:
    """There is time; then a person. While the line is lost, nobody is spoken to."""
    for timer, state in (
        ("entry_waiting", field.entry),
        ("entry_person", S.HANDING_OFF),
        ("entry_total", S.HANDING_OFF),
    ):
        there, lost = keying(flow, field), keying(flow, field)
        lost.post(ev.RelayLost("VX-1"))
        there.time_up(timer)
        lost.time_up(timer)

        assert (there.state, lost.state, sayings(lost.steps[-1].orders)) == (state, field.entry, [])


def keying_last(flow: Flow, field: Field) -> PracticeCall:
    """Every other field is in."""
    last = flow.profile.fields[-1]
    call = at(flow, last.entry)
    if field is not last:
        call.report(ev.FieldCaptured, required=(field.name,), last_four="4242", card_type="visa")
        call.listen(field.name)
    assert call.state is field.entry
    return call


@FIELD
def test_the_next_field_is_the_one_that_twilio_says_is_missing(flow: Flow, field: Field) -> None:
    """A callback about another field than the one being keyed in moves nothing."""
    for missing in (one for one in flow.profile.fields if one is not field):
        call = keying_last(flow, field)
        call.report(ev.FieldCaptured, field=missing.name, last_four="4242", card_type="visa")
        assert call.state is field.entry
        call.report(ev.FieldCaptured, required=(missing.name,), last_four="4242", card_type="visa")

        assert call.state is again(flow, missing)


@FIELD
def test_with_every_field_in_the_charge_is_next(flow: Flow, field: Field) -> None:
    """In model pace the caller is asked for the go-ahead; in automatic pace the agreement was the one to the amount."""
    call = keying_last(flow, field)
    call.report(ev.FieldCaptured, last_four="4242", card_type="visa")

    ready = flow.pace is Pace.MODEL
    assert (call.state, call.said()) == (
        (S.READY_TO_COMPLETE, ["ready"]) if ready else (S.PROCESSING_PAYMENT, ["processing"])
    )


@FIELD
def test_a_field_that_is_keyed_in_and_said_to_be_missing_is_not_charged_without(flow: Flow, field: Field) -> None:
    """Twilio contradicts itself: whichever is true, the keypad is opened again before anything else."""
    call = keying_last(flow, field)
    call.report(ev.FieldCaptured, required=(field.name,), last_four="4242", card_type="visa")
    assert (call.state, call.steps[-1].orders) == (field.entry, ())
    call.time_up("entry_waiting")

    assert captures(call) == [field.name]

"""A call: deciding changes nothing, applying cannot fail, and the steps are the whole of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from stories import charging, chosen, opened

from payagent.errors import IllegalMove
from payagent.flow import effects as do
from payagent.flow import events as ev
from payagent.flow.call import LATE_ANSWER, Call
from payagent.flow.machine import Engine
from payagent.flow.states import Line, State
from payagent.flow.step import Step
from payagent.flow.table import Flow, build
from payagent.testing import START, PracticeCall

S = State


def snapshot(call: Call) -> tuple[object, ...]:
    return (call.state, call.facts, call.timers, call.seq)


# Deciding and applying


def test_deciding_changes_nothing() -> None:
    """A step that could not be recorded has not happened; decided again it is the same."""
    call = chosen()
    before = snapshot(call.call)
    event = ev.ToolCalled(call.call.facts.turn, "c", "start_payment", '{"amount": "600.00"}')
    first, second = call.decide(event), call.decide(event)

    assert first == second
    assert first is not None
    assert first.after is S.STARTING_PAYMENT
    assert snapshot(call.call) == before


def test_a_step_says_what_it_came_from_and_what_it_leads_to() -> None:
    """The record needs nothing else."""
    call = PracticeCall()
    at = call.now + timedelta(seconds=2)
    event = ev.CallerSpoke("hello")
    step = call.post(event, after=2)

    assert step == Step(
        call_sid="CA1",
        seq=3,
        at=at,
        event=event,
        before=S.VERIFYING_IDENTITY,
        after=S.VERIFYING_IDENTITY,
        row="caller_spoke@verifying_identity#2",
        refused="",
        reply="",
        orders=(do.Think(),),
        timers=call.call.timers,
        flow=call.call.flow.version,
    )


def test_replaying_the_steps_gives_the_same_call(flow: Flow) -> None:
    """Without asking a guard: facts, state and waits are all in them."""
    call = opened(flow).key_in("card_number")
    call.say("one moment")
    call.tool("no_such_tool")
    call.key_in_card(but=["card_number"]).go_ahead()
    call.report(ev.PaymentSucceeded, confirmation="ch_1")
    twin = Call(flow, "CA1").replay(call.steps)

    assert snapshot(twin) == snapshot(call.call)


def test_a_replayed_call_goes_on_as_the_first_one_would() -> None:
    """Another worker may take it up."""
    call = charging()
    twin = Call(call.call.flow, "CA1").replay(call.steps)
    event = ev.PaymentSucceeded("PK-1", "ch_1")

    assert twin.decide(event, call.now) == call.call.decide(event, call.now)


def test_a_step_decided_before_another_is_applied_for_itself() -> None:
    """What the last one would have led to is not taken for it; a twin goes its own way."""
    call = PracticeCall().call
    spoken = call.decide(ev.CallerSpoke("hello"), START)
    assert call.decide(ev.CallerHungUp(), START)
    twin = call.twin()

    assert spoken is not None
    call.apply(spoken)

    assert (call.facts.heard, call.facts.line) == (True, Line.UP)
    assert (twin.facts.heard, twin.seq, twin.seq + 1) == (False, 2, call.seq)


def test_a_replayed_call_does_not_know_what_was_not_recorded() -> None:
    """`verify_user`'s arguments are recorded as `{}`: the step says that they were accepted."""
    call = PracticeCall()
    call.say("Ada Payer, first of May")
    step = call.tool("verify_user", full_name="Ada Payer", date_of_birth="1990-05-01")
    assert isinstance(step.event, ev.ToolCalled)
    recorded = replace(step, event=replace(step.event, arguments="{}"), orders=(do.LookUpIdentity(),))
    twin = Call(call.call.flow, "CA1").replay([*call.steps[:-1], recorded])

    assert snapshot(twin) == snapshot(call.call)


@pytest.mark.parametrize(
    "change", [{"call_sid": "CA2"}, {"seq": 9}, {"before": S.ENDED}], ids=["call", "number", "state"]
)
def test_a_step_that_is_not_the_next_one_is_refused(change: dict[str, object]) -> None:
    """Of another call, out of order, or from another state."""
    call = PracticeCall()
    step = call.decide(ev.CallerSpoke("hello"))
    assert step is not None
    before = snapshot(call.call)

    with pytest.raises(IllegalMove):
        call.call.apply(replace(step, **change))  # type: ignore[arg-type]
    assert snapshot(call.call) == before


def test_many_calls_share_one_engine() -> None:
    """Each has its own state."""
    flow = build()
    engine = Engine(flow)
    one, two = Call(flow, "CA1", engine), Call(flow, "CA2", engine)
    step = one.decide(ev.CallStarted("*1234"), PracticeCall().now)
    assert step is not None
    one.apply(step)

    assert (one.seq, two.seq) == (1, 0)


# What is not worth a record


def test_a_callback_seen_in_this_capture_is_noise_and_in_the_next_one_news() -> None:
    """Two equal time-outs in two captures are two events."""
    call = opened().listen("card_number")
    event = ev.EntryTimedOut("PK-1", "card_number", False, "digest-1")
    first, again = call.post(event), call.post(event)

    assert first is not None
    assert first.orders == (do.Capture("PK-1", "card_number", ""),)
    assert again is not None  # the first one ordered a new capture

    call.report(ev.KeyPressed, digest="digest-2")
    assert call.post(ev.KeyPressed("PK-1", "card_number", "digest-2"), after=5) is None


def test_keys_are_recorded_every_two_seconds_at_most() -> None:
    """Neither their number nor their rhythm is anybody's business."""
    call = opened().listen("card_number")
    call.report(ev.KeyPressed)

    assert call.post(ev.KeyPressed("PK-1", "card_number"), after=1) is None
    assert call.post(ev.KeyPressed("PK-1", "card_number"), after=1) is not None


def test_after_a_time_out_each_key_counts() -> None:
    """The quiet before the new capture is a quiet since the very last one."""
    call = opened().listen("card_number")
    call.report(ev.KeyPressed)
    call.report(ev.EntryTimedOut, digits=True)
    keys = [call.post(ev.KeyPressed("PK-1", "card_number"), after=1) for _ in range(2)]

    assert None not in keys
    assert next(t.due - call.now for t in call.call.timers if t.name == "recapture") == timedelta(seconds=3)


def test_a_wait_that_was_armed_anew_is_not_over() -> None:
    """The clock may be late; one of an older wait is ignored."""
    call = PracticeCall()
    old = call.call.timers[0]
    call.say("hello", after=5)

    assert call.post(ev.TimeUp(old.name, old.armed)) is None
    assert call.post(ev.TimeUp("no_such_wait", 1)) is None


def test_the_end_of_a_turn_that_was_superseded_is_noise() -> None:
    """New words began a new turn."""
    call = PracticeCall()
    call.say("hello")
    old = call.call.facts.turn
    call.say("hello again")

    assert call.post(ev.TurnEnded(old, "stop")) is None
    assert call.post(ev.ModelFailed(old, "cut")) is None


# The model's turn


def test_a_tool_of_a_superseded_turn_is_refused() -> None:
    """Two prompts bring no interrupt: the turn's identity tells."""
    call = chosen()
    old = call.call.facts.turn
    call.say("no, wait")
    step = call.post(ev.ToolCalled(old, "c", "start_payment", '{"amount": "600.00"}'))

    assert step is not None
    assert step.refused
    assert step.orders == ()
    assert call.state is S.CHOOSING_AMOUNT
    assert call.call.facts.turn  # the turn that answers the new words goes on


def test_a_tool_without_a_turn_is_refused() -> None:
    """Where no turn runs, an empty name is not the name of it."""
    call = PracticeCall().verify()
    step = call.post(ev.ToolCalled("", "c", "human_agent_handoff", "{}"))

    assert step is not None
    assert step.refused
    assert call.state is S.CONFIRMING_BALANCE


def test_an_interrupt_ends_the_turn() -> None:
    """What the model asks for after it is not done."""
    call = chosen()
    old = call.call.facts.turn
    call.post(ev.CallerInterrupted("The way"))
    step = call.post(ev.ToolCalled(old, "c", "end_call", "{}"))

    assert step is not None
    assert step.refused


def test_a_turn_takes_one_tool() -> None:
    """Of parallel calls the second finds its turn over."""
    call = chosen()
    turn = call.call.facts.turn
    call.post(ev.ToolCalled(turn, "c1", "check_payment_options", "{}"))
    second = call.post(ev.ToolCalled(turn, "c2", "end_call", "{}"))

    assert second is not None
    assert second.refused
    assert call.state is S.CHOOSING_AMOUNT


def test_a_turn_does_not_outlive_a_move_that_is_not_its_own() -> None:
    """The callback moved the call; the model's tool of before is late."""
    call = opened().listen("card_number")
    call.say("is that right?")
    turn = call.call.facts.turn
    call.report(ev.FieldCaptured, last_four="4242", card_type="visa")
    step = call.post(ev.ToolCalled(turn, "c", "cancel_payment_processing", "{}"))

    assert step is not None
    assert step.refused


@pytest.mark.parametrize("name", ["mark_as_paid", "complete_payment_processing", "Verify_User", ""])
def test_a_tool_that_is_not_open_is_refused_in_words(name: str) -> None:
    """Invented, misspelt, or open elsewhere: the model is told, and may go on."""
    call = chosen()
    step = call.tool(name)

    assert step.refused == step.reply
    assert "no tool" in step.refused
    assert step.orders == (do.Think(),)
    assert call.state is S.CHOOSING_AMOUNT


def test_a_long_invented_name_is_cut() -> None:
    """Nothing the model makes up fills the record."""
    call = chosen()

    assert len(call.tool("x" * 5000).refused) < 200


@pytest.mark.parametrize("arguments", ["not json", '{"amount": "all"}', '{"amount": "1e999"}', "{}", '["600"]', ""])
def test_arguments_that_do_not_validate_are_refused_in_words(arguments: str) -> None:
    """And the state stays as it is."""
    call = chosen()
    step = call.post(ev.ToolCalled(call.call.facts.turn, "c", "start_payment", arguments))

    assert step is not None
    assert step.refused
    assert step.row == ""
    assert call.state is S.CHOOSING_AMOUNT


def test_refused_tools_are_capped() -> None:
    """The third refusal without a word of the caller brings the state's own sentence instead of another turn."""
    call = chosen()
    steps = [call.tool("mark_as_paid") for _ in range(3)]
    sayings = [[o.sentence for o in step.orders if isinstance(o, do.Say)] for step in steps]

    assert [do.Think() in step.orders for step in steps] == [True, True, False]
    assert sayings == [[], [], ["options_hsa"]]


def test_refused_tools_are_capped_where_the_state_has_no_sentence_for_the_moment() -> None:
    """While keys are moving: “say that again”."""
    call = opened().listen("card_number")
    call.say("wait")
    for _ in range(2):
        call.tool("mark_as_paid")
    call.report(ev.KeyPressed)
    step = call.tool("mark_as_paid")

    assert step.orders == (do.Say("say_again"),)


def test_an_accepted_tool_is_answered_without_another_model_request() -> None:
    """A fixed sentence says what follows."""
    call = chosen()
    step = call.tool("check_payment_options")

    assert step.reply.startswith("Done.")
    assert do.Think() not in step.orders


# What is offered


def test_a_tool_is_offered_when_nothing_known_rules_it_out() -> None:
    """Open in the state is not enough: the balance has to be told, and words have to be spoken since."""
    call = PracticeCall()
    call.say("Ada Payer")
    first = call.offered
    call.verify()
    told = call.offered
    call.say("yes")

    assert first == ("verify_user", "switch_language", "human_agent_handoff")
    assert "confirm_balance" not in told
    assert "confirm_balance" in call.offered
    assert "end_call" not in call.offered


# Answers


def test_an_answer_to_an_older_order_changes_nothing() -> None:
    """It is recorded, and that is all."""
    call = PracticeCall()
    call.verify()
    old = call.post(ev.BillsRead("CA1:1:0", ()))
    asked_anew = call.tool("check_pending_bill", bill=None) if call.call.facts.turn else None

    assert LATE_ANSWER not in {row.trigger for row in call.call.flow.rows}
    assert old is not None
    assert (old.row, old.orders) == ("", ())
    assert call.call.facts.bill is not None
    assert asked_anew is None


def test_a_late_answer_finds_the_call_elsewhere() -> None:
    """The bills come when the call is being passed on already."""
    call = PracticeCall()
    call.say("Ada Payer")
    call.tool("verify_user", full_name="Ada Payer", date_of_birth="1990-05-01")
    call.say("a person!")
    call.tool("human_agent_handoff", reason="asked")
    step = call.answer(ev.IdentityNotMatched)

    assert step.row == ""
    assert call.call.facts.identity_tries == 0
    assert call.state is S.HANDING_OFF

"""The paths of the line and the talk, told as stories: hang-ups, lost relays, a person, languages, silence."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from stories import AUTOMATIC, DECLINED, MODEL, charging, chosen, opened, sayings

from payagent.flow import effects as do
from payagent.flow import events as ev
from payagent.flow.states import Line, Outcome, State
from payagent.flow.table import Flow, build
from payagent.testing import PracticeCall

S = State


def completed() -> PracticeCall:
    call = charging()
    call.report(ev.PaymentSucceeded, confirmation="ch_1")
    return call


def declined() -> PracticeCall:
    call = charging()
    call.report(ev.PaymentFailed, **DECLINED)
    return call


def cancelling() -> PracticeCall:
    call = opened()
    call.tool("cancel_payment_processing")
    return call


def cancelled() -> PracticeCall:
    call = cancelling()
    call.answer(ev.CancelAccepted)
    return call


def unknown() -> PracticeCall:
    call = charging()
    call.time_up("result_overdue")
    return call


def keying() -> PracticeCall:
    return opened().listen("card_number")


def ready() -> PracticeCall:
    return opened().key_in_card()


def holding() -> PracticeCall:
    call = chosen()
    call.tool("start_payment", amount="600.00")
    return call


def opening() -> PracticeCall:
    return chosen().start()


def passed_on() -> PracticeCall:
    """The goodbye was said, the relay has ended, and the first route is tried."""
    call = chosen()
    call.tool("human_agent_handoff", reason="asked")
    call.post(ev.RelayEnded())
    return call


def verified() -> PracticeCall:
    return PracticeCall().verify()


# Hanging up

MONEY_CLOSED = [PracticeCall, verified, chosen, completed, declined, cancelled]
SESSION_OPEN = [opened, keying, ready]


@pytest.mark.parametrize("reach", [*MONEY_CLOSED, *SESSION_OPEN])
def test_a_hang_up_ends_the_call_where_no_charge_is_open(reach: Callable[[], PracticeCall]) -> None:
    """Twilio has closed the session with the call: no cancel is sent, and the bill is free."""
    call = reach()
    step = call.post(ev.CallerHungUp())

    assert step is not None
    assert step.after is S.ENDED
    assert call.ordered(do.CancelPay) == ([do.CancelPay("PK-1")] if reach is cancelled else [])
    assert step.orders == ((do.ReleaseBill("B-1", "CA1:1"),) if reach in SESSION_OPEN else ())


@pytest.mark.parametrize("known", [ev.CallerHungUp(), ev.PaymentFailed("PK-1", "caller-hung-up")], ids=["line", "pay"])
@pytest.mark.parametrize("reach", SESSION_OPEN)
def test_a_hang_up_may_be_told_by_the_line_or_by_the_session(
    reach: Callable[[], PracticeCall], known: ev.CallerHungUp | ev.PaymentFailed
) -> None:
    """In any order, and the second one finds the call over."""
    call = reach()
    call.post(known)
    ended = call.state
    again = [call.post(ev.CallerHungUp()), call.post(ev.PaymentFailed("PK-1", "caller-hung-up"))]

    assert ended is S.ENDED
    assert [step.orders for step in again if step] == [(), ()]


@pytest.mark.parametrize("reach", [holding, opening])
def test_a_hang_up_while_the_session_is_being_opened(reach: Callable[[], PracticeCall]) -> None:
    """It is waited for, and cancelled; nothing stays held."""
    call = reach()
    call.post(ev.CallerHungUp())
    waiting = call.state
    if reach is holding:
        call.answer(ev.BillHeld)
    else:
        call.answer(ev.PayOpened, session="PK-1")
        call.answer(ev.CancelAccepted)

    assert waiting is S.CANCELLING_PAYMENT
    assert call.state is S.ENDED
    assert call.steps[-1].orders == (do.ReleaseBill("B-1", "CA1:1"),)


def test_a_hang_up_while_the_session_is_being_opened_and_no_answer() -> None:
    """The call ends; a session that becomes known later is cancelled then, and a hold that comes late is given back."""
    call = opening()
    call.post(ev.CallerHungUp())
    call.time_up("cancel_overdue")
    late = call.report(ev.CaptureBegan, session="PK-1", field="card_number")

    assert call.state is S.ENDED
    assert late.orders == (do.CancelPay("PK-1"),)


def test_a_hang_up_while_the_outcome_is_unknown() -> None:
    """The bill stays held until a person resolves it."""
    call = unknown()
    call.post(ev.CallerHungUp())

    assert call.state is S.ENDED
    assert call.call.facts.outcome is Outcome.UNKNOWN
    assert call.ordered(do.ReleaseBill) == []


def test_a_hang_up_while_being_passed_on() -> None:
    """Nobody is left to pass on; a session being closed is waited for first."""
    nothing_open, closing = chosen(), keying()
    for call in (nothing_open, closing):
        call.say("a person, please")
        call.tool("human_agent_handoff", reason="asked")
        call.post(ev.CallerHungUp())
    waiting = closing.state
    closing.answer(ev.CancelAccepted)

    assert nothing_open.state is S.ENDED
    assert waiting is S.HANDING_OFF
    assert closing.state is S.ENDED
    assert closing.ordered(do.ReleaseBill) == [do.ReleaseBill("B-1", "CA1:1")]


def test_no_relay_comes_back_after_a_hang_up() -> None:
    """A straggling connection does not bring the caller back."""
    call = charging()
    call.post(ev.CallerHungUp())
    step = call.post(ev.RelayConnected("VX-2"))

    assert step is not None
    assert step.orders == ()
    assert call.call.facts.line is Line.GONE


# The relay


def test_a_lost_relay_comes_back_in_time() -> None:
    """The caller is told where the call stands, and it goes on."""
    call = keying()
    call.post(ev.RelayLost("VX-1"))
    lost = call.call.facts.line
    answer = call.post(ev.RelayFailed(), after=1)
    back = call.post(ev.RelayConnected("VX-2"), after=1)

    assert lost is Line.LOST
    assert answer is not None
    assert answer.orders == (do.ConnectRelay(),)
    assert back is not None
    assert sayings(back.orders) == ["line_back", "ask_card_number"]
    assert call.state is S.CARD_NUMBER_ENTRY
    assert "line_overdue" not in {timer.name for timer in call.call.timers}


@pytest.mark.parametrize("reach", [PracticeCall, chosen, completed])
def test_a_relay_that_stays_away_ends_the_call(reach: Callable[[], PracticeCall]) -> None:
    """After fifteen seconds, where no money is open."""
    call = reach()
    call.post(ev.RelayLost("VX-1"))
    step = call.time_up("line_overdue")

    assert step.after is S.ENDED


def test_a_relay_that_stays_away_while_a_session_is_open() -> None:
    """The session does not outlive its caller."""
    call = keying()
    call.post(ev.RelayLost("VX-1"))
    step = call.time_up("line_overdue")
    call.answer(ev.CancelAccepted)

    assert step.orders == (do.CancelPay("PK-1"),)
    assert call.state is S.ENDED


def test_a_relay_that_stays_away_while_the_session_is_being_opened() -> None:
    """It is cancelled when it becomes known."""
    call = opening()
    call.post(ev.RelayLost("VX-1"))
    call.time_up("start_overdue")

    assert call.state is S.CANCELLING_PAYMENT


def test_a_relay_that_stays_away_while_the_outcome_is_unknown_is_still_passed_on() -> None:
    """Twilio may yet ask what to do with the caller: pass them to a person."""
    call = unknown()
    call.post(ev.RelayLost("VX-1"))
    step = call.time_up("hand_over")
    asked = call.post(ev.RelayFailed())

    assert step.after is S.HANDING_OFF
    assert asked is not None
    assert asked.orders == (do.RouteCall("queue"),)


def test_an_older_relays_end_means_nothing() -> None:
    """The newest session owns the mouth."""
    call = chosen()
    call.post(ev.RelayConnected("VX-2"))
    call.post(ev.RelayLost("VX-1"))

    assert call.call.facts.line is Line.UP


@pytest.mark.parametrize("asked", [ev.RelayFailed(), ev.RelayEnded()], ids=["failed", "ended"])
def test_re_connects_are_bounded(asked: ev.RelayFailed | ev.RelayEnded) -> None:
    """Three; then a person, with the session closed and the bill freed."""
    call = keying()
    for n in range(3):
        call.post(asked)
        call.post(ev.RelayConnected(f"VX-{n + 2}"))
    step = call.post(asked)

    assert len(call.ordered(do.ConnectRelay)) == 3
    assert step is not None
    assert step.after is S.HANDING_OFF
    assert step.orders == (
        do.RouteCall("queue", "hand_off"),
        do.CancelPay("PK-1"),
        do.ReleaseBill("B-1", "CA1:1"),
    )


def test_a_charge_under_way_is_never_left() -> None:
    """Its deadline bounds the re-connects."""
    call = charging()
    for _ in range(5):
        call.post(ev.RelayFailed())

    assert len(call.ordered(do.ConnectRelay)) == 5
    assert call.state is S.PROCESSING_PAYMENT


def test_after_goodbye_the_call_is_hung_up() -> None:
    """And a relay that comes back is ended again."""
    call = chosen()
    call.tool("end_call")
    asked = call.post(ev.RelayEnded())
    back = call.post(ev.RelayConnected("VX-2"))

    assert asked is not None
    assert asked.orders == (do.HangUp(),)
    assert back is not None
    assert back.orders == (do.EndRelay(),)


# A person


def test_whoever_asks_for_a_person_gets_one() -> None:
    """Goodbye, the end of the relay, the queue; and when someone took the call it is over."""
    call = chosen()
    call.say("a person, please")
    leaving = call.tool("human_agent_handoff", reason="asked")
    asked = call.post(ev.RelayEnded())
    step = call.post(ev.HandOffAnswered("queue", "bridged"))

    assert leaving.orders == (do.Say("hand_off"), do.EndRelay())
    assert asked is not None
    assert asked.orders == (do.RouteCall("queue"),)
    assert step is not None
    assert (step.after, step.orders) == (S.ENDED, (do.HangUp(),))
    assert call.call.facts.reason == "asked"


def test_an_open_session_is_closed_before_the_call_is_passed_on() -> None:
    """The person could not open one of their own otherwise."""
    call = keying()
    call.say("a person, please")
    first = call.tool("human_agent_handoff", reason="asked")
    then = call.answer(ev.CancelAccepted)

    assert first.orders == (do.Say("hand_off"), do.CancelPay("PK-1"))
    assert then.orders == (do.EndRelay(), do.ReleaseBill("B-1", "CA1:1"))
    assert call.state is S.HANDING_OFF


def test_a_cancel_without_an_answer_does_not_hold_the_caller_up() -> None:
    """Five seconds at most."""
    call = keying()
    call.say("a person, please")
    call.tool("human_agent_handoff", reason="asked")
    step = call.time_up("cancel_overdue")

    assert do.EndRelay() in step.orders
    assert call.call.facts.leaving


@pytest.mark.parametrize("reach", [holding, opening])
def test_a_person_is_asked_for_while_the_session_is_being_opened(reach: Callable[[], PracticeCall]) -> None:
    """Whatever becomes known is closed and given back, also when the caller has left already."""
    call = reach()
    call.say("a person, please")
    call.tool("human_agent_handoff", reason="asked")
    call.time_up("cancel_overdue")
    left = call.steps[-1].orders
    call.post(ev.RelayEnded())
    late = call.post(ev.PaymentSessionStarted("PK-1")) if reach is opening else None

    assert do.EndRelay() in left
    assert do.ReleaseBill("B-1", "CA1:1") in left
    assert (late.orders if late else ()) == ((do.CancelPay("PK-1"),) if reach is opening else ())


def test_a_caller_who_stays_away_is_passed_on_to_nobody() -> None:
    """The line was lost, and is not back when a person would be asked for: the call is over."""
    call = holding()
    call.post(ev.RelayLost("VX-1"))
    passed = call.answer(ev.BillNotHeld, reason="held")
    step = call.time_up("line_overdue")

    assert passed.after is S.HANDING_OFF
    assert step.after is S.ENDED


def test_nobody_answers_on_either_route() -> None:
    """An apology, the other route, and goodbye."""
    call = passed_on()
    other = call.post(ev.HandOffUnanswered("queue", "queue-full"))
    nobody = call.post(ev.HandOffUnanswered("dial", "busy"))

    assert other is not None
    assert other.orders == (do.RouteCall("dial", "hand_off_other_route"),)
    assert nobody is not None
    assert nobody.orders == (do.HangUp("hand_off_failed"),)
    assert nobody.after is S.ENDED


def test_without_any_route_the_caller_hears_so() -> None:
    """Neither a workflow nor a number is a start-up error."""
    call = PracticeCall(build(routes=()))
    call.say("a person, please")
    call.tool("human_agent_handoff", reason="asked")
    step = call.post(ev.RelayEnded())

    assert step is not None
    assert step.orders == (do.HangUp("hand_off_failed"),)
    assert step.after is S.ENDED


def test_a_call_of_which_nothing_more_is_heard_comes_to_an_end() -> None:
    """Nobody waits for ever."""
    assert passed_on().time_up("hand_off_overdue").after is S.ENDED


def test_a_relay_that_never_says_that_it_ended() -> None:
    """The call comes to an end without it."""
    call = chosen()
    call.tool("human_agent_handoff", reason="asked")

    assert call.time_up("leave_overdue").after is S.ENDED


def test_the_reason_of_a_hand_off_is_kept() -> None:
    """The model's words, or the trigger that led there."""
    call = keying()
    call.time_up("entry_person")

    assert call.call.facts.reason == "entry_person"


# Languages


def test_another_language_in_the_middle_of_keying_in() -> None:
    """The sentence of the moment again, in that language; the capture stays open."""
    call = keying()
    call.say("¿podemos hablar español?")
    step = call.tool("switch_language", language="Spanish")

    assert step.orders == (
        do.SwitchLanguage("es"),
        do.Say("language_changed"),
        do.Say("ask_card_number", interruptible=False),
    )
    assert call.call.facts.language == "es"
    assert call.ordered(do.Capture) == [do.Capture("PK-1", "card_number", "ask_card_number")]


def test_another_language_while_keys_are_moving() -> None:
    """The prompt is not spoken into the digits."""
    call = keying()
    call.report(ev.KeyPressed)
    call.say("español")
    step = call.tool("switch_language", language="es")

    assert sayings(step.orders) == ["language_changed"]


def test_a_language_that_is_not_spoken_here() -> None:
    """By the model: refused in words; by the keypad: nothing."""
    call = chosen()
    pressed = call.post(ev.LanguageKeyPressed("fr"))
    refused = call.tool("switch_language", language="fr")

    assert "not spoken here" in refused.refused
    assert pressed is not None
    assert pressed.orders == ()


def test_the_language_key() -> None:
    """The keypad's key does what the tool does."""
    call = chosen()
    step = call.post(ev.LanguageKeyPressed("es"))

    assert step is not None
    assert step.orders[0] == do.SwitchLanguage("es")


# Silence and the model


@pytest.mark.parametrize("reach", MONEY_CLOSED)
def test_a_silent_caller_is_asked_and_let_go(reach: Callable[[], PracticeCall]) -> None:
    """“Are you there?” three times, then goodbye; any word starts the count anew."""
    call = reach()
    for _ in range(2):
        call.time_up("silence")
    call.say("I am here")
    call.post(ev.TurnEnded(call.call.facts.turn, "stop"))
    said = [sayings(call.time_up("silence").orders)[0] for _ in range(4)]

    assert said == ["are_you_there"] * 3 + ["goodbye_silence"]
    assert call.state is S.ENDED


def fail(call: PracticeCall) -> list[str]:
    """The model fails in the turn that the caller's words began."""
    call.say("hello?")
    call.post(ev.ModelFailed(call.call.facts.turn, "no answer"))
    return call.said()


def test_a_model_that_fails_thrice_in_a_row(paced: Flow) -> None:
    """Something sensible is said; the third time a person takes over."""
    call = chosen(paced)

    assert [fail(call) for _ in range(3)] == [["say_again"], ["say_again"], ["model_person"]]
    assert call.state is S.HANDING_OFF


def test_a_model_that_fails_while_a_field_is_due() -> None:
    """The clock asks for the field; the third failure in a row brings a person."""
    call = opened()

    assert [fail(call) for _ in range(3)] == [[], [], ["model_person"]]


def test_in_automatic_pace_a_payment_under_way_finishes_even_with_the_model_gone() -> None:
    """It only answers side questions there."""
    call = opened(AUTOMATIC).listen("card_number")
    failures = [fail(call) for _ in range(5)]
    call.report(ev.FieldCaptured, last_four="4242", card_type="visa")

    assert failures == [["say_again"], ["say_again"], ["one_moment"], ["one_moment"], ["one_moment"]]
    assert call.state is S.EXPIRATION_DATE_ENTRY


def test_a_turn_that_went_well_starts_the_count_anew() -> None:
    """In a row means in a row."""
    call = chosen()
    for _ in range(2):
        fail(call)
    call.say("now?")
    call.post(ev.TurnEnded(call.call.facts.turn, "stop"))

    assert fail(call) == ["say_again"]


def lie(call: PracticeCall) -> list[str]:
    """The model is stopped in a false claim, in the turn that the caller's words began."""
    call.say("am I done?")
    call.post(ev.ClaimStopped(call.call.facts.turn, "paid."))
    return call.said()


@pytest.mark.promise(3)
@pytest.mark.parametrize(
    ("reach", "said"),
    [
        (PracticeCall, ["identity_prompt"]),
        (verified, ["balance"]),
        (chosen, ["options_hsa"]),
        (opening, ["one_moment"]),
        (opened, ["one_moment"]),
        (keying, ["ask_card_number"]),
        (ready, ["ready"]),
        (completed, ["paid", "anything_else"]),
        (declined, ["declined"]),
        (cancelled, ["cancelled"]),
    ],
)
def test_in_place_of_a_false_claim_the_caller_hears_how_things_are(
    reach: Callable[[], PracticeCall], said: list[str]
) -> None:
    """In every state in which the model may speak; the call stays where it is."""
    call = reach()
    before = call.state

    assert lie(call) == said
    assert (call.state, call.call.facts.turn) == (before, "")


def test_nobody_talks_over_the_keypad_for_a_false_claim() -> None:
    """While keys are moving the lie is stopped, and nothing is said in its place."""
    call = keying()
    call.report(ev.KeyPressed)

    assert lie(call) == []


@pytest.mark.promise(3)
def test_a_model_that_claims_thrice_is_taken_off_the_call(paced: Flow) -> None:
    """Over the whole call: a good turn in between makes no lie better."""
    call = chosen(paced)
    lie(call)
    call.say("and now?")
    call.post(ev.TurnEnded(call.call.facts.turn, "stop"))

    assert [lie(call) for _ in range(2)] == [["options_hsa"], ["model_person"]]
    assert call.state is S.HANDING_OFF


def test_in_automatic_pace_a_payment_under_way_finishes_even_with_a_model_that_lies() -> None:
    """It only answers side questions there."""
    call = opened(AUTOMATIC).listen("card_number")
    lies = [lie(call) for _ in range(4)]
    call.report(ev.FieldCaptured, last_four="4242", card_type="visa")

    assert lies == [["ask_card_number"]] * 4
    assert call.state is S.EXPIRATION_DATE_ENTRY


def test_in_automatic_pace_a_payment_being_started_goes_on_with_a_model_that_lies() -> None:
    """A person comes only where the model is needed."""
    call = chosen(AUTOMATIC).start()

    assert [lie(call) for _ in range(4)] == [["one_moment"]] * 4
    assert call.state is S.STARTING_PAYMENT


def test_a_claim_of_a_turn_that_is_over_is_not_worth_a_record() -> None:
    """Nothing of it was spoken, and another turn runs."""
    call = chosen()
    call.say("am I done?")
    old = call.call.facts.turn
    call.say("hello?")

    assert call.post(ev.ClaimStopped(old, "paid.")) is None


@pytest.mark.promise(4)
def test_a_card_number_that_is_spoken_reaches_nobody() -> None:
    """The caller is told to use the keypad; the model is not asked."""
    call = chosen()
    step = call.post(ev.CallerSpoke("", card_cut=True))

    assert step is not None
    assert step.orders == (do.Say("use_keypad"),)
    assert call.call.facts.turn == ""


def test_a_card_number_spoken_while_keying_in_wants_no_answer_later() -> None:
    """Star after it: the caller is asked what now, and the model keeps quiet."""
    call = keying()
    call.post(ev.CallerSpoke("", card_cut=True))
    call.report(ev.PaymentFailed, result="caller-interrupted-with-star")

    assert do.Think() not in call.steps[-1].orders
    assert call.said() == ["star_pressed"]


@pytest.mark.parametrize(
    ("reach", "said"),
    [
        (PracticeCall, ["line_back", "identity_prompt"]),
        (verified, ["line_back", "balance"]),
        (chosen, ["line_back", "options_hsa"]),
        (opening, ["line_back", "one_moment"]),
        (ready, ["line_back", "ready"]),
        (charging, ["line_back", "still_working"]),
        (completed, ["line_back", "paid", "anything_else"]),
        (declined, ["line_back", "declined"]),
        (cancelling, ["line_back", "one_moment"]),
        (cancelled, ["line_back", "cancelled"]),
        (unknown, ["line_back", "unknown_outcome"]),
    ],
)
def test_a_line_that_is_back_says_where_the_call_stands(reach: Callable[[], PracticeCall], said: list[str]) -> None:
    """Pending sentences are not replayed: each state has its own word for it."""
    call = reach()
    call.post(ev.RelayLost("VX-1"))
    call.post(ev.RelayConnected("VX-2"))

    assert call.said() == said


def test_the_waits_of_a_lab_are_shorter_and_their_order_is_the_same() -> None:
    """All are scaled by one factor; counts stay."""
    short = PracticeCall(build(limits=MODEL.limits.scaled(0.01)))
    steps = short.wait(1)

    assert [sayings(step.orders)[0] for step in steps] == ["are_you_there"] * 3 + ["goodbye_silence"]

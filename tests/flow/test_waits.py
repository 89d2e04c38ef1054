"""The waits, on a clock that jumps: what is said or done, and after how many seconds, when nobody does anything."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, timedelta

import pytest
from clocked_call import (
    AUTOMATIC,
    MODEL,
    NOON,
    Rehearsal,
    asking,
    at_amount,
    at_balance,
    at_cancelled,
    at_cancelling,
    at_completed,
    at_declined,
    at_entry,
    at_field,
    at_identity,
    at_processing,
    at_ready,
    at_unknown,
    balance_told,
    closing_for_a_person,
    dialled,
    holding,
    leaving_for_a_person,
    opened,
    opening,
)

from payagent.flow import events as ev
from payagent.flow.facts import Facts, Pay
from payagent.flow.limits import Limits
from payagent.flow.rows import Flow
from payagent.flow.states import FIELDS, FINAL, Line, State
from payagent.flow.step import Timer
from payagent.flow.table import build
from payagent.flow.waits import arm

LONGEST: list[tuple[State, Callable[[], Rehearsal], float, str]] = [
    (State.VERIFYING_IDENTITY, at_identity, 10, "are_you_there"),
    (State.CONFIRMING_BALANCE, at_balance, 25, "are_you_there"),
    (State.CONFIRMING_BALANCE, balance_told, 10, "are_you_there"),
    (State.CHOOSING_AMOUNT, at_amount, 10, "are_you_there"),
    (State.STARTING_PAYMENT, holding, 15, "start_failed_person, → handing_off"),
    (State.STARTING_PAYMENT, opening, 15, "start_failed_person, → handing_off"),
    (State.CARD_NUMBER_DUE, opened, 35, "Capture card_number (ask_card_number), → card_number_entry"),
    (State.CARD_NUMBER_ENTRY, at_entry, 30, "Capture card_number (entry_waiting)"),
    (
        State.EXPIRATION_DATE_DUE,
        lambda: at_field("expiration_date"),
        35,
        "Capture expiration_date (ask_expiration_date), → expiration_date_entry",
    ),
    (
        State.EXPIRATION_DATE_ENTRY,
        lambda: asking(at_field("expiration_date")),
        30,
        "Capture expiration_date (entry_waiting)",
    ),
    (
        State.SECURITY_CODE_DUE,
        lambda: at_field("security_code"),
        35,
        "Capture security_code (ask_security_code), → security_code_entry",
    ),
    (
        State.SECURITY_CODE_ENTRY,
        lambda: asking(at_field("security_code")),
        30,
        "Capture security_code (entry_waiting)",
    ),
    (
        State.POSTAL_CODE_DUE,
        lambda: at_field("postal_code"),
        35,
        "Capture postal_code (ask_postal_code), → postal_code_entry",
    ),
    (State.POSTAL_CODE_ENTRY, lambda: asking(at_field("postal_code")), 30, "Capture postal_code (entry_waiting)"),
    (State.READY_TO_COMPLETE, at_ready, 10, "ready"),
    (State.PROCESSING_PAYMENT, at_processing, 10, "still_working"),
    (State.PAYMENT_COMPLETED, at_completed, 10, "are_you_there"),
    (State.PAYMENT_DECLINED, at_declined, 10, "are_you_there"),
    (State.CANCELLING_PAYMENT, at_cancelling, 5, "cancelled, ReleaseBill, → payment_cancelled"),
    (State.PAYMENT_CANCELLED, at_cancelled, 10, "are_you_there"),
    (State.PAYMENT_OUTCOME_UNKNOWN, at_unknown, 5, "hand_off, EndRelay, → handing_off"),
    (State.HANDING_OFF, closing_for_a_person, 5, "EndRelay, ReleaseBill"),
    (State.HANDING_OFF, leaving_for_a_person, 15, "→ ended"),
    (State.HANDING_OFF, dialled, 4 * 3600, "→ ended"),
]
"""For every state the longest time, in seconds, until something is said or done, and what. A due field's is the model's
whole turn and five seconds; the bills' look-up has its own fifteen. A dialled call is not silent: a person is on it.
"""

EVERYWHERE = pytest.mark.parametrize(
    "reach", [pytest.param(row[1], id=f"{row[0]}-{n}") for n, row in enumerate(LONGEST)]
)


# Promise 6: nobody is left in silence


@pytest.mark.promise(6)
@pytest.mark.parametrize(
    ("state", "reach", "seconds", "what"),
    [pytest.param(*row, id=f"{row[0]}-{n}") for n, row in enumerate(LONGEST)],
)
def test_something_happens_when_nothing_happens(
    state: State, reach: Callable[[], Rehearsal], seconds: float, what: str
) -> None:
    """The first thing said or done in each state, and when, with a model and a caller that do nothing at all."""
    line = reach()
    assert line.call.state is state

    first = line.idle(seconds + 1)[0]

    assert first == (seconds, what)


@pytest.mark.promise(6)
def test_every_state_but_the_last_is_in_that_table() -> None:
    """A new state has to say how long it may be silent."""
    assert {state for state, *_ in LONGEST} == set(State) - FINAL


@pytest.mark.promise(6)
@EVERYWHERE
def test_a_call_that_everybody_left_comes_to_its_end(reach: Callable[[], Rehearsal]) -> None:
    """From every state, with the clock alone, and without a charge that nobody asked for."""
    line = reach()

    happened = line.idle(5 * 3600)

    assert line.call.state is State.ENDED
    assert line.call.timers == ()
    assert not any("CompletePay" in what for _, what in happened)


@pytest.mark.promise(6)
@pytest.mark.parametrize("flow", [MODEL, AUTOMATIC], ids=lambda flow: str(flow.pace))
@pytest.mark.parametrize("line", Line)
@pytest.mark.parametrize("pay", Pay)
def test_every_state_but_the_last_has_a_timer(flow: Flow, line: Line, pay: Pay) -> None:
    """Whatever else is known; the last state has none."""
    for state in flow.states:
        for facts in (Facts(line=line, pay=pay), Facts(line=line, pay=pay, leaving=True, routes_tried=("queue",))):
            timers = arm(state, facts, (), "", 1, NOON, flow.limits)

            assert bool(timers) is (state not in FINAL), state
            assert all(timer.armed == 1 and timer.due > NOON for timer in timers)
            assert len({timer.name for timer in timers}) == len(timers)


@EVERYWHERE
@pytest.mark.parametrize("lost", [ev.CallerSpoke("hm"), ev.RelayLost("VX-1"), ev.CallerHungUp()], ids=ev.trigger_of)
def test_a_wait_that_is_over_does_not_start_over_at_once(reach: Callable[[], Rehearsal], lost: ev.Event) -> None:
    """Not even when its row wants a caller who is not there at that moment: the clock would spin."""
    for name in [timer.name for timer in reach().call.timers]:
        line = reach()
        line.post(lost, after=line.due(name) - 1)

        while line.call.timers:
            step = line.tick()

            assert isinstance(step.event, ev.TimeUp)
            assert all(timer.due > line.now for timer in step.timers if timer.name == step.event.timer), name


# Talking


@pytest.mark.promise(6)
@pytest.mark.parametrize("reach", [at_identity, balance_told, at_amount, at_completed, at_declined, at_cancelled])
def test_a_silent_caller_is_asked_three_times_and_let_go(reach: Callable[[], Rehearsal]) -> None:
    """Every ten seconds; then goodbye."""
    assert reach().idle(60) == [
        (10, "are_you_there"),
        (20, "are_you_there"),
        (30, "are_you_there"),
        (40, "goodbye_silence, EndRelay, → ended"),
    ]


def test_a_word_of_the_caller_starts_the_count_of_silences_anew() -> None:
    """Three times in a row, not three times in a call."""
    line = at_amount()
    assert len(line.idle(35)) == 3

    line.post(ev.CallerSpoke("one moment"))
    line.turn_ends()

    assert [what for _, what in line.idle(41)] == ["are_you_there"] * 3 + ["goodbye_silence, EndRelay, → ended"]


@pytest.mark.promise(2)
def test_the_clock_repeats_the_question_and_never_charges() -> None:
    """Silence before the go-ahead: three times the question, then the session is cancelled."""
    line = at_ready()

    assert line.idle(50) == [
        (10, "ready"),
        (20, "ready"),
        (30, "ready"),
        (40, "CancelPay, → cancelling_payment"),
        (45, "cancelled, ReleaseBill, → payment_cancelled"),
    ]


@pytest.mark.promise(6)
def test_a_turn_in_flight_extends_the_silence() -> None:
    """The model may take its thirty seconds; when it is done the caller has ten again."""
    line = at_amount()

    line.post(ev.CallerSpoke("hm"))
    assert line.due("silence") == 40

    line.turn_ends(after=4)
    assert line.due("silence") == 10


def test_a_look_up_extends_the_silence() -> None:
    """It may take fifteen seconds; its answer ends that."""
    line = at_identity()

    line.tool("verify_user", '{"full_name": "Ada Payer", "date_of_birth": "1990-05-01"}')
    assert line.due("silence") == 25

    line.post(ev.IdentityNotMatched(line.order("LookUpIdentity")), after=2)
    assert line.due("silence") == 10


def test_the_time_it_takes_to_speak_is_not_silence() -> None:
    """0.065 seconds a character, sentence behind sentence; the caller's ten seconds start after the last."""
    line = at_amount()

    line.post(ev.AgentSpoke("CA1:9:0", "x" * 100))
    assert line.due("silence") == 6.5 + 10
    line.post(ev.AgentSpoke("CA1:9:1", "x" * 40))
    assert line.due("silence") == 6.5 + 2.6 + 10

    line.post(ev.CallerInterrupted("xxx"), after=3)
    assert line.due("silence") == 10


def test_a_sentence_spoken_long_ago_adds_nothing() -> None:
    """Its end is in the past."""
    line = at_amount()
    line.post(ev.AgentSpoke("CA1:9:0", "x" * 100))

    line.post(ev.AgentSpoke("CA1:9:1", "x" * 100), after=8)

    assert line.due("silence") == 6.5 + 10


# Starting, and asking for a field


@pytest.mark.promise(6)
def test_a_start_that_hangs_goes_to_a_person() -> None:
    """After 15 seconds; five more for a session that may be open, then the relay is left."""
    assert opening().idle(50) == [
        (15, "start_failed_person, → handing_off"),
        (20, "EndRelay, ReleaseBill"),
        (35, "→ ended"),
    ]


def test_the_start_has_its_fifteen_seconds_whatever_is_said_meanwhile() -> None:
    """Neither the hold's answer nor the caller's words start it over."""
    line = holding()
    line.post(ev.BillHeld(line.order("HoldBill")), after=6)
    line.post(ev.CallerSpoke("hello?"), after=6)

    assert line.idle(4) == [(3, "start_failed_person, → handing_off")]


@pytest.mark.promise(6)
def test_the_clock_asks_for_a_field_that_the_model_talks_around() -> None:
    """Five seconds after its turn ended without the tool."""
    line = opened()

    line.turn_ends(after=2)

    assert line.idle(6) == [(5, "Capture card_number (ask_card_number), → card_number_entry")]


def test_the_clock_does_not_ask_while_the_model_or_its_sentence_goes_on() -> None:
    """A question spoken over an answer is heard by nobody."""
    line = opened()

    line.post(ev.AgentSpoke(line.call.facts.turn, "x" * 100), after=1)
    assert line.due("due_overdue") == 6.5 + 30 + 5

    line.turn_ends(after=1)
    assert line.due("due_overdue") == 5.5 + 5


def test_in_automatic_pace_no_field_is_waited_for_to_be_asked() -> None:
    """Those states are absent, and so are their timers."""
    assert not {f.due for f in FIELDS.values()} & set(AUTOMATIC.states)
    assert {timer.name for timer in opened(AUTOMATIC).call.timers} == {"entry_waiting", "entry_person", "entry_total"}


# Keying in


@pytest.mark.promise(6)
def test_a_caller_who_presses_no_key_is_prompted_and_then_helped() -> None:
    """Every thirty seconds, with the keypad opened anew; a person after ninety."""
    assert at_entry().idle(100) == [
        (30, "Capture card_number (entry_waiting)"),
        (60, "capture_failed, Capture card_number (ask_card_number)"),  # nobody said meanwhile that Twilio listens
        (90, "field_person, CancelPay, → handing_off"),
        (95, "EndRelay, ReleaseBill"),
    ]


def test_a_key_starts_both_waits_over() -> None:
    """Thirty and ninety seconds without a key, not since the question."""
    line = at_entry()

    line.post(ev.KeyPressed("PK1", "card_number"), after=25)

    assert (line.due("entry_waiting"), line.due("entry_person"), line.due("entry_total")) == (30, 90, 275)


def test_words_start_both_waits_over() -> None:
    """Someone who says that the card is in the car is there."""
    line = at_entry()

    line.post(ev.CallerSpoke("it is in the car"), after=25)
    line.post(ev.AgentSpoke(line.call.facts.turn, "x" * 100))

    assert (line.due("entry_waiting"), line.due("entry_person"), line.due("entry_total")) == (36.5, 90, 275)


def test_twilios_own_time_outs_start_no_wait_over() -> None:
    """A time-out without digits opens the keypad anew, silently: the caller has still pressed no key."""
    line = at_entry()

    for _ in range(8):
        assert line.does(ev.EntryTimedOut("PK1", "card_number", False), after=10) == "Capture card_number ()"
        if line.due("entry_waiting") <= 0:
            line.tick()

    assert line.idle(11)[-1][1] == "field_person, CancelPay, → handing_off"


def test_what_is_no_word_and_no_key_leaves_the_next_prompt_where_it_was() -> None:
    """Twilio's own reports say nothing of the caller."""
    line = at_entry()

    line.post(ev.CaptureBegan("PK1", "card_number"), after=5)
    line.post(ev.EntryTimedOut("PK1", "card_number", False), after=5)

    assert (line.due("entry_waiting"), line.due("entry_person"), line.due("entry_total")) == (20, 80, 290)


@pytest.mark.promise(6)
@pytest.mark.parametrize("flow", [MODEL, AUTOMATIC], ids=lambda flow: str(flow.pace))
def test_keys_that_never_end_meet_the_longest_total(flow: Flow) -> None:
    """Three hundred seconds a field, even with keys moving."""
    line = at_entry(flow)

    for _ in range(37):
        assert line.does(ev.KeyPressed("PK1", "card_number"), after=8) == ""

    assert line.idle(5) == [(4, "field_person, CancelPay, → handing_off")]


@pytest.mark.parametrize("flow", [MODEL, AUTOMATIC], ids=lambda flow: str(flow.pace))
def test_every_field_has_a_total_of_its_own(flow: Flow) -> None:
    """A long card number leaves the security code its time."""
    line = at_entry(flow)
    line.post(ev.KeyPressed("PK1", "card_number"), after=80)

    line.post(ev.FieldCaptured("PK1", "card_number", (), "4242", "visa"), after=20)
    asking(line)

    assert line.call.state is State.EXPIRATION_DATE_ENTRY
    assert (line.due("entry_waiting"), line.due("entry_person"), line.due("entry_total")) == (30, 90, 300)


def test_after_a_time_out_with_digits_the_keys_come_to_rest_first() -> None:
    """Three seconds of quiet, then the keypad anew, then “from the first digit”."""
    line = at_entry()
    line.post(ev.KeyPressed("PK1", "card_number"), after=4)

    assert line.does(ev.EntryTimedOut("PK1", "card_number", True), after=10) == ""

    assert line.idle(4) == [(3, "Capture card_number (entry_timed_out)")]


def test_keys_that_still_move_after_a_time_out_put_the_quiet_off() -> None:
    """Digits of the old capture must not run into the new one."""
    line = at_entry()
    line.post(ev.KeyPressed("PK1", "card_number"), after=4)
    line.post(ev.EntryTimedOut("PK1", "card_number", True), after=10)

    assert line.idle(2) == []
    line.post(ev.KeyPressed("PK1", "card_number"), after=0.5)

    assert line.idle(4) == [(3, "Capture card_number (entry_timed_out)")]
    assert "recapture" not in {timer.name for timer in line.call.timers}


def test_quiet_means_quiet_even_where_keys_are_recorded_seldom() -> None:
    """Keys are recorded every two seconds at most; the three seconds still start at the last one pressed."""
    line = at_entry()
    line.post(ev.EntryTimedOut("PK1", "card_number", True), after=10)
    for seconds in (0.5, 1.5, 0.4):
        line.post(ev.KeyPressed("PK1", "card_number"), after=seconds)

    assert line.idle(2.9) == []


# The charge


@pytest.mark.promise(3, 6)
def test_while_the_charge_is_out_the_caller_hears_so_and_then_the_truth() -> None:
    """“Still working” every ten seconds; unknown after sixty; then a person, and no second charge."""
    assert at_processing().idle(90) == [
        (10, "still_working"),
        (20, "still_working"),
        (30, "still_working"),
        (40, "still_working"),
        (50, "still_working"),
        (60, "unknown_outcome, → payment_outcome_unknown"),
        (65, "hand_off, EndRelay, → handing_off"),
        (80, "→ ended"),
    ]


def test_what_is_said_meanwhile_moves_neither_wait() -> None:
    """A caller who talks gets an answer, but the result has its sixty seconds."""
    line = at_processing()

    line.post(ev.CallerSpoke("and?"), after=7)
    line.post(ev.CompleteAccepted("CA1:9:1"), after=1)

    assert (line.due("still_working"), line.due("result_overdue")) == (2, 52)


def test_the_unknown_outcome_is_heard_to_its_end() -> None:
    """The five seconds before the hand-off start when the sentence is over."""
    line = at_unknown()

    line.post(ev.AgentSpoke("CA1:9:0", "x" * 200))

    assert line.idle(20) == [(18, "hand_off, EndRelay, → handing_off")]


@pytest.mark.promise(6)
def test_a_caller_who_goes_on_talking_into_an_unknown_outcome_is_passed_on_too() -> None:
    """Words put the hand-over off, but by no more than half a minute."""
    line = at_unknown()
    heard: list[str] = []
    for _ in range(9):
        line.post(ev.CallerSpoke("hello?"))
        heard += [words for _, words in line.idle(4)]

    assert heard == ["hand_off, EndRelay, → handing_off"]


# Cancelling and leaving


@pytest.mark.promise(6)
def test_a_cancel_without_an_answer_is_as_good_as_done() -> None:
    """After five seconds nothing can be charged any more."""
    line = at_cancelling()

    assert line.idle(6) == [(5, "cancelled, ReleaseBill, → payment_cancelled")]


@pytest.mark.parametrize("reach", [holding, opening])
def test_a_cancel_before_the_sid_is_known_waits_for_it(reach: Callable[[], Rehearsal]) -> None:
    """As long as the create may take: fifteen seconds."""
    line = reach()
    line.tool("cancel_payment_processing")

    assert [at for at, _ in line.idle(16)] == [15]


@pytest.mark.promise(7)
def test_a_sid_that_comes_at_last_is_cancelled_within_the_wait() -> None:
    """The wait is the cancel's from then on, counted from where the cancelling began."""
    line = opening()
    line.tool("cancel_payment_processing")

    assert line.does(ev.PayOpened(line.order("OpenPay"), "PK1"), after=2) == "CancelPay"

    assert line.idle(4) == [(3, "cancelled, ReleaseBill, → payment_cancelled")]


@pytest.mark.promise(6)
def test_a_hand_off_waits_for_the_cancel_and_then_for_twilio() -> None:
    """Five seconds for the cancel, fifteen after the goodbye for the relay's end."""
    line = closing_for_a_person()

    assert line.idle(25) == [(5, "EndRelay, ReleaseBill"), (20, "→ ended")]


def test_speech_before_a_hand_off_is_heard_to_its_end() -> None:
    """Twilio asks what next only when all queued speech is out."""
    line = leaving_for_a_person()

    line.post(ev.AgentSpoke("CA1:9:0", "x" * 100))

    assert line.due("leave_overdue") == 6.5 + 15


@pytest.mark.promise(6)
def test_a_person_may_talk_for_long() -> None:
    """The dial's longest wait runs from the moment the call was passed on, whatever else is reported."""
    line = dialled()

    line.post(ev.PaymentSucceeded("PK0", "ch_0"), after=60)

    assert [timer.name for timer in line.call.timers] == ["hand_off_overdue"]
    assert line.due("hand_off_overdue") == 4 * 3600 - 60


def test_the_second_route_has_a_wait_of_its_own() -> None:
    """Nobody answered the first."""
    line = dialled()

    assert line.does(ev.HandOffUnanswered("queue", "queue-full"), after=30) == "RouteCall dial"

    assert line.due("hand_off_overdue") > 0


# The line


@pytest.mark.promise(6)
@pytest.mark.parametrize("reach", [at_identity, at_amount, opening, at_entry, at_ready, at_processing, at_unknown])
def test_a_lost_line_has_fifteen_seconds_to_come_back(reach: Callable[[], Rehearsal]) -> None:
    """Counted from the loss, whatever is reported meanwhile."""
    line = reach()
    line.post(ev.RelayLost("VX-1"))

    line.post(ev.PaymentFailed("PK0", "internal-error"), after=3)
    assert line.due("line_overdue") == 12

    line.post(ev.RelayConnected("VX2"), after=4)
    assert "line_overdue" not in {timer.name for timer in line.call.timers}


@pytest.mark.promise(7)
@pytest.mark.parametrize(
    ("reach", "what"),
    [
        (balance_told, "→ ended"),
        (opening, "→ cancelling_payment"),
        (at_entry, "CancelPay, → cancelling_payment"),
        (at_ready, "CancelPay, → cancelling_payment"),
        (at_unknown, "→ ended"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_line_lost_for_good_closes_what_is_open(reach: Callable[[], Rehearsal], what: str) -> None:
    """When the fifteen seconds are over the caller is taken to be gone; a session does not outlive its caller."""
    line = reach()
    line.post(ev.RelayLost("VX-1"))
    (overdue,) = (timer for timer in line.call.timers if timer.name == "line_overdue")

    assert line.does(ev.TimeUp("line_overdue", overdue.armed), after=15) == what
    assert line.call.facts.line is Line.GONE


@pytest.mark.promise(7)
def test_a_charge_under_way_outlives_its_caller() -> None:
    """Silently: the result or the deadline ends it, and nobody is handed over."""
    line = at_processing()
    line.post(ev.RelayLost("VX-1"))

    assert line.idle(70) == [(60, "unknown_outcome, → payment_outcome_unknown"), (65, "→ ended")]


# Arming


def test_a_time_up_of_an_older_arming_is_ignored() -> None:
    """A worker that sweeps late must not end a wait that has started over."""
    line = at_amount()
    (old,) = line.call.timers

    line.post(ev.CallerSpoke("hm"), after=9)

    assert line.does(ev.TimeUp(old.name, old.armed), after=1) == "nothing"
    assert line.does(ev.TimeUp("result_overdue", line.call.seq)) == "nothing"


def test_a_time_up_counts_once() -> None:
    """Two workers may both find it due."""
    line = at_amount()
    (timer,) = line.call.timers

    assert line.does(ev.TimeUp(timer.name, timer.armed), after=10) == "are_you_there"
    assert line.does(ev.TimeUp(timer.name, timer.armed)) == "nothing"


def test_a_wait_that_did_not_change_keeps_its_arming() -> None:
    """A timer read from the record before the step is still good after it."""
    line = opening()
    (before,) = line.call.timers

    line.post(ev.CallerSpoke("hello?"), after=3)

    assert line.call.timers == (before,)


def test_a_wait_that_changed_is_armed_by_its_step() -> None:
    """Its number is the step's."""
    line = at_entry()
    running = {timer.name: timer.armed for timer in line.call.timers}

    step = line.post(ev.KeyPressed("PK1", "card_number"), after=3)

    assert step is not None
    assert {timer.name: timer.armed for timer in step.timers} == {
        "entry_waiting": step.seq,
        "entry_person": step.seq,
        "entry_total": running["entry_total"],
    }


def test_the_waits_are_the_limits() -> None:
    """Every wait is a setting: with all of them shortened, the same call takes that much less."""
    line = Rehearsal(build(limits=Limits().scaled(0.1)))

    assert [at for at, _ in line.idle(6)] == [1.0, 2.0, 3.0, 4.0]


def test_timers_are_due_in_universal_time() -> None:
    """They are stored, and read by other machines."""
    assert all(timer.due.tzinfo is UTC for timer in at_entry().call.timers)
    assert at_identity().call.timers == (Timer("silence", 1, NOON + timedelta(seconds=10)),)

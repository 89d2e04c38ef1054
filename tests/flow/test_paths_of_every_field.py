"""What holds for one field of the card holds for each, in both paces: a lying model, and a keypad that never opens."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from clocked_call import AUTOMATIC, MODEL, Rehearsal, asking, at_completed, at_declined, at_field, at_ready, told

from payagent.flow import events as ev
from payagent.flow.rows import Flow
from payagent.flow.states import FIELDS, State
from payagent.flow.step import Step

PACES = pytest.mark.parametrize("flow", [MODEL, AUTOMATIC], ids=["model", "automatic"])
EACH_FIELD = pytest.mark.parametrize("field", FIELDS)


def lies(line: Rehearsal) -> str:
    """The caller asks, and the model is stopped in a false claim."""
    line.post(ev.CallerSpoke("am I done?"))
    return line.does(ev.ClaimStopped(line.call.facts.turn, "paid."))


def unlistened(field: str, flow: Flow) -> Rehearsal:
    """The capture is ordered, and nobody says that Twilio listens."""
    line = at_field(field, flow)
    if line.call.state is FIELDS[field].due:
        line.tool(FIELDS[field].tool)
    return line


def waited_for(line: Rehearsal, timer: str) -> Step:
    """The step of this timer, when its time has come."""
    while True:
        step = line.tick()
        if ev.trigger_of(step.event) == timer:
            return step


@PACES
@EACH_FIELD
def test_a_lie_while_a_field_is_keyed_in(field: str, flow: Flow) -> None:
    """It is asked for again; the third time a person takes over, but in automatic pace the payment goes on."""
    line = asking(at_field(field, flow))
    person = "model_person, CancelPay, → handing_off"

    assert [lies(line) for _ in range(2)] == [f"ask_{field}"] * 2
    assert lies(line) == (person if flow is MODEL else f"ask_{field}")


@EACH_FIELD
def test_a_lie_while_a_field_is_due(field: str) -> None:
    """One moment: the clock asks for the field; the third time a person takes over."""
    line = at_field(field)

    assert [lies(line) for _ in range(2)] == ["one_moment"] * 2
    assert line.call.state is FIELDS[field].due
    assert lies(line) == "model_person, CancelPay, → handing_off"


@pytest.mark.parametrize(
    ("reach", "said"),
    [(at_ready, "ready"), (at_completed, "paid, anything_else"), (at_declined, "declined")],
)
def test_a_lie_once_all_fields_are_in(reach: Callable[[], Rehearsal], said: str) -> None:
    """What was asked, or what became of it, again; the third time a person takes over."""
    line = reach()

    assert [lies(line) for _ in range(2)] == [said] * 2
    assert lies(line).startswith("model_person, ")
    assert line.call.state is State.HANDING_OFF


@PACES
@EACH_FIELD
def test_a_keypad_that_never_opens_is_told_of(field: str, flow: Flow) -> None:
    """After the first wait for a key; once Twilio listens, the wait is for the caller again."""
    line = unlistened(field, flow)
    never = told(waited_for(line, "entry_waiting"))
    line.post(ev.CaptureAccepted(line.order("Capture"), field))
    opened = told(waited_for(line, "entry_waiting"))

    assert never == f"capture_failed, Capture {field} (ask_{field})"
    assert opened == f"Capture {field} (entry_waiting)"


@PACES
@EACH_FIELD
def test_nobody_is_told_of_a_keypad_while_the_line_is_lost(field: str, flow: Flow) -> None:
    """Whoever is not there hears nothing."""
    line = unlistened(field, flow)
    due = next(timer for timer in line.call.timers if timer.name == "entry_waiting")
    line.post(ev.RelayLost("VX-1"))

    assert line.does(ev.TimeUp(due.name, due.armed)) == ""

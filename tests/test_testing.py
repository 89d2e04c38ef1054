"""What users test their own flows with: it drives a call, and says clearly what it did not find."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from payagent.flow import events as ev
from payagent.flow.states import Pace, Profile, State
from payagent.flow.table import build
from payagent.testing import PracticeCall, told


@pytest.mark.parametrize("profile", Profile)
@pytest.mark.parametrize("pace", Pace)
def test_the_example_of_its_docstring(pace: Pace, profile: Profile) -> None:
    """The usual way through a call works in every table."""
    call = PracticeCall(build(pace, profile)).verify().agree().start("120.00").open()
    call.key_in_card()
    call.go_ahead()
    call.report(ev.PaymentSucceeded, confirmation="ch_1")

    assert "paid" in call.said()
    assert call.state is State.PAYMENT_COMPLETED


def test_the_example_of_the_readme(practice_call: Callable[..., PracticeCall]) -> None:
    """It runs as it stands there."""
    readme = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
    example = readme.partition("## Testing a flow of your own")[2].partition("```python\n")[2].partition("```")[0]
    names: dict[str, Any] = {}
    exec(example, names)
    (test,) = [value for name, value in names.items() if name.startswith("test_")]

    test(practice_call)


def test_a_cursor_goes_forward_only() -> None:
    """Each `next` looks behind the step found last, by trigger, destination, sentence or row."""
    cursor = PracticeCall().verify().agree().cursor()

    assert cursor.next(to=State.CONFIRMING_BALANCE).seq == 5
    assert cursor.next("bills_read", says="balance").seq == 6
    assert cursor.next(row="confirm_balance@confirming_balance").after is State.CHOOSING_AMOUNT
    with pytest.raises(AssertionError):
        cursor.next("bills_read")


def test_a_cursor_that_finds_nothing_shows_the_neighbours() -> None:
    """So that one sees what came instead."""
    cursor = PracticeCall().verify().cursor()
    cursor.next("identity_matched")

    with pytest.raises(AssertionError, match="no step → ended “goodbye” behind step 5") as failure:
        cursor.next(to=State.ENDED, says="goodbye")
    assert "6 bills_read: confirming_balance “several_bills”, “other_bill”, “balance”" in str(failure.value)


def test_a_step_is_told_in_one_line() -> None:
    """What came, where it led, what was said, ordered and refused."""
    call = PracticeCall()
    call.say("hello")

    assert told(call.steps[-1]) == "   3 caller_spoke: verifying_identity Think"
    assert "(refused: There is no tool 'end_call'" in told(call.tool("end_call"))


def test_what_is_not_so_is_said_at_once() -> None:
    """A wait that does not run, an event that is noise, an answer to nothing."""
    call = PracticeCall()

    with pytest.raises(AssertionError, match=r"no result_overdue runs in verifying_identity: \['silence'\]"):
        call.time_up("result_overdue")
    with pytest.raises(KeyError, match="HoldBill"):
        call.answer(ev.BillHeld)


def test_time_passes_only_where_a_test_says_so() -> None:
    """Timers fire in the order they are due; those that are not due stay."""
    call = PracticeCall()
    steps = call.wait(25)

    assert [(step.at - steps[0].at).total_seconds() for step in steps] == [0, 10]
    assert call.wait(4) == []

"""What users test their own flows with: it drives a call, and says clearly what it did not find."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from payagent.flow import events as ev
from payagent.flow.builder import numbered
from payagent.flow.rows import Flow
from payagent.flow.states import Pace, Profile, State
from payagent.flow.table import build
from payagent.lab import scenario as scenarios
from payagent.lab.caller import play
from payagent.lab.model import ScriptedModel
from payagent.review.walked import Walked
from payagent.testing import PracticeCall, told
from payagent.testing.line import LineUp, ModelUp, TwilioUp


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


# The fixtures, as somebody uses them who changed the flow


def hasty() -> Flow:
    """A table in which any amount will do."""
    flow = build()
    rows = [replace(row, guards=tuple(g for g in row.guards if g.name != "amount_fits")) for row in flow.rows]
    return replace(flow, rows=numbered(rows))


def test_a_changed_table_can_be_walked(walked: Callable[..., Walked]) -> None:
    """A promise that the change breaks is named, and the story ends with the step that breaks it."""
    broken = walked(hasty(), until_broken=True).broken
    (story,) = [steps for words, steps in broken.items() if "an amount within it" in words]

    assert ev.trigger_of(story[-1].event) == "start_payment"


async def test_a_whole_line_can_be_rung(line_up: LineUp) -> None:
    """By a packaged scenario, or by hand: the app answers, and what it records is there."""
    scenario = scenarios.load("nothing_owed")
    async with line_up("nothing_owed") as up:
        result = await play(scenario, up.twilio, model=up.model, scale=0.05)
        assert up.database.name == "nothing_owed.db"
        assert up.database.exists()
    async with line_up(scenario.model_copy(update={"name": "my_own"})) as up:
        call = await up.twilio.place_call()
        assert await call.until(lambda: bool(call.spoken), 20)
        await call.hang_up()

    assert result.ok, result.report()
    assert (call.end, up.database.name, up.twilio.violations) == ("caller_hung_up", "my_own.db", [])


async def test_a_scripted_model_can_be_asked(scripted_model: ModelUp) -> None:
    """Over HTTP by the real SDK; or one's own, with whatever goes wrong with it."""
    said: Any = [{"role": "user", "content": "Hello?"}]
    async with scripted_model() as (model, url), openai.AsyncOpenAI(api_key="k", base_url=url, max_retries=0) as sdk:
        answer = await sdk.chat.completions.create(model="m", messages=said)
    async with (
        scripted_model(ScriptedModel(mischief=lambda: "503")) as (_, url),
        openai.AsyncOpenAI(api_key="k", base_url=url, max_retries=0) as sdk,
    ):
        with pytest.raises(openai.InternalServerError):
            await sdk.chat.completions.create(model="m", messages=said)

    assert answer.choices[0].message.content == model.requests[0].reply.words


async def test_a_stand_in_twilio_can_be_asked(stand_in_twilio: TwilioUp) -> None:
    """It is strict: a request that Twilio would refuse is refused and put down as a violation."""
    async with stand_in_twilio() as (twilio, origin), httpx.AsyncClient(base_url=origin) as client:
        path = f"/2010-04-01/Accounts/{twilio.account.account_sid}/Calls/CA1/Payments.json"
        refused = await client.post(path, data={}, auth=("nobody", "guessed"))

    assert refused.status_code == 401
    assert twilio.violations

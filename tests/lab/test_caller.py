"""Playing a scenario: steps in order, and a readable account of what was not as expected."""

from __future__ import annotations

import pytest
from echo_app import laboratory

from payagent.lab import caller, scenario
from payagent.lab.brain import Reply
from payagent.lab.caller import Result
from payagent.lab.model import ModelRequest, ScriptedModel

END = {"type": "end"}


async def played(steps: str, expect: str, model: ScriptedModel | None = None) -> Result:
    """Play against the echo app, which ends the call at "bye"."""
    text = f'name = "t"\ndescription = "d"\n{steps}\n[expect]\n{expect}'
    async with laboratory() as lab:
        lab.app.replies["bye"] = [{"type": "text", "token": "Goodbye.", "last": True}, END]
        lab.app.replies["open"] = [{"type": "text", "token": "One two three"}]
        return await caller.play(scenario.read(text), lab.twilio, model=model, scale=0.01, patience=0.5)


def steps(*pairs: tuple[str, str]) -> str:
    return "\n".join(f"[[steps]]\nwhen = {when!r}\n{deed}" for when, deed in pairs)


HELLO, BYE = ("welcome", 'say = "hello"'), ("you said hello", 'say = "bye"')


async def test_a_call_as_expected_is_ok() -> None:
    """Order of the words, end, and nothing violated."""
    result = await played(
        steps(HELLO, BYE),
        'end = "hung_up_by_app"\nheard = ["you said hello", "goodbye"]\nfollowed = ["relay", "end"]',
    )

    assert result.ok, result.report()
    assert "as expected" in result.report()
    assert "charged: nothing" in result.report()


async def test_a_step_sees_only_what_was_said_since_the_one_before() -> None:
    """Waiting for words that came earlier is waiting in vain, and names what was heard."""
    result = await played(steps(HELLO, ("welcome", 'say = "bye"')), 'end = "hung_up_by_app"')

    assert not result.ok
    assert "step 2 (say) waited for 'welcome', but 0.5 s went by" in result.problems[0]
    assert "heard so far: Hello & welcome. | You said hello" in result.problems[0]


async def test_a_call_that_ends_too_soon_is_told() -> None:
    """Not as a time-out."""
    result = await played(steps(HELLO, BYE, ("never", 'say = "x"')), 'end = "hung_up_by_app"')

    assert "but the call ended (hung_up_by_app)" in result.problems[0]


async def test_a_call_that_goes_on_is_told() -> None:
    """After the last step it has to end."""
    result = await played(steps(HELLO), 'end = "hung_up_by_app"')

    assert "the call did not end" in result.problems[0]


@pytest.mark.parametrize(
    ("expect", "problem"),
    [
        ('end = "queue"', "end: expected queue, was hung_up_by_app"),
        ('end = "hung_up_by_app"\ncharged = ["1.00"]', "charged: expected ['1.00'], was []"),
        ('end = "hung_up_by_app"\nsessions = ["success"]', "sessions: expected ['success'], was []"),
        ('end = "hung_up_by_app"\nheard = ["goodbye", "you said"]', "never heard 'you said' after what came before"),
        ('end = "hung_up_by_app"\nheard = ["welcome.*goodbye"]', "never heard 'welcome.*goodbye'"),
        ('end = "hung_up_by_app"\nnot_heard = ["goodbye"]', "heard 'goodbye'"),
        ('end = "hung_up_by_app"\nfollowed = ["end", "relay"]', "followed: ['relay'] missing"),
    ],
)
async def test_each_difference_is_named(expect: str, problem: str) -> None:
    """Expected and found."""
    result = await played(steps(HELLO, BYE), expect)

    assert len(result.problems) == 1
    assert problem in result.problems[0]
    assert "NOT as expected" in result.report()


async def test_the_models_side_is_part_of_the_verdict() -> None:
    """Its violations, and how often it was asked."""
    model = ScriptedModel()
    model.violations = ["bad request"]
    model.requests = [ModelRequest((), Reply("hi"))] * 2

    result = await played(steps(HELLO, BYE), 'end = "hung_up_by_app"\nmodel_requests = 1', model)

    assert result.problems == ("violation: bad request", "2 model requests, 1 are enough")


async def test_the_twilio_sides_violations_are_part_of_the_verdict() -> None:
    """Here the socket is left without `end`."""
    async with laboratory() as lab:
        lab.app.replies["hello"] = ["close"]
        text = f'name = "t"\ndescription = "d"\n{steps(HELLO)}\n[expect]\nend = "hung_up_by_app"'
        result = await caller.play(scenario.read(text), lab.twilio, patience=2)

    assert any("without `end`" in problem for problem in result.problems)


async def test_every_deed_is_done() -> None:
    """Wait, press, interrupt in the middle of a sentence, drop the line, hang up."""
    result = await played(
        steps(
            ("", "wait = 1"),
            ("", 'press = "1"'),
            ("", 'say = "open"\npartials = true'),
            ("two", 'interrupt = "hm"'),
            ("you said hm", "hang_up = true"),
        ),
        'end = "caller_hung_up"\nheard = ["one two", "hm"]',
    )
    assert result.ok, result.report()

    dropped = await played(steps(("welcome", "drop_line = true")), 'end = "hung_up_by_app"\nfollowed = ["relay"]')
    assert dropped.ok, dropped.report()


async def test_a_caller_may_take_their_time() -> None:
    """A pause for what was heard before each deed, shorter for who interrupts, and one after each key."""
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    deeds = [HELLO, ("you said hello", 'press = "12"'), ("", 'say = "open"'), ("two", 'interrupt = "bye"')]
    text = f'name = "t"\ndescription = "d"\n{steps(*deeds)}\n[expect]\nend = "hung_up_by_app"'
    async with laboratory() as lab:
        lab.app.replies["bye"] = [{"type": "text", "token": "Goodbye.", "last": True}, END]
        lab.app.replies["open"] = [{"type": "text", "token": "One two three"}]
        call = await lab.ring()
        manner = caller.Manner(seconds_a_word=3, seconds_a_key=0.5, pause=pause)
        result = await caller.play(scenario.read(text), lab.twilio, patience=2, manner=manner, call=call)

    assert result.ok, result.report()
    assert result.call_sid == call.sid
    assert pauses == [9, 9, 0.5, 0.5, 0, 0]  # three words each; nothing after the keys; the sentence was cut off


def test_the_lab_is_built_as_the_scenario_asks() -> None:
    """Faults, hand-off results and the model's mode."""
    full = scenario.load("hand_off_nobody_answers")

    assert caller.stand_in(full, scale=1).routes.queue_result == "queue-full"
    assert caller.scripted_model(scenario.load("model_talks")).brain.mode == "talk_instead_of_capture"

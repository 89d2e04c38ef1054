"""The talk as the model is shown it: what was said, what was heard, and always a history the API takes."""

from __future__ import annotations

import copy
import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payagent.flow import events as ev
from payagent.flow.call import LATE
from payagent.flow.orders import answer_or_ask, answer_waiting, think
from payagent.flow.script import INSTRUCTIONS, SYSTEM, Talk
from payagent.flow.states import FINAL, Profile, State
from payagent.flow.step import Step
from payagent.flow.table import build
from payagent.flow.tools import TOOLS

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
THINKING = {effect.words for effect in (think, answer_waiting, answer_or_ask)}


def step(event: ev.Event, refused: str = "", reply: str = "") -> Step:
    """A step as the talk reads it."""
    state = State.CHOOSING_AMOUNT
    return Step("CA1", 1, NOON, event, state, state, "", refused, reply, (), (), "f1")


def tool(name: str = "start_payment", arguments: str = "{}", call_id: str = "call-1") -> ev.ToolCalled:
    return ev.ToolCalled("CA1:1:0", call_id, name, arguments)


def talk(*events: ev.Event) -> list[dict[str, Any]]:
    """The messages after these events, without the two instructions around them; tools are answered “Done.”."""
    told = Talk()
    for event in events:
        told.add(step(event, reply="Done." if isinstance(event, ev.ToolCalled) else ""))
    return told.messages(State.CHOOSING_AMOUNT, "en")[1:-1]


def words(messages: list[dict[str, Any]]) -> list[str]:
    """Who said what, tools by their name."""
    return [f"{m['role']}: {m['content'] or m['tool_calls'][0]['function']['name']}" for m in messages]


def test_the_stable_part_stands_first_and_the_state_last() -> None:
    """A prompt's prefix can only be cached if it does not change with the state."""
    told = Talk()
    told.add(step(ev.CallerSpoke("Hello")))

    first = told.messages(State.CHOOSING_AMOUNT, "en")
    then = told.messages(State.READY_TO_COMPLETE, "es", "The bill told: a visit, 10.00 USD owed.")

    assert first[:-1] == then[:-1] == [{"role": "system", "content": SYSTEM}, {"role": "user", "content": "Hello"}]
    assert first[-1]["content"] == (f"State: choosing_amount. {INSTRUCTIONS[State.CHOOSING_AMOUNT]} Speak English.")
    assert then[-1]["content"].startswith("State: ready_to_complete. ")
    assert then[-1]["content"].endswith(" The bill told: a visit, 10.00 USD owed. Speak Spanish.")


def test_a_language_without_a_name_is_named_by_its_code() -> None:
    """A deployer may add languages that this file has no word for."""
    assert Talk().messages(State.ENDED, "fr")[-1]["content"] == "State: ended. Speak fr."


def test_every_state_in_which_the_model_has_a_say_has_its_instruction() -> None:
    """Where the table offers tools or orders a turn, the model is told what the state waits for."""
    flow = build()
    thinking = {row.dest or row.source for row in flow.rows if THINKING & {effect.words for effect in row.effects}}
    silent = {State.PROCESSING_PAYMENT, State.PAYMENT_OUTCOME_UNKNOWN, State.HANDING_OFF, State.CANCELLING_PAYMENT}

    assert {s for s in State if flow.tools.get(s)} - INSTRUCTIONS.keys() == set()
    assert thinking - INSTRUCTIONS.keys() == set()
    assert INSTRUCTIONS.keys() & (silent | FINAL) == set()


def test_instructions_name_only_tools_that_are_open_there() -> None:
    """The model is not sent after a tool that it is not offered."""
    flow = build(profile=Profile.CARD_POSTAL_CODE)

    for state, instruction in INSTRUCTIONS.items():
        named = {name for name in TOOLS if re.search(rf"\b{name}\b", instruction)}

        assert named <= set(flow.tools[state]), state


def test_what_was_said_is_told_in_order() -> None:
    """Caller, agent and tools, each in the role the API has for it."""
    assert talk(
        ev.CallerSpoke("All of it."),
        ev.AgentSpoke("CA1:1:0", "Gladly."),
        tool(arguments='{"amount": "600.00"}'),
        ev.AgentSpoke("CA1:3:0", "You are about to pay."),
    ) == [
        {"role": "user", "content": "All of it."},
        {"role": "assistant", "content": "Gladly."},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "call-1",
                    "type": "function",
                    "function": {"name": "start_payment", "arguments": '{"amount": "600.00"}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "call-1", "content": "Done."},
        {"role": "assistant", "content": "You are about to pay."},
    ]


def test_pieces_of_one_turn_are_one_message() -> None:
    """A turn's words are recorded in pieces when something happens meanwhile; the model said them in one breath."""
    said = [ev.AgentSpoke("CA1:1:0", "You may "), ev.AgentSpoke("CA1:1:0", "pay a part."), ev.AgentSpoke("x", "Paid.")]

    assert words(talk(*said)) == ["assistant: You may pay a part.", "assistant: Paid."]


def test_words_without_a_source_are_never_joined() -> None:
    """Only a known turn goes on; nothing is added to a tool call, which has no words."""
    said = [tool(), ev.AgentSpoke("", "One."), ev.AgentSpoke("", "Two.")]

    assert words(talk(*said))[2:] == ["assistant: One.", "assistant: Two."]


def test_erased_words_leave_no_empty_message() -> None:
    """Words are erased on schedule, or were nothing but a card number; some servers refuse an empty message."""
    assert talk(ev.CallerSpoke(""), ev.AgentSpoke("CA1:1:0", "")) == []


def test_a_call_from_a_cut_turn_is_not_part_of_the_talk() -> None:
    """What came too late was not answered to any model; a refusal in words was."""
    told = Talk()
    told.add(step(tool("end_call"), refused=LATE, reply=LATE))
    told.add(step(tool("complete_payment_processing"), refused="Not now.", reply="Not now."))

    assert words(told.messages(State.CHOOSING_AMOUNT, "en")[1:-1]) == [
        "assistant: complete_payment_processing",
        "tool: Not now.",
    ]


@pytest.mark.parametrize(
    ("heard", "left"),
    [
        ("You owe six", ["You owe six"]),
        ("  You owe six hundred dollars.  ", ["You owe six hundred dollars."]),
        ("Is that", ["You owe six hundred dollars.", "Is that"]),
        ("something else", ["You owe six hundred dollars.", "Is that right?"]),
        ("", ["You owe six hundred dollars.", "Is that right?"]),
    ],
)
def test_an_interrupt_leaves_what_was_heard(heard: str, left: list[str]) -> None:
    """All after it was never played; what cannot be found again leaves everything as it is."""
    messages = talk(
        ev.CallerSpoke("How much?"),
        ev.AgentSpoke("CA1:1:0", "You owe six hundred dollars."),
        ev.AgentSpoke("CA1:2:0", "Is that right?"),
        ev.CallerInterrupted(heard),
    )

    assert [m["content"] for m in messages[1:]] == left


def test_an_interrupt_reaches_past_a_tool_but_not_past_the_caller() -> None:
    """A fixed sentence queued behind the words that were talked over was not heard either; the tool was called."""
    spoken = [
        ev.AgentSpoke("CA1:1:0", "Let me look."),
        tool("check_pending_bill"),
        ev.AgentSpoke("CA1:2:0", "You owe."),
    ]

    past_the_tool = talk(ev.CallerSpoke("How much?"), *spoken, ev.CallerInterrupted("Let me"))
    past_the_caller = talk(*spoken, ev.CallerSpoke("Wait"), ev.CallerInterrupted("Let me"))

    assert words(past_the_tool) == [
        "user: How much?",
        "assistant: Let me",
        "assistant: check_pending_bill",
        "tool: Done.",
    ]
    assert words(past_the_caller)[-2:] == ["assistant: You owe.", "user: Wait"]


def test_a_turn_goes_on_after_it_was_trimmed() -> None:
    """The message trimmed last is still that turn's."""
    messages = talk(
        ev.AgentSpoke("CA1:1:0", "One two three"), ev.CallerInterrupted("One two"), ev.AgentSpoke("CA1:1:0", " four")
    )

    assert words(messages) == ["assistant: One two four"]


def test_what_was_handed_out_never_changes() -> None:
    """A request that is sent again must say what it said before."""
    told = Talk()
    told.add(step(ev.AgentSpoke("CA1:1:0", "One two")))
    given = told.messages(State.CHOOSING_AMOUNT, "en")
    before = copy.deepcopy(given)

    told.add(step(ev.AgentSpoke("CA1:1:0", " three")))
    told.add(step(ev.CallerInterrupted("One")))

    assert given == before


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ('{"amount": "1.00"}', '{"amount": "1.00"}'),
        ('{"amount": ', "{}"),
        ("[1]", "{}"),
        ("", "{}"),
        ("[" * 100_000, "{}"),
    ],
)
def test_arguments_that_are_no_object_are_told_as_none(given: str, told: str) -> None:
    """They were refused in words; a server that reads them must not refuse the whole history."""
    assert talk(tool(arguments=given))[0]["tool_calls"][0]["function"]["arguments"] == told


@pytest.mark.parametrize(
    ("given", "told"),
    [("end_call", "end_call"), ("pay now!", "pay_now_"), ("", "_"), ("x" * 80, "x" * 64)],
)
def test_an_invented_name_is_told_in_letters_the_api_takes(given: str, told: str) -> None:
    """Names are letters, digits, dashes and underscores, at most 64."""
    assert talk(tool(given))[0]["tool_calls"][0]["function"]["name"] == told


spoken = st.text(max_size=12)
sources = st.sampled_from(["", "CA1:1:0", "CA1:2:0", "welcome"])
steps = st.one_of(
    st.builds(step, st.builds(ev.CallerSpoke, spoken)),
    st.builds(step, st.builds(ev.CallerInterrupted, spoken)),
    st.builds(step, st.builds(ev.AgentSpoke, sources, spoken)),
    st.builds(step, st.just(ev.TurnEnded("CA1:1:0", "stop"))),
    st.builds(
        step,
        st.builds(
            ev.ToolCalled, sources, st.sampled_from(["call-1", "call-2"]), st.text(max_size=80), st.text(max_size=20)
        ),
        refused=st.sampled_from(["", LATE, "Not now."]),
        reply=spoken,
    ),
)


@given(st.lists(steps, max_size=30))
def test_whatever_the_steps_the_history_is_valid(given_steps: list[Step]) -> None:
    """Every tool call is followed by its own answer, no answer stands alone, and no message is empty."""
    told = Talk()
    for one in given_steps:
        told.add(one)
        messages = told.messages(one.after, "en")

        assert invalid(messages) == []


def invalid(messages: list[dict[str, Any]]) -> list[str]:
    """What Chat Completions would refuse."""
    problems = []
    awaited = ""
    for n, message in enumerate(messages):
        calls = message.get("tool_calls", [])
        if (message["role"] == "tool") != bool(awaited) or message.get("tool_call_id", "") != awaited:
            problems.append(f"{n}: {awaited or 'nothing'} is to be answered")
        if message["role"] in ("user", "assistant") and not calls and not message["content"]:
            problems.append(f"{n}: says nothing")
        awaited = calls[0]["id"] if calls else ""
        for call in calls:
            name, arguments = call["function"]["name"], call["function"]["arguments"]
            if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name) or not isinstance(json.loads(arguments), dict):
                problems.append(f"{n}: {call}")
    return problems if not awaited else [*problems, "the last call is not answered"]

"""The scripted model on the wire, read by the real SDK."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import openai
import pytest

from payagent.lab.brain import Brain, Reply
from payagent.lab.model import ScriptedModel
from payagent.lab.serving import serve
from payagent.testing.line import ModelUp

TOOL = {
    "type": "function",
    "function": {
        "name": "verify_user",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"full_name": {"type": "string"}, "date_of_birth": {"type": "string"}},
            "required": ["full_name", "date_of_birth"],
            "additionalProperties": False,
        },
    },
}
SAID: Any = [{"role": "user", "content": "Zoë Müller, May 1st, 1990"}]
WANTED = {"full_name": "Zoë Müller", "date_of_birth": "May 1st, 1990"}


@pytest.fixture
def model() -> ScriptedModel:
    return ScriptedModel()


@pytest.fixture
async def client(model: ScriptedModel, scripted_model: ModelUp) -> AsyncIterator[openai.AsyncOpenAI]:
    async with scripted_model(model) as (_, url), openai.AsyncOpenAI(api_key="k", base_url=url, max_retries=0) as sdk:
        yield sdk


async def test_a_streamed_tool_call_comes_in_fragments(client: openai.AsyncOpenAI, model: ScriptedModel) -> None:
    """Id and name first, then the arguments in pieces, then the finish reason and the usage."""
    stream = await client.chat.completions.create(
        model="m",
        messages=SAID,
        tools=[TOOL],
        stream=True,
        stream_options={"include_usage": True},  # type: ignore[list-item]
    )
    chunks = [chunk async for chunk in stream]

    fragments = [call for chunk in chunks if chunk.choices for call in chunk.choices[0].delta.tool_calls or ()]
    assert fragments[0].function is not None
    assert (fragments[0].function.name, fragments[0].function.arguments) == ("verify_user", "")
    assert fragments[0].id
    assert len(fragments) > 3
    assert all(fragment.id is None for fragment in fragments[1:])
    text = "".join((fragment.function and fragment.function.arguments) or "" for fragment in fragments)
    assert json.loads(text) == WANTED
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "tool_calls"
    assert chunks[-1].usage is not None
    assert model.requests[0].tools == ("verify_user",)
    assert model.violations == []


async def test_streamed_words_come_a_few_at_a_time(client: openai.AsyncOpenAI) -> None:
    """Concatenated they are the sentence, spaces and all."""
    stream = await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hm"}], stream=True)
    deltas = [chunk.choices[0].delta async for chunk in stream]

    assert deltas[0].role == "assistant"
    assert "".join(delta.content or "" for delta in deltas) == "One moment, please."


async def test_an_answer_without_streaming_is_whole(client: openai.AsyncOpenAI) -> None:
    """Tool call and finish reason."""
    answer = await client.chat.completions.create(model="m", messages=SAID, tools=[TOOL])  # type: ignore[list-item]

    (call,) = answer.choices[0].message.tool_calls or ()
    assert call.type == "function"
    assert json.loads(call.function.arguments) == WANTED
    assert answer.choices[0].finish_reason == "tool_calls"


async def test_words_before_a_tool_are_one_answer(client: openai.AsyncOpenAI, model: ScriptedModel) -> None:
    """The SDK's own accumulator puts the stream together."""
    model.brain = Brain(script=[Reply("Let me look.", "verify_user", WANTED)])
    async with client.chat.completions.stream(model="m", messages=SAID, tools=[TOOL]) as stream:  # type: ignore[list-item]
        answer = await stream.get_final_completion()

    message = answer.choices[0].message
    assert message.content == "Let me look."
    assert message.tool_calls is not None
    assert message.tool_calls[0].function.name == "verify_user"


async def test_a_request_openai_would_refuse_is_a_violation(client: openai.AsyncOpenAI, model: ScriptedModel) -> None:
    """It is answered with OpenAI's error body."""
    with pytest.raises(openai.BadRequestError) as caught:
        await client.chat.completions.create(model="m", messages=[{"role": "tool", "tool_call_id": "x", "content": ""}])

    assert isinstance(caught.value.body, dict)
    assert caught.value.body["type"] == "invalid_request_error"
    assert len(model.violations) == 1
    assert model.requests == []


async def test_lax_tools_and_card_data_are_violations(client: openai.AsyncOpenAI, model: ScriptedModel) -> None:
    """They are answered all the same."""
    lax = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    said: Any = [{"role": "user", "content": "it is 4242 4242 4242 4242"}]
    await client.chat.completions.create(model="m", messages=said, tools=[lax])  # type: ignore[list-item]

    assert model.violations == ["card data in a request to the model", "tools without strict schemas: f"]


async def test_failures_can_be_ordered(client: openai.AsyncOpenAI, model: ScriptedModel) -> None:
    """One request each, and no violation."""
    model.fail_next = [500, 429]
    with pytest.raises(openai.InternalServerError):
        await client.chat.completions.create(model="m", messages=SAID)
    with pytest.raises(openai.RateLimitError):
        await client.chat.completions.create(model="m", messages=SAID)

    assert (await client.chat.completions.create(model="m", messages=SAID)).choices
    assert model.violations == []


async def test_models_are_listed(client: openai.AsyncOpenAI) -> None:
    """And shown one by one."""
    assert [each.id async for each in client.models.list()] == ["lab-model"]
    assert (await client.models.retrieve("any")).id == "any"


async def test_no_key_and_no_json_are_refused(model: ScriptedModel) -> None:
    """401 and 400."""
    async with serve(model) as origin, httpx.AsyncClient(base_url=origin) as plain:
        assert (await plain.post("/v1/chat/completions", json={})).status_code == 401
        headers = {"Authorization": "Bearer k"}
        assert (await plain.post("/v1/chat/completions", content="{", headers=headers)).status_code == 400

    assert len(model.violations) == 2


async def mischievous(trouble: str) -> tuple[httpx.Response, ScriptedModel]:
    """What comes of a request that meets this mischief."""
    model = ScriptedModel(mischief=lambda: trouble, scale=0.001)
    body = {"model": "m", "messages": SAID, "tools": [TOOL], "stream": True}
    async with serve(model) as origin, httpx.AsyncClient() as http:
        answer = await http.post(f"{origin}/v1/chat/completions", json=body, headers={"Authorization": "Bearer k"})
    return answer, model


@pytest.mark.parametrize(
    ("trouble", "there", "not_there"),
    [
        ("slow", "verify_user", "stop"),
        ("never", "verify_user", "stop"),
        ("cut", "verify_user", '"finish_reason": "tool_calls"'),
        ("garbage", "{not quite JSON", "verify_user"),
        ("lie", "Your confirmation code", "verify_user"),
        ("invent", "charge_the_card_now", "verify_user"),
        ("empty", '"finish_reason": "stop"', "content"),
        ("503", "a failure of the lab", "verify_user"),
    ],
)
async def test_a_model_may_be_up_to_mischief(trouble: str, there: str, not_there: str) -> None:
    """Of each kind there is; it is counted."""
    answer, model = await mischievous(trouble)
    said = " ".join(re.findall(r'"content": "(.*?)"', answer.text)).replace("  ", " ") + answer.text

    assert there in said
    assert not_there not in answer.text
    assert answer.status_code == (503 if trouble == "503" else 200)
    assert model.injected == {f"model {trouble}": 1}

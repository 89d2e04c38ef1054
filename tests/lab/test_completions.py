"""Chat Completions requests, checked as OpenAI checks them."""

from __future__ import annotations

from typing import Any

import pytest

from payagent.lab import completions

CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
ASKED = {"role": "assistant", "content": None, "tool_calls": [CALL]}
ANSWERED = {"role": "tool", "tool_call_id": "c1", "content": "ok"}
HI = {"role": "user", "content": "hi"}


def tool(name: str = "f", **schema: Any) -> dict[str, Any]:
    parameters = {"type": "object", "properties": {}, "required": [], "additionalProperties": False} | schema
    return {"type": "function", "function": {"name": name, "strict": True, "parameters": parameters}}


def body(*messages: Any, **more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": list(messages) or [HI]} | more


@pytest.mark.parametrize(
    "request_body",
    [
        body(),
        body({"role": "developer", "content": [{"type": "text", "text": "be brief"}]}, HI),
        body(HI, ASKED, ANSWERED, {"role": "assistant", "content": "done"}),
        body(tools=[tool(), tool("g")], parallel_tool_calls=False, stream=True, stream_options={"include_usage": True}),
        body(tools=[tool(properties={"a": {"type": ["string", "null"]}}, required=["a"])]),
    ],
)
def test_good_requests_pass(request_body: dict[str, Any]) -> None:
    """With tools and their answers, streaming or not."""
    completions.check(request_body)


@pytest.mark.parametrize(
    ("request_body", "says"),
    [
        ([], "parse"),
        (body(temprature=1), "Unrecognized request argument"),
        ({"messages": [HI]}, "model parameter"),
        ({"model": "m", "messages": []}, "empty array"),
        (body(parallel_tool_calls=False), "only allowed when 'tools'"),
        (body(tool_choice="auto"), "only allowed when 'tools'"),
        (body(stream_options={"include_usage": True}), "when 'stream'"),
        (body(n=2), "one choice"),
        (body(tools=[]), "empty array"),
        (body(tools=[tool(), tool()]), "two of name"),
        (body(tools=[tool("käse")]), "a function with a name"),
        (body({"role": "robot", "content": "x"}), "role"),
        (body({"role": "user", "content": None}), "got null"),
        (body({"role": "user", "content": 1}), "Invalid type"),
        (body({"role": "user", "content": "x", "mood": "good"}), "Unrecognized key"),
        (body(HI, ASKED), "did not have response messages: c1"),
        (body(HI, ASKED, HI, ANSWERED), "did not have response messages: c1"),
        (body(HI, ANSWERED), "must be a response to a preceding message"),
        (body(HI, ASKED, ANSWERED, ANSWERED), "must be a response to a preceding message"),
        (body({"role": "user", "content": "x", "tool_calls": [CALL]}), "only an assistant's"),
        (body({**ASKED, "tool_calls": []}, HI), "not empty"),
        (body({**ASKED, "tool_calls": [{"id": "c1"}]}), "Invalid tool call"),
        (body(tools=[tool(additionalProperties=True)]), "additionalProperties"),
        (body(tools=[tool(properties={"a": {"type": "string"}})]), "'required' is required"),
        (body(tools=[tool(properties={"a": {"type": "string", "default": ""}}, required=["a"])]), "'default'"),
        (body(tools=[tool(properties={"a": {"$ref": "#/$defs/A", "title": "x"}}, required=["a"])]), "$ref"),
        (body(tools=[tool(properties={"a": {"type": "array", "items": {"type": "object"}}}, required=["a"])]), "items"),
        (body(tools=[tool(type="string")]), "an object is expected"),
    ],
)
def test_bad_requests_are_refused(request_body: Any, says: str) -> None:
    """Each with the reason OpenAI gives."""
    with pytest.raises(completions.InvalidRequest) as caught:
        completions.check(request_body)

    assert says in str(caught.value)

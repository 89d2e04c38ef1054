"""Checks a Chat Completions request as strictly as OpenAI does.

What is checked: the parameters' names, the messages' roles and order (each assistant's tool calls are followed by
exactly their tool messages), the tools' names and their strict JSON schemas.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

_PARAMETERS = frozenset(
    {
        "model", "messages", "tools", "tool_choice", "parallel_tool_calls", "stream", "stream_options", "temperature",
        "top_p", "max_tokens", "max_completion_tokens", "n", "stop", "seed", "user", "metadata", "store", "logprobs",
        "presence_penalty", "frequency_penalty", "response_format", "reasoning_effort", "service_tier", "verbosity",
        "safety_identifier", "prompt_cache_key",
    }
)  # fmt: skip
_ROLES = frozenset({"system", "developer", "user", "assistant", "tool"})
_MESSAGE_KEYS = frozenset({"role", "content", "name", "tool_calls", "tool_call_id", "refusal"})
_NOT_STRICT = frozenset({"default", "oneOf", "allOf", "not", "patternProperties", "if", "then", "else"})


class InvalidRequest(Exception):
    """A request OpenAI answers with 400; `param` names what is wrong."""

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


def check(body: Any) -> None:
    """Check one request body.

    Raises:
        InvalidRequest: OpenAI would answer 400.
    """
    if not isinstance(body, dict):
        raise InvalidRequest("We could not parse the JSON body of your request.")
    for name in body:
        if name not in _PARAMETERS:
            raise InvalidRequest(f"Unrecognized request argument supplied: {name}", name)
    if not isinstance(body.get("model"), str) or not body["model"]:
        raise InvalidRequest("you must provide a model parameter", "model")
    _check_companions(body)
    _check_messages(body.get("messages"))
    if "tools" in body:
        _check_tools(body["tools"])


def _check_companions(body: Mapping[str, Any]) -> None:
    for name in ("tool_choice", "parallel_tool_calls"):
        if name in body and "tools" not in body:
            raise InvalidRequest(f"'{name}' is only allowed when 'tools' are specified.", name)
    if body.get("stream_options") is not None and not body.get("stream"):
        raise InvalidRequest("'stream_options' is only allowed when 'stream' is enabled.", "stream_options")
    if body.get("n") not in (None, 1):
        raise InvalidRequest("the lab gives one choice", "n")


def _check_messages(messages: Any) -> None:
    if not isinstance(messages, list) or not messages:
        raise InvalidRequest("Invalid 'messages': empty array or none.", "messages")
    owed: list[str] = []
    for n, message in enumerate(messages):
        where = f"messages.[{n}]"
        _check_message(message, where)
        if message["role"] == "tool":
            _settle(owed, message.get("tool_call_id"), where)
            continue
        if owed:
            raise InvalidRequest(_UNANSWERED + ", ".join(owed), where)
        owed = [call["id"] for call in message.get("tool_calls") or ()]
    if owed:
        raise InvalidRequest(_UNANSWERED + ", ".join(owed), "messages")


_UNANSWERED = (
    "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. "
    "The following tool_call_ids did not have response messages: "
)


def _settle(owed: list[str], call_id: Any, where: str) -> None:
    if call_id not in owed:
        raise InvalidRequest(
            "messages with role 'tool' must be a response to a preceding message with 'tool_calls'.", where
        )
    owed.remove(call_id)


def _check_message(message: Any, where: str) -> None:
    if not isinstance(message, dict) or message.get("role") not in _ROLES:
        raise InvalidRequest(f"Invalid value for '{where}.role'.", where)
    for key in message:
        if key not in _MESSAGE_KEYS:
            raise InvalidRequest(f"Unrecognized key '{key}'.", where)
    calls = message.get("tool_calls")
    if calls is not None:
        _check_calls(message["role"], calls, where)
    content = message.get("content")
    if content is None and not (message["role"] == "assistant" and calls):
        raise InvalidRequest(f"Invalid value for 'content': expected a string, got null ({where}).", where)
    if content is not None and not _is_content(content):
        raise InvalidRequest(f"Invalid type for '{where}.content'.", where)


def _is_content(content: Any) -> bool:
    if isinstance(content, str):
        return True
    return isinstance(content, list) and all(
        isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str) for part in content
    )


def _check_calls(role: str, calls: Any, where: str) -> None:
    if role != "assistant" or not isinstance(calls, list) or not calls:
        raise InvalidRequest(f"Invalid '{where}.tool_calls': only an assistant's, and not empty.", where)
    for call in calls:
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict) or call.get("type") != "function" or not isinstance(call.get("id"), str):
            raise InvalidRequest(f"Invalid tool call in '{where}.tool_calls'.", where)
        if not isinstance(function.get("name"), str) or not isinstance(function.get("arguments"), str):
            raise InvalidRequest(f"Invalid function in '{where}.tool_calls': name and arguments are strings.", where)


def _check_tools(tools: Any) -> None:
    if not isinstance(tools, list) or not tools:
        raise InvalidRequest("Invalid 'tools': empty array. Expected an array with minimum length 1.", "tools")
    names = [_check_tool(tool) for tool in tools]
    for name in names:
        if names.count(name) > 1:
            raise InvalidRequest(f"Invalid 'tools': two of name {name}.", "tools")


def _check_tool(tool: Any) -> str:
    function = tool.get("function") if isinstance(tool, dict) and tool.get("type") == "function" else None
    name = function.get("name") if isinstance(function, dict) else None
    if not isinstance(function, dict) or not isinstance(name, str) or not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name):
        raise InvalidRequest("Invalid tool: a function with a name is expected.", "tools")
    if function.get("strict"):
        schema = function.get("parameters")
        if not isinstance(schema, dict) or schema.get("type") != "object":
            raise InvalidRequest(f"Invalid schema for function '{name}': an object is expected.", "tools")
        _check_schema(schema, name, ())
    return name


def _check_schema(schema: Any, function: str, path: Sequence[str]) -> None:
    """Strict mode: every object closed, every property required, no keyword of the unsupported ones."""
    if isinstance(schema, list):
        for each in schema:
            _check_schema(each, function, path)
    if not isinstance(schema, dict):
        return
    problem = _object_problem(schema)
    if problem:
        raise InvalidRequest(f"Invalid schema for function '{function}': In context={tuple(path)}, {problem}", "tools")
    for keyword in ("properties", "$defs"):
        for name, each in schema.get(keyword, {}).items():
            _check_schema(each, function, (*path, keyword, name))
    _check_schema(schema.get("items"), function, (*path, "items"))
    _check_schema(schema.get("anyOf"), function, (*path, "anyOf"))


def _object_problem(schema: Mapping[str, Any]) -> str:
    refused = sorted(_NOT_STRICT & schema.keys())
    if refused:
        return f"'{refused[0]}' is not permitted."
    if "$ref" in schema and len(schema) > 1:
        return "$ref cannot have keywords beside it."
    if schema.get("type") != "object":
        return ""
    if schema.get("additionalProperties") is not False:
        return "'additionalProperties' is required to be supplied and to be false."
    if set(schema.get("required", ())) != set(schema.get("properties", ())):
        return "'required' is required to be supplied and to be an array including every key in properties."
    return ""

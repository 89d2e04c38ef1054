"""An OpenAI-compatible model server whose answers come from `Brain`: the wire format is real, the mind is scripted.

* Streamed answers come as OpenAI sends them: the role first, words a few at a time, a tool call as id and name and
  then its arguments in pieces, the finish reason, the usage when asked for, `[DONE]`.
* A request OpenAI would refuse is answered 400 and written to `violations`.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from payagent.lab import completions
from payagent.lab.brain import Brain, Reply
from payagent.lab.cards import contains_card

WORDS_A_CHUNK = 3
CHARACTERS_A_PIECE = 7
SLOW_SECONDS, NEVER_SECONDS = 6.0, 60.0
MADE_UP_CODE = "A 1 2 3"
LIE = f"Good news, your payment went through and you are all paid. Your confirmation code is {MADE_UP_CODE}."
MISCHIEF = ("slow", "never", "cut", "503", "429", "garbage", "lie", "invent", "empty")
"""What a model may do instead of answering well: `mischief` names one of them for each request, or ""."""

CREATED = 1_800_000_000  # a fixed time stamp: the same call gives the same bytes


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One request that was answered: the tools offered and what came of it."""

    tools: tuple[str, ...]
    reply: Reply


class ScriptedModel:
    """The model server, as an ASGI app; its base URL ends in `/v1`.

    Args:
        brain: decides the answers.
        chunk_seconds: time between two chunks of a stream.
        mischief: asked at each request what goes wrong with it, one of `MISCHIEF` or "".
        scale: multiplies the waits of mischief.

    Attributes:
        fail_next: HTTP statuses the next requests are answered with, one a request.
        injected: how often each mischief was done.
    """

    def __init__(
        self,
        brain: Brain | None = None,
        *,
        name: str = "lab-model",
        chunk_seconds: float = 0.0,
        mischief: Callable[[], str] = str,
        scale: float = 1.0,
    ) -> None:
        self.brain = brain or Brain()
        self.name = name
        self.chunk_seconds = chunk_seconds
        self.requests: list[ModelRequest] = []
        self.violations: list[str] = []
        self.fail_next: list[int] = []
        self.mischief = mischief
        self.injected: Counter[str] = Counter()
        self._scale = scale
        self._ids = count(1)
        self._app = Starlette(
            routes=[
                Route("/v1/chat/completions", self._complete, methods=["POST"]),
                Route("/v1/models", self._list),
                Route("/v1/models/{model}", self._show),
            ]
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The server, as an ASGI app."""
        await self._app(scope, receive, send)

    async def _list(self, request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [self._model(self.name)]})

    async def _show(self, request: Request) -> Response:
        return JSONResponse(self._model(request.path_params["model"]))

    def _model(self, name: str) -> dict[str, Any]:
        return {"id": name, "object": "model", "created": CREATED, "owned_by": "payagent-lab"}

    async def _complete(self, request: Request) -> Response:
        if self.fail_next:
            status = self.fail_next.pop(0)
            return _error(status, "a failure of the lab", "server_error" if status >= 500 else "rate_limit_error")
        if not request.headers.get("authorization", "").startswith("Bearer "):
            return self._refuse(401, "You didn't provide an API key.")
        try:
            body = await request.json()
            completions.check(body)
        except ClientDisconnect:  # killed while it asked
            return Response()
        except ValueError:
            return self._refuse(400, "We could not parse the JSON body of your request.")
        except completions.InvalidRequest as error:
            return self._refuse(400, str(error), error.param)
        trouble = self.mischief()
        if trouble:
            self.injected[f"model {trouble}"] += 1
            await asyncio.sleep({"slow": SLOW_SECONDS, "never": NEVER_SECONDS}.get(trouble, 0) * self._scale)
        if trouble.isdigit():
            return _error(int(trouble), "a failure of the lab", "server_error")
        return self._answer(body, trouble)

    def _answer(self, body: dict[str, Any], trouble: str) -> Response:
        if any(contains_card(str(message.get("content"))) for message in body["messages"]):
            self.violations.append("card data in a request to the model")
        functions = [tool["function"] for tool in body.get("tools", ())]
        lax = [function["name"] for function in functions if not function.get("strict")]
        if lax:
            self.violations.append(f"tools without strict schemas: {', '.join(lax)}")
        offered = tuple(function["name"] for function in functions)
        reply = _MISCHIEVOUS.get(trouble) or self.brain.decide(body["messages"], offered)
        self.requests.append(ModelRequest(offered, reply))
        head = {"id": f"chatcmpl-lab{next(self._ids):04d}", "created": CREATED, "model": body["model"]}
        if not body.get("stream"):
            return JSONResponse(head | _whole(head["id"], reply))
        usage = bool((body.get("stream_options") or {}).get("include_usage"))
        return StreamingResponse(self._stream(head, reply, usage, trouble), media_type="text/event-stream")

    async def _stream(self, head: dict[str, Any], reply: Reply, usage: bool, trouble: str) -> AsyncIterator[str]:
        head = head | {"object": "chat.completion.chunk", "system_fingerprint": "fp_lab"}
        blank = {"usage": None} if usage else {}
        for delta, finish in _deltas(head["id"], reply):
            choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
            if trouble == "cut" and finish:
                return
            yield "data: {not quite JSON\n\n" if trouble == "garbage" else _event(head | {"choices": [choice]} | blank)
            await asyncio.sleep(self.chunk_seconds)
        if usage:
            yield _event(head | {"choices": [], "usage": _usage(reply)})
        yield "data: [DONE]\n\n"

    def _refuse(self, status: int, message: str, param: str | None = None) -> Response:
        self.violations.append(f"the model refused a request with {status}: {message}")
        return _error(status, message, "invalid_request_error", param)


_MISCHIEVOUS = {
    "lie": Reply(words=LIE),
    "invent": Reply(tool="charge_the_card_now", arguments={"amount": "1.00"}),
    "empty": Reply(),
}


def _error(status: int, message: str, kind: str, param: str | None = None) -> JSONResponse:
    return JSONResponse({"error": {"message": message, "type": kind, "param": param, "code": None}}, status)


def _event(chunk: dict[str, Any]) -> str:
    return f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n"


def _deltas(answer_id: str, reply: Reply) -> Iterator[tuple[dict[str, Any], str | None]]:
    """The deltas and finish reasons of one streamed answer, in order."""
    if reply.words:
        yield {"role": "assistant", "content": "", "refusal": None}, None
        for piece in _pieces_of_words(reply.words):
            yield {"content": piece}, None
    if reply.tool:
        yield from _tool_deltas(answer_id, reply)
    yield {}, "tool_calls" if reply.tool else "stop"


def _tool_deltas(answer_id: str, reply: Reply) -> Iterator[tuple[dict[str, Any], str | None]]:
    call = {"index": 0} | _call(answer_id, reply, "")
    opening: dict[str, Any] = {} if reply.words else {"role": "assistant", "content": None}
    yield opening | {"tool_calls": [call]}, None
    text = json.dumps(reply.arguments, ensure_ascii=False)
    for start in range(0, len(text), CHARACTERS_A_PIECE):
        piece = text[start : start + CHARACTERS_A_PIECE]
        yield {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}, None


def _pieces_of_words(words: str) -> Iterator[str]:
    """A few words at a time, each but the first with the space before it."""
    parts = words.split(" ")
    for start in range(0, len(parts), WORDS_A_CHUNK):
        piece = " ".join(parts[start : start + WORDS_A_CHUNK])
        yield f" {piece}" if start else piece


def _call(answer_id: str, reply: Reply, arguments: str) -> dict[str, Any]:
    function = {"name": reply.tool, "arguments": arguments}
    return {"id": f"call_{answer_id.removeprefix('chatcmpl-')}", "type": "function", "function": function}


def _whole(answer_id: str, reply: Reply) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": reply.words or None, "refusal": None}
    if reply.tool:
        message["tool_calls"] = [_call(answer_id, reply, json.dumps(reply.arguments, ensure_ascii=False))]
    finish = "tool_calls" if reply.tool else "stop"
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
    return {"object": "chat.completion", "choices": [choice], "usage": _usage(reply)}


def _usage(reply: Reply) -> dict[str, int]:
    """Made up, but of the right shape."""
    completion = len(reply.words.split()) + 10 * bool(reply.tool)
    return {"prompt_tokens": 100, "completion_tokens": completion, "total_tokens": 100 + completion}

"""The floor: the least Starlette app that moves the same bytes. It decides nothing, records nothing, checks nothing.

* `/relay`: a prompt goes to the model with the talk so far, and each piece of the answer to the caller.
* With `SCRIPT=payment` it also says the sentences and sends the requests that lead the stand-in Twilio through a whole
  payment, by counting prompts and looking which field was captured; nothing else is looked at.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl

import aiohttp
import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from payagent.flow.script import SYSTEM
from payagent.flow.tools import schema

MODEL, REST = os.environ.get("MODEL", ""), os.environ.get("REST", "")
ORIGIN = f"http://127.0.0.1:{os.environ.get('PORT', '0')}"
PAYS = os.environ.get("SCRIPT") == "payment"
TOOLS = [schema(name) for name in ("verify_user", "human_agent_handoff", "switch_language")]
PAYMENTS = f"{REST}/2010-04-01/Accounts/AC{'0a' * 16}/Calls"
AUTH = aiohttp.BasicAuth("SK" + "0b" * 16, "cd" * 16)
CONNECT = (
    f'<?xml version="1.0" encoding="UTF-8"?><Response><Connect action="{ORIGIN}/api/action"><ConversationRelay '
    f'url="ws{ORIGIN.removeprefix("http")}/relay" /></Connect></Response>'
)
HANG_UP = '<?xml version="1.0" encoding="UTF-8"?><Response><Hangup /></Response>'
NEXT_FIELD = {"payment-card-number": "expiration-date", "expiration-date": "security-code"}
PROMPTS = {
    "payment-card-number": "Please key in your card number, and press the pound key.",
    "expiration-date": "Please key in the expiration date as four digits, and press the pound key.",
    "security-code": "Please key in the security code, and press the pound key.",
}


class _Delta(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    delta: _Delta


class _Chunk(msgspec.Struct):
    choices: list[_Choice]


class _Frame(msgspec.Struct):
    type: str
    callSid: str = ""  # noqa: N815 - Twilio's names
    voicePrompt: str = ""  # noqa: N815


_frame = msgspec.json.Decoder(_Frame).decode
_chunk = msgspec.json.Decoder(_Chunk).decode
_encode = msgspec.json.encode


class Caller:
    """One call: the talk so far, and how often the caller has spoken."""

    def __init__(self, socket: WebSocket) -> None:
        self.socket = socket
        self.http: aiohttp.ClientSession = socket.app.state.http
        self.talk: list[dict[str, Any]] = [{"role": "system", "content": SYSTEM}]
        self.call_sid = ""
        self.session = ""
        self.prompts = 0
        self.requests = 0

    async def say(self, text: str) -> None:
        """A fixed sentence."""
        self.talk.append({"role": "assistant", "content": text})
        await self.socket.send_text(_encode({"type": "text", "token": text, "last": True}).decode())

    async def think(self, *, aloud: bool) -> None:
        """One request to the model; `aloud`, its pieces go to the caller as they come."""
        body = _encode({"model": "bench", "messages": self.talk, "tools": TOOLS, "stream": True})
        words = ""
        async with self.http.post(f"{MODEL}/v1/chat/completions", data=body) as response:
            async for line in response.content:
                if line.startswith(b"data: {"):
                    piece = _chunk(line[6:]).choices[0].delta.content
                    if piece and aloud:
                        words += piece
                        frame = {"type": "text", "token": piece, "last": False}
                        await self.socket.send_text(_encode(frame).decode())
        if words:
            await self.socket.send_text(_encode({"type": "text", "token": "", "last": True}).decode())
        self.talk.append({"role": "assistant", "content": words})

    async def order(self, **form: str) -> None:
        """One Payments request."""
        self.requests += 1
        common = {
            "IdempotencyKey": f"{self.call_sid}:{self.requests}",
            "StatusCallback": f"{ORIGIN}/api/status-callback",
        }
        where = f"/{self.session}" if self.session else ""
        url = f"{PAYMENTS}/{self.call_sid}/Payments{where}.json"
        async with self.http.post(url, data=common | form, auth=AUTH) as answer:
            body = await answer.json()
            self.session = body.get("sid", self.session)

    async def hear(self, words: str) -> None:
        """The caller spoke: what the script has for it."""
        self.talk.append({"role": "user", "content": words})
        self.prompts += 1
        match self.prompts if PAYS else 0:
            case 1:
                await self.think(aloud=False)
                await self.say("Thank you, John. You owe six hundred dollars for an office visit. Is that right?")
            case 2:
                await self.think(aloud=False)
                await self.think(aloud=True)
                await self.say("Would you like to pay all of it?")
            case 3:
                await self.think(aloud=False)
                await self.say("You are about to pay six hundred dollars. Please have your card ready.")
                await self.order(
                    ChargeAmount="600.00", Currency="USD", Description="office visit", PaymentConnector="Default",
                    PaymentMethod="credit-card", Input="dtmf", PostalCode="false", SecurityCode="true", Timeout="10",
                    ValidCardTypes="visa mastercard amex",
                )  # fmt: skip
                await self.capture("payment-card-number")
            case 4:
                await self.think(aloud=False)
                await self.order(Status="complete")
                await self.say("One moment, please, I am charging the card.")
            case 5:
                await self.think(aloud=False)
                await self.say("Thank you for calling, goodbye.")
                await self.socket.send_text('{"type":"end"}')
            case _:
                await self.think(aloud=True)

    async def capture(self, field: str) -> None:
        """Ask for a field."""
        await self.think(aloud=False)
        await self.order(Capture=field)
        await self.say(PROMPTS[field])

    async def report(self, form: dict[str, str]) -> None:
        """A callback came."""
        if form.get("Result") == "success":
            await self.say("Your payment of six hundred dollars went through. Your confirmation code is 1 2 3 4.")
            await self.say("Is there anything else I can do for you?")
        elif form.get("PartialResult") == "false" and not form.get("ErrorType"):
            field = form.get("Capture", "")
            if field in NEXT_FIELD:
                await self.capture(NEXT_FIELD[field])
            elif field:
                await self.say("That is all I need. Shall I charge six hundred dollars to the card now?")


async def relay(socket: WebSocket) -> None:
    """One caller."""
    await socket.accept()
    caller, callers = Caller(socket), socket.app.state.callers
    try:
        async for text in socket.iter_text():
            frame = _frame(text)
            if frame.type == "setup":
                caller.call_sid = frame.callSid
                callers[frame.callSid] = caller
            elif frame.type == "prompt":
                await caller.hear(frame.voicePrompt)
    except WebSocketDisconnect:
        pass
    finally:
        callers.pop(caller.call_sid, None)


async def ring(request: Request) -> Response:
    """The phone rings."""
    await request.body()
    return Response(CONNECT, media_type="text/xml")


async def over(request: Request) -> Response:
    """The relay is over."""
    await request.body()
    return Response(HANG_UP, media_type="text/xml")


async def report(request: Request) -> Response:
    """A callback of Pay."""
    form = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
    caller = request.app.state.callers.get(form["CallSid"])
    if caller:
        request.app.state.spawn(caller.report(form))
    return Response(status_code=204)


async def healthz(request: Request) -> Response:
    """It is up."""
    return PlainTextResponse("ok")


@asynccontextmanager
async def _opened(app: Starlette) -> AsyncIterator[None]:
    tasks: set[asyncio.Task[None]] = set()

    def spawn(work: Any) -> None:
        task = asyncio.create_task(work)
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        app.state.http, app.state.callers, app.state.spawn = http, {}, spawn
        yield


app = Starlette(
    routes=[
        WebSocketRoute("/relay", relay),
        Route("/healthz", healthz),
        Route("/api/incoming-call", ring, methods=["POST"]),
        Route("/api/status-callback", report, methods=["POST"]),
        Route("/api/action", over, methods=["POST"]),
    ],
    lifespan=_opened,
)

if __name__ == "__main__":
    uvicorn.run(app, port=int(os.environ["PORT"]), log_level="error", access_log=False, ws_per_message_deflate=False)

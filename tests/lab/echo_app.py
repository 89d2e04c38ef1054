"""The smallest app the stand-in Twilio can ring at: it greets, echoes what it hears and records everything."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect
from twilio.request_validator import RequestValidator

from payagent.lab.dialect import Dialect
from payagent.lab.faults import Faults
from payagent.lab.line import LabCall, Routes
from payagent.lab.serving import serve
from payagent.lab.twilio import StandInTwilio

PUBLIC = "https://pay.example.test"
CONNECT = (
    '<Response><Connect action="/api/action"><ConversationRelay url="wss://pay.example.test/relay" '
    'welcomeGreeting="Hello &amp; welcome." dtmfDetection="true" interruptible="speech">'
    '<Language code="es-US"/><Parameter name="ticket" value="t-1"/></ConversationRelay></Connect></Response>'
)
HANGUP = "<Response><Hangup/></Response>"


@dataclass
class EchoApp:
    """Records forms by path and frames; `replies` maps a prompt's words to the frames to send (raw text allowed)."""

    token: str
    incoming: str = CONNECT
    actions: list[str] = field(default_factory=list)
    replies: dict[str, list[Any]] = field(default_factory=dict)
    forms: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    frames: list[dict[str, Any]] = field(default_factory=list)
    forged: list[str] = field(default_factory=list)
    callback_status: int = 204
    refuse_socket: bool = False

    def of(self, path: str) -> list[dict[str, str]]:
        return [form for asked, form in self.forms if asked == path]

    @property
    def callbacks(self) -> list[dict[str, str]]:
        return self.of("/api/status-callback")

    def asgi(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/api/{name}", self.hook, methods=["POST"]),
                WebSocketRoute("/relay", self.relay),
            ]
        )

    async def hook(self, request: Request) -> Response:
        form = {name: str(value) for name, value in (await request.form()).items()}
        path = request.url.path
        signed = request.headers.get("x-twilio-signature", "")
        if not RequestValidator(self.token).validate(PUBLIC + path, form, signed):
            self.forged.append(path)
        self.forms.append((path, form))
        if path == "/api/status-callback":
            return Response(status_code=self.callback_status)
        document = self.incoming if path == "/api/incoming-call" else (self.actions.pop(0) if self.actions else HANGUP)
        return Response(document, media_type="text/xml")

    async def relay(self, socket: WebSocket) -> None:
        signed = socket.headers.get("x-twilio-signature", "")
        if not RequestValidator(self.token).validate("wss://pay.example.test/relay", {}, signed):
            self.forged.append("/relay")
        if self.refuse_socket:
            await socket.close()
            return
        await socket.accept()
        try:
            while True:
                frame = json.loads(await socket.receive_text())
                self.frames.append(frame)
                if frame["type"] == "prompt" and frame.get("last", True):
                    await self.reply(socket, frame["voicePrompt"])
        except WebSocketDisconnect:
            return

    async def reply(self, socket: WebSocket, words: str) -> None:
        default = [{"type": "text", "token": f"You said {words}", "last": True}]
        for frame in self.replies.get(words, default):
            if frame == "close":
                await socket.close(1011)
                return
            await socket.send_text(frame if isinstance(frame, str) else json.dumps(frame))


@dataclass
class Lab:
    """A stand-in Twilio, an echo app, and a client of Twilio's REST side with good credentials."""

    twilio: StandInTwilio
    app: EchoApp
    rest: httpx.AsyncClient
    keys: int = 0

    async def ring(self) -> LabCall:
        return await self.twilio.place_call()

    async def create(self, call_sid: str, **form: str) -> httpx.Response:
        return await self._post(
            f"Calls/{call_sid}/Payments.json", {"ChargeAmount": "12.10", "PostalCode": "false"} | form
        )

    async def update(self, call_sid: str, session: str, **form: str) -> httpx.Response:
        return await self._post(f"Calls/{call_sid}/Payments/{session}.json", form)

    async def capture(self, call: LabCall, session: str, field_name: str, keys: str) -> None:
        """Capture one field and key it in, each callback delivered before the next thing happens."""
        assert (await self.update(call.sid, session, Capture=field_name)).status_code == 202
        await self.quiet()
        await call.press(keys)

    async def open(self, call: LabCall, **form: str) -> str:
        answer = await self.create(call.sid, **form)
        assert answer.status_code == 201, answer.text
        await self.quiet()
        return str(answer.json()["sid"])

    async def quiet(self) -> None:
        """Let a request's callback, which follows its answer, be on its way, and wait for it."""
        await asyncio.sleep(0.01)
        await self.twilio.settle()

    async def _post(self, path: str, form: dict[str, str]) -> httpx.Response:
        self.keys += 1
        basis = {"IdempotencyKey": f"key-{self.keys}", "StatusCallback": f"{PUBLIC}/api/status-callback"}
        return await self.rest.post(path, data=basis | form)


@asynccontextmanager
async def laboratory(
    *,
    faults: Faults | None = None,
    dialect: Dialect | None = None,
    routes: Routes | None = None,
    scale: float = 0.01,
    incoming: str = CONNECT,
    outages: bool = False,
) -> AsyncIterator[Lab]:
    twilio = StandInTwilio(faults=faults, dialect=dialect, routes=routes, scale=scale, outages=outages)
    account = twilio.account
    app = EchoApp(account.auth_token, incoming=incoming)
    echo = app.asgi()

    async def both(scope: Scope, receive: Receive, send: Send) -> None:
        """One server for the two: a test starts in half the time."""
        served = twilio if scope.get("path", "").startswith("/2010-04-01/") else echo
        await served(scope, receive, send)

    async with serve(both) as origin, twilio:
        twilio.point_at(origin, PUBLIC)
        base = f"{origin}/2010-04-01/Accounts/{account.account_sid}/"
        async with httpx.AsyncClient(base_url=base, auth=(account.api_key, account.api_secret)) as rest:
            yield Lab(twilio, app, rest)

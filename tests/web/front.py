"""The real app behind a proxy: its front doors, signed as Twilio signs, a scripted model, and Twilio's REST host.

The app's public origin is `PUBLIC`; it is really served elsewhere, so that every test here also shows that signatures
are checked over the configured URL and not over the `Host` a request came with.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from twilio.request_validator import RequestValidator
from websockets.asyncio.client import ClientConnection, connect

from payagent.flow import events as ev
from payagent.flow.step import Step
from payagent.journal.sqlite import SqliteJournal
from payagent.lab import verbs
from payagent.lab.model import ScriptedModel
from payagent.lab.serving import serve
from payagent.settings import Settings
from payagent.wiring import application

PUBLIC = "https://pay.example.test"
RELAY = "wss://pay.example.test/relay"
AUTH_TOKEN = "ab" * 16
WORKFLOW = "WW" + "0c" * 16
NUMBER = "+15550177"
CALL = "CA" + "01" * 16
OTHER_CALL = "CA" + "02" * 16
PAYMENT = "PK" + "03" * 16
ACCOUNT = "AC" + "0a" * 16
NOWHERE = "http://127.0.0.1:9"


def given(database: Path, **changes: object) -> Settings:
    """A full set of settings with these changes; nothing of the environment."""
    values: dict[str, object] = {
        "TWILIO_ACCOUNT_SID": ACCOUNT,
        "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
        "TWILIO_API_KEY": "SK" + "0b" * 16,
        "TWILIO_API_SECRET": "cd" * 16,
        "TWILIO_WORKFLOW_SID": WORKFLOW,
        "TRANSFER_PHONE_NUMBER": NUMBER,
        "TWILIO_API_BASE_URL": NOWHERE,
        "OPENAI_API_KEY": "lab",
        "OPENAI_BASE_URL": f"{NOWHERE}/v1",
        "PUBLIC_URL": PUBLIC,
        "DATABASE_URL": f"sqlite:///{database}",
    }
    return Settings.only(values | changes)


def sign(url: str, form: dict[str, str] | None = None, token: str = AUTH_TOKEN) -> str:
    """`X-Twilio-Signature` by Twilio's own SDK."""
    return str(RequestValidator(token).compute_signature(url, form or {}))


def ringing(call_sid: str = CALL, **changes: str) -> dict[str, str]:
    """The form of an incoming call; some values are blank, as Twilio's are."""
    form = {"CallSid": call_sid, "AccountSid": ACCOUNT, "From": "+15550100", "To": "+15550199", "CallStatus": "ringing"}
    return form | {"Direction": "inbound", "ApiVersion": "2010-04-01", "FromCity": "", "FromZip": ""} | changes


def ended(status: str, call_status: str = "in-progress", **more: str) -> dict[str, str]:
    """The form of `/api/action` after a relay."""
    return (
        ringing(CallStatus=call_status) | {"SessionStatus": status, "SessionId": "VX1", "SessionDuration": "9"} | more
    )


def callback(**changes: str) -> dict[str, str]:
    """The form of a status callback: keys are being pressed."""
    progress = {"Capture": "payment-card-number", "PartialResult": "true", "PaymentCardNumber": "xx"}
    return {"AccountSid": ACCOUNT, "CallSid": CALL, "Sid": PAYMENT} | progress | changes


@dataclass
class Front:
    """The app and its callers. `origin` is where it is really served ("" in the same process)."""

    app: Starlette
    client: httpx.AsyncClient
    database: Path
    origin: str = ""

    @property
    def journal(self) -> SqliteJournal:
        """The app's own record."""
        journal: SqliteJournal = self.app.state.desk.journal
        return journal

    async def post(
        self, path: str, form: dict[str, str], *, signature: str | None = None, **headers: str
    ) -> httpx.Response:
        """Post a form as Twilio does; `signature` instead of the right one ("" for none)."""
        signed = sign(PUBLIC + path, form) if signature is None else signature
        every = [("X-Twilio-Signature", signed.encode())] if signed else []
        more = [(name, value.encode()) for name, value in headers.items()]
        return await self.client.post(path, data=form, headers=[(name.encode(), value) for name, value in every + more])

    async def ring(self, call_sid: str = CALL) -> verbs.Relay:
        """Let the phone ring; the relay the app asks for."""
        (relay,) = read(await self.post("/api/incoming-call", ringing(call_sid)))
        assert isinstance(relay, verbs.Relay)
        return relay

    async def steps(self, call_sid: str = CALL) -> list[Step]:
        """The call's record."""
        return await self.journal.steps(call_sid)

    async def events(self, kind: type[Any], call_sid: str = CALL) -> list[Any]:
        """The recorded events of a kind."""
        return [step.event for step in await self.steps(call_sid) if isinstance(step.event, kind)]

    def break_record(self) -> None:
        """From here on nothing can be recorded; what is recorded can still be read."""
        self._sql("ALTER TABLE calls RENAME TO calls_away")  # every step is written there too

    def mend_record(self) -> None:
        """And from here on it can again."""
        self._sql("ALTER TABLE calls_away RENAME TO calls")

    def _sql(self, statement: str) -> None:
        with sqlite3.connect(self.database) as db:
            db.execute(statement)
        db.close()

    @asynccontextmanager
    async def relay(self, token: str, call_sid: str = CALL, session: str = "VX1") -> AsyncIterator[Relay]:
        """A relay that said `setup`."""
        async with self.socket(sign(RELAY)) as socket:
            relay = Relay(socket)
            await relay.send(setup(token, call_sid, session))
            yield relay

    @asynccontextmanager
    async def socket(self, signature: str) -> AsyncIterator[ClientConnection]:
        """A socket with this signature on its handshake; refused ones raise `InvalidStatus`."""
        headers = {"X-Twilio-Signature": signature} if signature else {}
        url = f"ws{self.origin.removeprefix('http')}/relay"
        async with connect(url, additional_headers=headers, proxy=None) as socket:
            yield socket


def setup(token: str, call_sid: str = CALL, session: str = "VX1") -> dict[str, Any]:
    """The first frame of a relay."""
    parameters = {"customParameters": {"token": token}}
    return {"type": "setup", "sessionId": session, "callSid": call_sid, "from": "+15550100"} | parameters


def prompt(words: str, **more: object) -> dict[str, Any]:
    """The caller's words."""
    return {"type": "prompt", "voicePrompt": words, "lang": "en-US", "last": True} | more


@dataclass
class Relay:
    """Twilio's end of a relay's socket; `heard` are the frames the app has sent."""

    socket: ClientConnection
    heard: list[dict[str, Any]] = field(default_factory=list)

    async def send(self, frame: dict[str, Any] | str | bytes) -> None:
        """Send a frame; text and bytes go out as they are."""
        await self.socket.send(json.dumps(frame) if isinstance(frame, dict) else frame)

    async def until(self, words: str) -> list[dict[str, Any]]:
        """The frames up to the talk cycle that has these words in it."""
        fresh: list[dict[str, Any]] = []
        async with asyncio.timeout(10):
            while words not in spoken(fresh):
                fresh.append(json.loads(await self.socket.recv()))
                self.heard.append(fresh[-1])
        return fresh

    async def until_type(self, kind: str) -> dict[str, Any]:
        """The next frame of that type."""
        async with asyncio.timeout(10):
            while True:
                frame: dict[str, Any] = json.loads(await self.socket.recv())
                self.heard.append(frame)
                if frame["type"] == kind:
                    return frame

    async def say(self, words: str, answer: str) -> list[dict[str, Any]]:
        """Say something and wait for an answer."""
        await self.send(prompt(words))
        return await self.until(answer)


def spoken(frames: list[dict[str, Any]]) -> str:
    """The words of `text` frames, put together."""
    return "".join(frame.get("token", "") for frame in frames)


def read(answer: httpx.Response) -> list[verbs.Verb]:
    """The verbs of a TwiML answer, which has to be one Twilio takes without a word."""
    assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (200, "text/xml"), answer.text
    faults: list[str] = []
    found = verbs.read(answer.text, faults.append)
    assert faults == []
    return found


def element(answer: httpx.Response, path: str) -> ElementTree.Element:
    """The element at `path` in a TwiML answer."""
    found = ElementTree.fromstring(answer.text).find(path)
    assert found is not None, answer.text
    return found


@asynccontextmanager
async def opened(tmp_path: Path, **changes: object) -> AsyncIterator[Front]:
    """The app for webhooks alone, in this process."""
    database = tmp_path / "payagent.db"
    app = application(given(database, **changes))
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:3000") as client,
    ):
        yield Front(app, client, database)


@dataclass
class RestHost:
    """Twilio's REST host, reduced to yes; a create is answered once `opens` is set."""

    opens: asyncio.Event = field(default_factory=asyncio.Event)
    deeds: list[str] = field(default_factory=list)

    def asgi(self) -> Starlette:
        """The host, as an ASGI app."""
        base = "/2010-04-01/Accounts/{account}/Calls/{call}/Payments"
        return Starlette(
            routes=[
                Route(f"{base}.json", self.create, methods=["POST"]),
                Route(f"{base}/{{payment}}.json", self.update, methods=["POST"]),
            ]
        )

    async def create(self, request: Request) -> Response:
        """201, when the time has come."""
        self.deeds.append("create")
        await self.opens.wait()
        return self._body(201)

    async def update(self, request: Request) -> Response:
        """202."""
        form = await request.form()
        self.deeds.append(str(form.get("Status") or form.get("Capture")))
        return self._body(202)

    def _body(self, status: int) -> Response:
        dates = dict.fromkeys(("date_created", "date_updated"), "Wed, 18 Dec 2030 20:02:01 +0000")
        return JSONResponse({"sid": PAYMENT, "call_sid": CALL, "account_sid": ACCOUNT, "uri": "/x"} | dates, status)


@asynccontextmanager
async def served(tmp_path: Path, rest: RestHost | None = None, **changes: object) -> AsyncIterator[Front]:
    """The app on a real port, with the scripted model behind it."""
    database = tmp_path / "payagent.db"
    stand_in = rest.asgi() if rest else None
    model = ScriptedModel()

    async def both(scope: Any, receive: Any, send: Any) -> None:
        """One server for model and REST host: a test starts in half the time."""
        is_rest = stand_in is not None and scope.get("path", "").startswith("/2010-04-01/")
        await (stand_in if is_rest and stand_in else model)(scope, receive, send)

    async with serve(both) as beyond:
        hosts = {"OPENAI_BASE_URL": f"{beyond}/v1", "OPENAI_MODEL": "lab-model", "TWILIO_API_BASE_URL": beyond}
        app = application(given(database, **(hosts | changes)))
        async with serve(app) as origin, httpx.AsyncClient(base_url=origin, trust_env=False) as client:
            yield Front(app, client, database, origin)


async def to_a_person(front: Front) -> None:
    """A call whose caller asked for a person: the app has said `end`, and Twilio is about to ask what next."""
    async with front.relay((await front.ring()).parameters["token"]) as relay:
        await relay.send(prompt("Can I speak to a human, please?"))
        await relay.until_type("end")


async def choose_all(relay: Relay) -> None:
    """John Doe says who he is, agrees to the balance and wants to pay all of it; the session is being opened."""
    await relay.say("My name is John Doe, and I was born on May 1st, 1990.", "Is that right")
    await relay.say("Yes, that's right.", "all of it")
    await relay.say("All of it, please.", "have your card ready")


def kinds(steps: list[Step]) -> list[str]:
    """The triggers of the steps, in order."""
    return [ev.trigger_of(step.event) for step in steps]

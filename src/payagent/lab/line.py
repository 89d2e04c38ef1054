"""One call through the stand-in Twilio: the caller's deeds, the relay's socket, and the TwiML followed to its end.

Rules (fact sheet 2 and 3):

* The first frame is `setup`; the handshake is signed over the URL exactly as the TwiML writes it.
* When the relay ends, for whatever reason, the `<Connect action>` is asked, and its TwiML goes on.
* Ten messages in a row that Twilio would reject close the socket with 1007.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from payagent.lab import frames, verbs
from payagent.lab.account import LabSettings
from payagent.lab.circumstances import Circumstances
from payagent.lab.ear import Ear
from payagent.lab.sids import Sids
from payagent.lab.signing import SignedPosts
from payagent.lab.till import Till

MOST_REJECTED_IN_A_ROW = 10
RINGING_SECONDS = 2.0
SPEECH_MS_PER_CHARACTER = 65

APPLICATION_ERROR = "We are sorry, an application error has occurred. Goodbye."
"""What Twilio itself says when it gets no TwiML (11200)."""

LEFT_OPEN = "passed on with an open payment session: the person could not start one (64021)"
LOST_WITH_THE_SERVER = "line lost with the server"
"""A violation, and a fault that is counted."""

PERSON_TOOK_IT = frozenset({"bridged", "bridging-in-process", "redirected-from-bridged", "completed", "answered"})


@dataclass(slots=True)
class Routes:
    """What becomes of a hand-off: Twilio's `QueueResult` and `DialCallStatus`."""

    queue_result: str = "bridged"
    dial_status: str = "completed"


class LabCall:
    """A caller on the line.

    Attributes:
        end: how the call ended: `caller_hung_up`, `hung_up_by_app`, `queue` or `dial` (a person took it), or
            `application_error` (Twilio got no TwiML to go on with); "" before.
        hand_off: the last `handoffData`; `tasks` are the bodies of `<Task>`.
    """

    def __init__(
        self,
        settings: LabSettings,
        posts: SignedPosts,
        till: Till,
        sids: Sids,
        routes: Routes,
        caller: str,
        circumstances: Circumstances,
    ) -> None:
        self._s = settings
        self._posts = posts
        self._till = till
        self._sids = sids
        self._routes = routes
        self.caller = caller
        self.sid = sids.new("CA")
        self.circumstances = settings.calls[self.sid] = circumstances
        self._ear = Ear(self)
        self.tasks: list[str] = []
        self.hand_off = ""
        self.end = ""
        self.in_progress = True
        self._relay: verbs.Relay | None = None
        self._session = ""
        self._socket: ClientConnection | None = None
        self._listening = ""
        self._cause = ""
        self._rejected = 0
        self._taken_by = ""
        self._task: asyncio.Task[None] | None = None

    # -- what the caller hears

    @property
    def spoken(self) -> list[str]:
        """What was said to the caller, one entry a finished talk cycle."""
        return self._ear.spoken

    @property
    def speaking(self) -> str:
        """What was said so far in the talk cycle that is not closed yet."""
        return self._ear.speaking

    @property
    def followed(self) -> list[str]:
        """The TwiML verbs and relay events met, in order: `relay language end enqueue dial hangup …`."""
        return self._ear.followed

    async def until(self, holds: Callable[[], bool], seconds: float | None = None) -> bool:
        """Wait until `holds()`, looking again at each thing that happens; False after `seconds`."""
        return await self._ear.until(holds, seconds)

    # -- what the caller does

    async def say(self, words: str, *, partials: bool = False) -> None:
        """Say something; with `partials` growing unfinished transcripts come first."""
        self.on("caller", words=words)
        parts = words.split()
        for n in range(1, len(parts)) if partials else ():
            await self._prompt(" ".join(parts[:n]), last=False)
        await self._prompt(words, last=True)

    async def press(self, keys: str) -> None:
        """Press keys one by one: into the capture when one listens, else to the relay as `dtmf`."""
        for key in keys:
            self.on("key")
            taken = await self._till.key(self.sid, key)
            if not taken or (self.circumstances.faults.leak_dtmf and self.circumstances.bites("key leaked")):
                await self._dtmf(key)
        self._till.rest(self.sid)

    async def interrupt(self, heard: str | None = None) -> bool:
        """Talk over the agent, `heard` being what was played so far (default: half of it).

        False when what is being said is not interruptible: then Twilio sends nothing.
        """
        if not self._ear.interruptible or (self._relay is not None and not self._relay.interruptible):
            return False
        heard = self._ear.cut_off(heard)
        self.on("interrupt", heard=heard)
        spent = SPEECH_MS_PER_CHARACTER * len(heard)
        took = str(spent) if self.circumstances.dialect.bare_prompts else spent
        await self._send({"type": "interrupt", "utteranceUntilInterrupt": heard, "durationUntilInterruptMs": took})
        return True

    async def hang_up(self) -> None:
        """Put the phone down, and wait until Twilio told the app."""
        self._cause, self.in_progress = "hung_up", False
        signs = self.circumstances.dialect.hang_up
        for sign in signs:
            match sign:
                case "socket" if self._socket is not None:
                    await self._socket.close()
                case "callback":
                    await self._till.hung_up(self.sid)
                case "action" if self._relay is not None and self._session:
                    await self._ask_action(self._relay, self._session, "completed")
        if self._socket is not None:  # the app's end of it stays open no longer than the call
            await self._socket.close()
        self._till.forget(self.sid)
        await self.ended()

    async def drop_line(self) -> None:
        """Cut the relay's socket as a broken network does, and wait for what the app makes of it."""
        socket, self._cause = self._socket, "dropped"
        if socket is None:
            return
        self.on("relay", what="dropped")
        socket.transport.abort()
        await self.until(lambda: bool(self.end) or self._socket not in (None, socket))

    async def ended(self) -> None:
        """Wait for the end of the call."""
        if self._task is not None:
            await self._task

    async def abandon(self) -> None:
        """Stop playing this call, wherever it stands; the app is told nothing."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def on(self, kind: str, **details: object) -> None:
        """Tell whoever watches this call."""
        self.circumstances.observer.on(kind, **details)

    # -- Twilio's part: the call

    async def begin(self) -> None:
        """Ring at the app; returns when the relay said `setup`, or when there will be none."""
        url = self._posts.absolute("/api/incoming-call")
        document = await self._posts.voice(url, self._form("ringing"))
        self._task = asyncio.create_task(self._follow(document))
        await self.until(lambda: self._socket is not None or bool(self.end))

    async def _follow(self, document: str | None) -> None:
        try:
            while document:
                document = await self._execute(verbs.read(document, self._report))
            self.in_progress = False
            if self._cause != "hung_up":  # else `hang_up` closes the session, in its order
                self._ear.whole(APPLICATION_ERROR if document is None else "")
                await self._till.hung_up(self.sid)
            self.end = self._how_it_ended(document)
            self.on("ended", how=self.end)
        finally:
            self.end = self.end or "broken_off"
            self._ear.tell()

    def _how_it_ended(self, document: str | None) -> str:
        if self._cause == "hung_up":
            return "caller_hung_up"
        return "application_error" if document is None else self._taken_by or "hung_up_by_app"

    async def _execute(self, sequence: list[verbs.Verb]) -> str | None:
        """Carry out the verbs; the TwiML to go on with, "" at the call's end, None when the app has none to give."""
        for verb in sequence:
            self._ear.meet(type(verb).__name__.lower())
            match verb:
                case verbs.Relay():
                    return await self._connect(verb)
                case verbs.Enqueue(action=action, task=task):
                    self.tasks.append(task)
                    return await self._pass_on("queue", action, QueueResult=self._routes.queue_result, QueueTime="2")
                case verbs.Dial(action=action):
                    return await self._pass_on("dial", action, DialCallStatus=self._routes.dial_status)
                case verbs.Say(words=words):
                    self._ear.whole(words)
                case verbs.Hangup():
                    return ""
        return ""

    async def _pass_on(self, route: str, action: str, **result: str) -> str | None:
        left_open = self._till.open_session(self.sid)
        await asyncio.sleep(RINGING_SECONDS * self._s.scale)
        if self._cause == "hung_up":
            gone = {"QueueResult": "hangup"} if route == "queue" else {"DialCallStatus": "no-answer"}
            await self._ask(action, self._form("completed", **gone))
            return ""
        # a cancel that is late or fails does not hold the caller up, and a charge that may be under way forbids one;
        # a session that was simply left open is another matter
        if left_open is not None and not (left_open.end or left_open.asked & {"cancel", "complete"}):
            self._report(LEFT_OPEN)
        if PERSON_TOOK_IT & set(result.values()):
            self._taken_by = route
        return await self._ask(action, self._form("in-progress", **result))

    async def _ask(self, action: str, form: dict[str, str]) -> str | None:
        return await self._posts.voice(self._posts.absolute(action), form) if action else ""

    # -- Twilio's part: the relay

    async def _connect(self, relay: verbs.Relay) -> str | None:
        """Hold the relay until it ends, then ask the action; the TwiML to go on with."""
        session = self._session = self._sids.new("VX")
        headers = {"X-Twilio-Signature": self._posts.signature(relay.url)}
        self._relay, self._listening, self._rejected = relay, relay.language, 0
        try:
            address = self._posts.reach(relay.url)
            async with connect(address, additional_headers=headers, proxy=None, compression=None) as socket:
                await socket.send(json.dumps(self._setup(session, relay)))
                if self._cause == "hung_up":  # while the relay was connecting
                    return ""
                self._begin_talk(socket, relay)
                status = await self._listen(socket)
        except (InvalidHandshake, ConnectionClosed, OSError) as error:
            self._outage(f"the relay's socket was refused (64102): {type(error).__name__}")
            status = "failed"
        self._socket = None
        self._ear.close_cycle()
        if self._cause == "hung_up":  # `hang_up` asks the action, in its order
            status = "completed"
        self.on("relay", what=status)
        return "" if status == "completed" else await self._ask_action(relay, session, status)

    def _begin_talk(self, socket: ClientConnection, relay: verbs.Relay) -> None:
        self.on("relay", what="connected")
        self._ear.whole(relay.greeting, interruptible=relay.greeting_interruptible)
        self._socket, self._cause = socket, self._cause.replace("dropped", "")
        self._ear.tell()

    async def _listen(self, socket: ClientConnection) -> str:
        """Read the app's frames; the `SessionStatus` the relay ends with."""
        try:
            async for raw in socket:
                if await self._hear(raw):
                    return "ended"
        except ConnectionClosed:
            pass  # a close without a closing handshake: told apart below, by who caused it
        if self._cause not in ("dropped", "hung_up"):
            self._outage(f"the app closed the relay's socket ({socket.close_code}) without `end` (64105)")
        return "failed"

    async def _ask_action(self, relay: verbs.Relay, session: str, status: str) -> str | None:
        extra = {"SessionId": session, "SessionStatus": status, "SessionDuration": "1"}
        if status == "failed":
            extra |= {"ErrorCode": "39001", "ErrorMessage": "Network connection to WebSocket server failed."}
        if status == "ended":
            extra["HandoffData"] = self.hand_off
        call_status = "completed" if status == "completed" else "in-progress"
        return await self._ask(relay.action, self._form(call_status, **extra))

    async def _hear(self, raw: str | bytes) -> bool:
        """Take one frame of the app; True when it was `end`."""
        try:
            frame = frames.read(raw)
        except frames.InvalidFrame as error:
            await self._reject(str(error))
            return False
        self._rejected = 0
        leak = frames.leak_in(frame)
        if leak:
            self._report(f"card data in {frame['type']}.{leak}")
        match frame["type"]:
            case "text":
                self._ear.token(frame)
            case "language":
                self._switch(frame)
            case "end":
                self.hand_off = frame.get("handoffData", "")
                self._ear.meet("end")
        return bool(frame["type"] == "end")

    def _switch(self, frame: dict[str, Any]) -> None:
        for name in ("ttsLanguage", "transcriptionLanguage"):
            code = frame.get(name)
            if code is not None and self._relay is not None and code not in self._relay.languages:
                self._report(f"{name} {code} has no <Language>")
        self._listening = frame.get("transcriptionLanguage", self._listening)
        self.on("language", code=frame.get("ttsLanguage", self._listening))
        self._ear.meet("language")

    async def _reject(self, why: str) -> None:
        self._report(f"a message Twilio rejects (64107): {why}")
        self._rejected += 1
        await self._send({"type": "error", "description": f"Invalid message received: {why}"})
        if self._rejected >= MOST_REJECTED_IN_A_ROW and self._socket is not None:
            await self._socket.close(1007)

    # -- small things

    def _report(self, violation: str) -> None:
        self._s.report(violation, self.sid)

    def _outage(self, what: str) -> None:
        """The app is gone: a violation, unless it is to be expected."""
        if self._s.outages:
            self.circumstances.injected[LOST_WITH_THE_SERVER] += 1
        else:
            self._report(what)

    async def _prompt(self, words: str, *, last: bool) -> None:
        prompt: dict[str, Any] = {"type": "prompt", "voicePrompt": words}
        if self.circumstances.dialect.extras:
            await self._send({"type": "info", "name": "clientSpeaking", "value": "off", "ts": 1752091240110})
            await self._send({"type": "somethingNew", "more": [1]})
        if not (last and self.circumstances.dialect.bare_prompts):
            prompt |= {"lang": self._listening, "last": last}
        await self._send(prompt)

    async def _dtmf(self, key: str) -> None:
        if self._relay is not None and self._relay.dtmf:
            await self._send({"type": "dtmf", "digit": key})

    async def _send(self, frame: dict[str, Any]) -> None:
        """Send to the app; while no relay is there, nobody hears it."""
        if self._socket is None:
            return
        try:
            await self._socket.send(json.dumps(frame))
        except ConnectionClosed:
            return

    def _setup(self, session: str, relay: verbs.Relay) -> dict[str, Any]:
        account = self._s.account
        return {
            "type": "setup",
            "sessionId": session,
            "accountSid": account.account_sid,
            "parentCallSid": "",
            "callSid": self.sid,
            "from": self.caller,
            "to": account.number,
            "forwardedFrom": "",
            "callType": "PSTN",
            "callerName": "",
            "direction": "inbound",
            "callStatus": "RINGING" if self.followed.count("relay") == 1 else "IN-PROGRESS",
            "customParameters": dict(relay.parameters),
        }

    def _form(self, status: str, **extra: str) -> dict[str, str]:
        """The voice webhook's fields (1.1); some are empty, since empty ones count for the signature too."""
        ours = self._s.account
        ends = {"From": self.caller, "Caller": self.caller, "To": ours.number, "Called": ours.number}
        places = {f"{end}{place}": "" for end in ("From", "To") for place in ("City", "State", "Zip", "Country")}
        ids = {"AccountSid": ours.account_sid, "CallSid": self.sid, "ApiVersion": "2010-04-01"}
        return ids | ends | places | {"CallStatus": status, "Direction": "inbound"} | extra

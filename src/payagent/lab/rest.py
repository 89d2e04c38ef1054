"""The REST side of the stand-in Twilio: authorisation, idempotency, and the two Payments requests (fact sheet 4).

* An equal `IdempotencyKey` with an equal request is answered as before, and nothing is done twice.
* A refusal a correct app never causes is a violation; one that two racing messages can cause is not.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from dataclasses import replace
from email.utils import format_datetime

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from payagent.lab import payforms
from payagent.lab.account import LabSettings, RestRequest
from payagent.lab.faults import HANG_SECONDS
from payagent.lab.payforms import Refusal
from payagent.lab.paysession import PaySession
from payagent.lab.till import Till

Answer = tuple[int, dict[str, str]]
Deed = Callable[[Request, dict[str, str]], Awaitable[Answer]]

BAD_REQUEST, HIGHEST_STATUS = 400, 599
"""A larger number is one of Twilio's own."""

_CALL = "/2010-04-01/Accounts/{account}/Calls/{call}"
_PAYMENTS = f"{_CALL}/Payments"


class RestApi:
    """The stand-in's REST host; `in_progress` says whether a call is up, None if there is none such."""

    def __init__(self, settings: LabSettings, till: Till, in_progress: Callable[[str], bool | None]) -> None:
        self._s = settings
        self._till = till
        self._in_progress = in_progress
        self._answered: dict[str, tuple[tuple[object, ...], Answer]] = {}
        self.requests: list[RestRequest] = []
        self.app = Starlette(
            routes=[
                Route("/2010-04-01/Accounts/{account}.json", self._serve(self._read_account)),
                Route(f"{_CALL}.json", self._serve(self._read_call)),
                Route(f"{_PAYMENTS}.json", self._serve(self._create), methods=["POST"]),
                Route(f"{_PAYMENTS}/{{payment}}.json", self._serve(self._update), methods=["POST"]),
            ]
        )

    def _serve(self, deed: Deed) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            try:
                form = {name: str(value) for name, value in (await request.form()).items()}
            except ClientDisconnect:  # killed while it asked
                return CutOff()
            operation = form.get("Status") or ("capture" if "Capture" in form else deed.__name__.strip("_"))
            here, code = self._s.of(call_sid := str(request.path_params.get("call", ""))), 0
            answer: Response
            try:
                self._authorise(request)
                status, body = await self._with_faults(operation, request, form, deed)
                answer = JSONResponse(body, status)
            except Refusal as refusal:
                code, answer = refusal.code, _refused(refusal, here.dialect.error_status)
                if refusal.forbidden:
                    self._s.report(f"REST {operation} refused with {code}: {refusal}", call_sid)
            except Cut:
                answer = CutOff()
            self.requests.append(RestRequest(operation, form.get("IdempotencyKey", ""), answer.status_code))
            here.observer.on("rest", operation=operation, status=answer.status_code, code=code)
            answer.background = BackgroundTask(self._flush)
            return answer

        return endpoint

    async def _flush(self) -> None:
        self._till.flush()

    def _authorise(self, request: Request) -> None:
        account = self._s.account
        kind, _, sent = request.headers.get("authorization", "").partition(" ")
        pairs = (f"{account.api_key}:{account.api_secret}", f"{account.account_sid}:{account.auth_token}")
        if kind.lower() != "basic" or sent not in [base64.b64encode(pair.encode()).decode() for pair in pairs]:
            raise Refusal(20003, "Authenticate", status=401)
        if request.path_params["account"] != account.account_sid:
            raise Refusal(20404, "no such account", status=404)

    async def _with_faults(self, operation: str, request: Request, form: dict[str, str], deed: Deed) -> Answer:
        if "payment" in request.path_params:
            self._note(str(request.path_params["payment"]), operation)
        here = self._s.of(str(request.path_params.get("call", "")))
        fault = next((f for f in here.faults.rest_error if f.split(":")[0] == operation), "")
        if not fault or not here.bites(f"REST {fault.partition(':')[2]}"):
            return await self._once(request, form, deed)
        at = here.faults.rest_error.index(fault)
        here.faults = replace(here.faults, rest_error=here.faults.rest_error[:at] + here.faults.rest_error[at + 1 :])
        _, trouble, *done = fault.split(":")
        if done:
            await self._once(request, form, deed)
        if trouble == "hang":
            await asyncio.sleep(HANG_SECONDS * self._s.scale)
        if trouble in ("hang", "reset"):
            raise Cut
        number = int(trouble)
        if number > HIGHEST_STATUS:
            raise Refusal(number, "a fault of the lab", status=here.dialect.error_status, forbidden=False)
        raise Refusal(20429 if number == 429 else number, "a fault of the lab", status=number, forbidden=False)

    def _note(self, sid: str, operation: str) -> None:
        for session in self._till.sessions:
            if session.sid == sid:
                session.asked.add(operation)

    async def _once(self, request: Request, form: dict[str, str], deed: Deed) -> Answer:
        key = form.get("IdempotencyKey", "")
        asked = (request.url.path, *sorted(form.items()))
        before = self._answered.get(key)
        if before is None:
            answer = await deed(request, form)
            if key:
                self._answered[key] = (asked, answer)
            return answer
        if before[0] != asked:
            raise Refusal(64020, "one IdempotencyKey for two different requests")
        return before[1]

    async def _read_account(self, request: Request, form: dict[str, str]) -> Answer:
        return 200, {"sid": self._s.account.account_sid, "status": "active", "type": "Full"}

    async def _read_call(self, request: Request, form: dict[str, str]) -> Answer:
        call_sid = str(request.path_params["call"])
        up = self._in_progress(call_sid)
        if up is None:
            # a doctor asks for a call that does not exist, to see whether the credentials are good
            raise Refusal(20404, "no such call", status=404, forbidden=False)
        return 200, {"sid": call_sid, "status": "in-progress" if up else "completed"}

    async def _create(self, request: Request, form: dict[str, str]) -> Answer:
        call_sid = self._call(request)
        session = await self._till.open(call_sid, payforms.read_create(form, self._s.account.connector))
        return 201, self._body(session)

    async def _update(self, request: Request, form: dict[str, str]) -> Answer:
        session = self._session(request)
        deed = payforms.read_update(form)
        session.callback_url = form["StatusCallback"]
        if session.end:
            # the request may cross the callback that ends the session
            raise Refusal(64021, "the payment session is over", forbidden=False)
        if session.completing:
            raise Refusal(64021, f"{deed} after complete was accepted")
        match deed:
            case "complete":
                self._till.complete(session)
            case "cancel":
                await self._till.cancel(session)
            case capture:
                await self._till.capture(session, capture)
        return 202, self._body(session)

    def _call(self, request: Request) -> str:
        call_sid = str(request.path_params["call"])
        up = self._in_progress(call_sid)
        if up is None:
            raise Refusal(20404, "no such call", status=404)
        if not up:
            # the request may cross the hang-up
            raise Refusal(21220, "the call is not in progress", forbidden=False)
        return call_sid

    def _session(self, request: Request) -> PaySession:
        call_sid = self._call(request)
        sid = request.path_params["payment"]
        for session in self._till.sessions:
            if (session.sid, session.call_sid) == (sid, call_sid):
                return session
        raise Refusal(20404, "no such payment session", status=404)

    def _body(self, session: PaySession) -> dict[str, str]:
        date = format_datetime(self._s.now())
        uri = f"/2010-04-01/Accounts/{session.account_sid}/Calls/{session.call_sid}/Payments/{session.sid}.json"
        ids = {"account_sid": session.account_sid, "call_sid": session.call_sid, "sid": session.sid}
        return ids | {"date_created": date, "date_updated": date, "uri": uri}


class Cut(Exception):
    """The request gets no answer."""


class CutOff(Response):
    """No answer: the connection is cut; 0 stands for its status."""

    def __init__(self) -> None:
        super().__init__()
        self.status_code = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # uvicorn hands no transport to an app; its request cycle, whose method `receive` is, has it
        getattr(receive, "__self__").transport.abort()  # noqa: B009
        await asyncio.sleep(0)  # so that uvicorn knows that nobody waits for an answer
        if self.background is not None:
            await self.background()


def _refused(refusal: Refusal, usual_status: int) -> JSONResponse:
    """The error's body; which HTTP status stands beside one of Twilio's own numbers is not published (point 26)."""
    more = f"https://www.twilio.com/docs/errors/{refusal.code}"
    status = usual_status if refusal.code > HIGHEST_STATUS and refusal.status == BAD_REQUEST else refusal.status
    body = {"code": refusal.code, "message": str(refusal), "more_info": more, "status": status}
    return JSONResponse(body, status)

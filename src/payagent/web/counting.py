"""`/metrics`, and the timing of every HTTP request.

Who may read the counters: whoever shows `METRICS_TOKEN` as a bearer token; where none is set, only a client on this
machine that no proxy stands before. They name no call and no person, but they tell how a business is doing.
"""

from __future__ import annotations

import hmac
import ipaddress
from time import perf_counter

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from payagent.metrics import CONTENT_TYPE
from payagent.web.desk import FrontDesk

FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via")
"""A proxy or tunnel on this machine connects from loopback too; it names itself in one of these."""


class Timed:
    """Times HTTP requests from their arrival to the first byte of the answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; a socket passes through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, metrics = perf_counter(), scope["app"].state.desk.metrics

        async def timed(message: Message) -> None:
            if message["type"] == "http.response.start":
                metrics.answered(scope["path"], message["status"], perf_counter() - began)
            await send(message)

        await self._app(scope, receive, timed)


async def show_metrics(request: Request) -> Response:
    """`GET /metrics`: what this machine's workers have counted."""
    desk: FrontDesk = request.app.state.desk
    if not (_shows(request, desk.metrics_token) if desk.metrics_token else _is_here(request)):
        return PlainTextResponse("set METRICS_TOKEN and send it as a bearer token\n", 403)
    desk.switchboard.count()
    return Response(desk.metrics.text(), media_type=CONTENT_TYPE)


def _shows(request: Request, token: str) -> bool:
    shown = request.headers.get("authorization", "")
    return hmac.compare_digest(shown.encode(), f"Bearer {token}".encode())


def _is_here(request: Request) -> bool:
    """Whether the client is a program on this machine that asked this address itself."""
    if any(name in request.headers for name in FORWARDED):
        return False
    return _is_loopback(request.client.host if request.client else "") and _is_loopback(request.url.hostname or "")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

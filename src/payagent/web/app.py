"""The ASGI app: its routes, and what they share.

Answers (a contract): 403 bad or missing signature, 400 unreadable, 404 unknown call, 408 too slow, 413 too large, 204
recorded or duplicate, 503 not recorded. Voice webhooks answer TwiML, even without a record: no caller hears Twilio's
own error. Nothing is believed before its signature is checked.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute

from payagent.errors import BadCallback, BadSignature, JournalFailed, UnknownCall
from payagent.journal.protocol import Search
from payagent.web.counting import Timed, show_metrics
from payagent.web.desk import FrontDesk, TooLarge, TooSlow
from payagent.web.relay import relay_socket
from payagent.web.webhooks import action, incoming_call, status_callback

Open = Callable[[], AbstractAsyncContextManager[FrontDesk]]


def build(opened: Open, relay_path: str, console: Sequence[BaseRoute] = ()) -> Starlette:
    """The app; `opened` opens the shared things for as long as it runs. `console` are the operator's routes, if any."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with opened() as desk:
            app.state.desk = desk
            yield

    app = Starlette(
        routes=[
            Route("/api/incoming-call", incoming_call, methods=["POST"]),
            Route("/api/status-callback", status_callback, methods=["POST"]),
            Route("/api/action", action, methods=["POST"]),
            WebSocketRoute(relay_path, relay_socket),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", show_metrics),
            *console,
        ],
        exception_handlers={
            BadSignature: _answer(403, "not signed by Twilio\n"),
            BadCallback: _answer(400, "unreadable\n"),
            UnknownCall: _answer(404, "unknown call\n"),
            TooSlow: _answer(408, "too slow\n"),
            TooLarge: _answer(413, "too large\n"),
            JournalFailed: _answer(503, "not recorded\n"),
        },
        lifespan=lifespan,
    )
    app.add_middleware(Timed)
    app.router.redirect_slashes = False  # a redirect would lead to whatever `Host` the request names
    return app


def _answer(status: int, words: str) -> Callable[[Request, Exception], Response]:
    return lambda request, error: PlainTextResponse(words, status)


async def healthz(request: Request) -> Response:
    """The process answers."""
    return JSONResponse({"status": "ok"})


async def readyz(request: Request) -> Response:
    """The process can take a call: its record can be read, and it is not about to end."""
    desk: FrontDesk = request.app.state.desk
    if desk.drain.begun:
        return JSONResponse({"status": "draining"}, 503)
    try:
        await desk.journal.search(Search(limit=1))
    except JournalFailed:
        return JSONResponse({"status": "the journal cannot be read"}, 503)
    return JSONResponse({"status": "ready"})

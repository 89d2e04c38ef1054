"""Puts the console together: its routes, and what they share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from payagent.flow.table import Flow
from payagent.web.console.door import Door
from payagent.web.console.entrance import Entrance
from payagent.web.console.guard import HOME, LOG_IN, Asked, Guard, Refused
from payagent.web.console.guesses import Guesses
from payagent.web.console.many_calls import ManyCalls
from payagent.web.console.one_call import OneCall
from payagent.web.console.pages import Pages
from payagent.web.console.visits import Visits

EVERY_METHOD = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
FILES = {
    "base.css": ("payagent.web", "text/css"),
    "console.css": ("payagent.web.console", "text/css"),
    "console.js": ("payagent.web.console", "text/javascript"),
    "icon.svg": ("payagent.web.console", "image/svg+xml"),
}


@dataclass(frozen=True, slots=True)
class ConsoleSettings:
    """Who gets in, and for how long.

    `passwords` are hashes by name, `key` signs the cookies, `secure` says that pages come by https. A log-in lasts for
    `longest`, or until nothing was asked for in `idle`.
    """

    passwords: Mapping[str, str]
    key: bytes
    secure: bool
    longest: timedelta
    idle: timedelta
    guesses_per_name: int
    guesses_per_address: int


def routes(settings: ConsoleSettings, flow: Flow, now: Callable[[], datetime]) -> list[BaseRoute]:
    """The console's routes; `flow` is the table that decides the calls."""
    visits = Visits(
        settings.key, settings.passwords, secure=settings.secure, longest=settings.longest, idle=settings.idle
    )
    pages = Pages(visits.token)
    guard = Guard(visits, pages, now, secure=settings.secure)
    guesses = Guesses(settings.guesses_per_name, settings.guesses_per_address, now)
    entrance = Entrance(Door(settings.passwords, guesses), visits, pages)
    one, many = OneCall(pages, flow), ManyCalls(pages)
    return [
        Route(LOG_IN, guard.anybody(entrance.show), methods=["GET"]),
        Route(LOG_IN, guard.anybody(entrance.enter), methods=["POST"]),
        Route(f"{HOME}/log-out", guard.named(entrance.leave), methods=["POST"]),
        Route(HOME, guard.named(many.board), methods=["GET"]),
        Route(f"{HOME}/calls", guard.named(many.search), methods=["GET"]),
        Route(f"{HOME}/calls.csv", guard.named(many.calls_csv), methods=["GET"]),
        Route(f"{HOME}/totals", guard.named(many.totals), methods=["GET"]),
        Route(f"{HOME}/totals.csv", guard.named(many.totals_csv), methods=["GET"]),
        Route(f"{HOME}/calls/{{call_sid}}", guard.named(one.show), methods=["GET"]),
        Route(f"{HOME}/calls/{{call_sid}}/outcome", guard.named(one.resolve), methods=["POST"]),
        *(Route(f"{HOME}/static/{name}", guard.file(_file(name)), methods=["GET"]) for name in FILES),
        Route(f"{HOME}/{{rest:path}}", guard.named(_nothing), methods=EVERY_METHOD),
    ]


def _file(name: str) -> Callable[[Request], Response]:
    package, kind = FILES[name]
    content = (files(package) / "static" / name).read_bytes()
    tag = f'"{sha256(content).hexdigest()[:16]}"'

    def send(request: Request) -> Response:
        same = request.headers.get("if-none-match") == tag
        return Response(b"" if same else content, 304 if same else 200, {"ETag": tag}, kind)

    return send


async def _nothing(asked: Asked) -> Response:
    if asked.request.path_params["rest"] == "":
        return RedirectResponse(HOME, 303)
    raise Refused(404, "No such page", "Nothing is here. Go to the board, or search for a call.")

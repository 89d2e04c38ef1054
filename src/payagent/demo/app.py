"""The lab's own web server: one page, what it is made of, and for each tab a stream of news and a door for deeds.

Answers: 204 done, 400 unreadable, 404 no such room or thing, 409 no call is on, 413 too large, 503 every room is taken.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from importlib.resources import files

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from payagent.demo.booth import NoCall
from payagent.demo.deeds import DEEDS, Deed
from payagent.demo.drawing import drawing
from payagent.demo.feed import Item
from payagent.demo.page import page
from payagent.demo.rooms import Full, Room, Rooms

LARGEST_BODY = 16 * 1024
_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_SCRIPTS = ("lab.js", "diagram.js", "page.js", "phone.js", "talk.js", "wire.js")
_ASSETS = {
    "base.css": "payagent.web",
    "icon.svg": "payagent.web",
    "lab.css": "payagent.demo",
    **dict.fromkeys(_SCRIPTS, "payagent.demo"),
}


def build(rooms: Rooms) -> Starlette:
    """The app; whoever serves it closes the rooms."""
    app = Starlette(
        routes=[
            Route("/", _page),
            Route("/static/{name}", _static),
            Route("/drawings/{pace}/{profile}", _drawing),
            Route("/rooms/{key}/news", _news),
            Route("/rooms/{key}/{deed}", _deed, methods=["POST"]),
        ],
        exception_handlers={Full: _full},
    )
    app.state.rooms = rooms
    return app


async def _page(request: Request) -> Response:
    rooms: Rooms = request.app.state.rooms
    return Response(page(rooms.new_key(), rooms.real_model), media_type="text/html")


async def _static(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _ASSETS:
        return PlainTextResponse("no such file\n", 404)
    content = (files(_ASSETS[name]) / "static" / name).read_bytes()
    return Response(content, media_type=_TYPES[name.rpartition(".")[2]])


async def _drawing(request: Request) -> Response:
    try:
        svg = drawing(request.path_params["pace"], request.path_params["profile"])
    except ValueError:
        svg = ""
    return Response(svg, 200 if svg else 404, media_type="image/svg+xml")


async def _news(request: Request) -> Response:
    """What the tab is shown, from the item after the one it names on; for as long as it looks on."""
    rooms: Rooms = request.app.state.rooms
    key, seen = request.path_params["key"], request.headers.get("last-event-id", "0")
    try:
        rooms.room(key)
    except KeyError:
        return PlainTextResponse("no such room\n", 404)

    async def stream() -> AsyncIterator[str]:
        with rooms.watching(key) as room:
            yield "retry: 500\n\n"
            async for item in room.feed.after(int(seen) if seen.isdecimal() else 0):
                yield _event(item)

    return StreamingResponse(stream(), media_type="text/event-stream")


def _event(item: Item) -> str:
    return f"id: {item.number}\ndata: {json.dumps(item.data, ensure_ascii=False)}\n\n"


async def _deed(request: Request) -> Response:
    rooms: Rooms = request.app.state.rooms
    kind = DEEDS.get(request.path_params["deed"])
    try:
        room = rooms.room(request.path_params["key"])
    except KeyError:
        return PlainTextResponse("no such room\n", 404)
    if kind is None:
        return PlainTextResponse("no such deed\n", 404)
    body = await _body(request)
    if body is None:
        return PlainTextResponse("too large\n", 413)
    return await _done(room, kind, body)


async def _body(request: Request) -> bytes | None:
    """The body, None if it is too large to be one of ours."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            return None
    return body


async def _done(room: Room, kind: type[Deed], body: bytes) -> Response:
    try:
        await kind.model_validate_json(body or b"{}").do(room)
    except ValidationError:
        return PlainTextResponse("unreadable\n", 400)
    except NoCall:
        return PlainTextResponse("no call is on\n", 409)
    except (FileNotFoundError, KeyError):
        return PlainTextResponse("there is no such thing\n", 404)
    return Response(status_code=204)


async def _full(request: Request, error: Exception) -> Response:
    return PlainTextResponse("Every line of this lab is in use: close another of its tabs first.\n", 503)

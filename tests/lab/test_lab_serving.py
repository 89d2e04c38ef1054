"""Apps served on loopback for as long as a block lasts."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from payagent.lab.serving import bind, serve


async def hello(request: Any) -> PlainTextResponse:
    return PlainTextResponse("hello")


async def test_an_app_knows_its_address_before_it_is_served() -> None:
    """`bind` first, `serve` later, and nobody answers afterwards."""
    listener = bind()
    async with httpx.AsyncClient() as client:
        async with serve(Starlette(routes=[Route("/", hello)]), listener) as origin:
            assert origin == listener.origin
            assert (await client.get(origin)).text == "hello"
        with pytest.raises(httpx.ConnectError):
            await client.get(origin)


async def test_a_lifespan_that_fails_is_an_error() -> None:
    """Not a server that never answers."""

    async def broken(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no"})

    with pytest.raises(RuntimeError, match="did not start"):
        async with serve(broken):
            raise AssertionError("it was served")

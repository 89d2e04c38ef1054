"""The lab answers its own page on this machine, and nobody else."""

from __future__ import annotations

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from payagent.demo.guard import Guard


async def answer(**headers: str) -> httpx.Response:
    async def inside(request: Request) -> PlainTextResponse:
        return PlainTextResponse("inside")

    guarded = Guard(Starlette(routes=[Route("/", inside)]), 3033)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(guarded)) as client:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return await client.get("http://127.0.0.1:3033/", headers=sent)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"host": "localhost:3033"},
        {"origin": "http://127.0.0.1:3033", "sec_fetch_site": "same-origin"},
        {"sec_fetch_site": "none"},
    ],
)
async def test_its_own_page_is_answered(headers: dict[str, str]) -> None:
    """By either name of this machine, and from the address bar."""
    assert (await answer(**headers)).text == "inside"


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example:3033"},
        {"host": "127.0.0.1:3034"},
        {"host": "127.0.0.1.evil.example:3033"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:8080"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
    ],
)
async def test_a_foreign_host_or_page_is_refused(headers: dict[str, str]) -> None:
    """A name that resolves here (DNS rebinding), another port, another origin."""
    refused = await answer(**headers)

    assert refused.status_code == 403
    assert "inside" not in refused.text


@pytest.mark.parametrize("headers", [{}, {"host": "evil.example"}])
async def test_nothing_but_its_own_may_run_in_the_page(headers: dict[str, str]) -> None:
    """The policy allows no inline script or style, no other host and no frame around it."""
    policy = (await answer(**headers)).headers["content-security-policy"]

    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy

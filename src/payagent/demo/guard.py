"""Keeps the lab to this machine and to its own page.

* A request for another host is refused: a foreign page could reach a loopback port under a name of its own choosing
  (DNS rebinding).
* A request from another origin is refused, whatever it asks for.
* Every answer forbids scripts, styles and connections that are not the lab's own.
"""

from __future__ import annotations

from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Guard:
    """An ASGI app before another; `port` is the lab's own."""

    def __init__(self, app: ASGIApp, port: int) -> None:
        self._app = app
        self._hosts = frozenset(f"{name}:{port}" for name in ("127.0.0.1", "localhost"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what is ours, refuse the rest."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        if is_foreign(Headers(scope=scope), self._hosts):
            answer = PlainTextResponse("This is a lab on this machine, and only its own page may use it.\n", 403)
            await answer(scope, receive, guarded)
        else:
            await self._app(scope, receive, guarded)


def is_foreign(headers: Headers, hosts: Collection[str]) -> bool:
    """Whether a request is for another host than these, or comes from a page of another."""
    origin, site = headers.get("origin"), headers.get("sec-fetch-site", "none")
    from_elsewhere = origin is not None and origin not in {f"http://{host}" for host in hosts}
    return headers.get("host") not in hosts or from_elsewhere or site not in ("none", "same-origin")

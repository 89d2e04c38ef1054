"""Stands before every route of the console: who asks, did one of our own pages send this form, what a browser may do.

* Without a visit a page leads to the log-in, and back afterwards; an update that a page fetches gets 401; a form 403.
* What changes anything comes by POST, with its visit's token, and from this very origin where the browser says so.
* No answer is kept by a browser or a proxy, may be framed, or may load or run anything but our own files.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qsl, quote

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from payagent.errors import JournalFailed, UnknownCall
from payagent.web.console.pages import Pages
from payagent.web.console.visits import Visit, Visits

_log = structlog.get_logger("payagent.web.console")

HOME = "/console"
LOG_IN = "/console/log-in"
OUR_PAGE = re.compile(r"/console(?:/[\w./-]*)?(?:\?[\w.=&%+:-]*)?", re.ASCII)
LONGEST_FORM = 16 * 1024
FORM_SECONDS = 10

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
    # Not `no-referrer`: browsers then send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
NOW = "X-Console-Now"
"""The server's time, for a page whose clocks run."""
HTTPS_ONLY = {"Strict-Transport-Security": "max-age=31536000"}


class Refused(Exception):
    """The request is answered by a page of `status` with these words, which say what to do next."""

    def __init__(self, status: int, title: str, words: str) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.words = words


def too_old() -> Refused:
    """The form did not come from a page of this visit."""
    words = "You were logged out, or the page was open for too long. Load the page again, then repeat what you did."
    return Refused(403, "This form is too old", words)


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: who asks (a nameless visit on the log-in page only), when, and the form of a POST."""

    request: Request
    visit: Visit
    now: datetime
    form: Mapping[str, str]


Handler = Callable[[Asked], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]
Admit = Callable[[Request, datetime], Awaitable[Visit | Response]]
"""Whose visit a request is part of, or the answer to who may not come in."""


class Guard:
    """Wraps the handlers of routes. `secure` says that pages come by https."""

    def __init__(self, visits: Visits, pages: Pages, now: Callable[[], datetime], *, secure: bool) -> None:
        self._visits = visits
        self._pages = pages
        self._now = now
        self._headers = HEADERS | (HTTPS_ONLY if secure else {})

    def named(self, handler: Handler) -> Endpoint:
        """For those who are logged in."""
        return self._endpoint(handler, self._named)

    def anybody(self, handler: Handler) -> Endpoint:
        """For everybody: the log-in page."""
        return self._endpoint(handler, self._nameless)

    def file(self, handler: Callable[[Request], Response]) -> Endpoint:
        """For everybody: a style sheet or a script. It may be kept, but is asked for anew each time."""

        async def endpoint(request: Request) -> Response:
            answer = handler(request)
            answer.headers.update(self._headers | {"Cache-Control": "no-cache"})
            return answer

        return endpoint

    def _endpoint(
        self, handler: Handler, visit_of: Callable[[Request, datetime], Awaitable[Visit | Response]]
    ) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            now = self._now()
            visit = await visit_of(request, now)
            answer = visit if isinstance(visit, Response) else await self._answer(request, visit, now, handler)
            answer.headers.update(self._headers | {NOW: now.isoformat()})
            return answer

        return endpoint

    async def _named(self, request: Request, now: datetime) -> Visit | Response:
        visit = self._visits.read(request, now)
        if visit and visit.name:
            return visit
        if request.method == "POST":
            return await self._page(None, too_old())
        if "known" in request.query_params:
            return Response(status_code=401)
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        where = LOG_IN if here == HOME else f"{LOG_IN}?next={quote(here)}"
        return RedirectResponse(where, 303)

    async def _nameless(self, request: Request, now: datetime) -> Visit | Response:
        return self._visits.read(request, now) or self._visits.begin(now)

    async def _answer(self, request: Request, visit: Visit, now: datetime, handler: Handler) -> Response:
        answer = await self._handled(request, visit, now, handler)
        if visit.name and "known" not in request.query_params and "set-cookie" not in answer.headers:
            self._visits.write(answer, visit, now)
        return answer

    async def _handled(self, request: Request, visit: Visit, now: datetime, handler: Handler) -> Response:
        try:
            form = await self._form(request, visit) if request.method == "POST" else {}
            return await handler(Asked(request, visit, now, form))
        except Refused as refused:
            return await self._page(visit, refused)
        except UnknownCall:
            return await self._page(visit, Refused(404, "No such call", "No call of that number is on the record."))
        except JournalFailed as error:
            _log.error("a page could not be made", path=request.url.path, error=str(error))
            words = "The database does not answer. Calls may be in trouble too: see the program's log, then try again."
            return await self._page(visit, Refused(503, "The record cannot be read", words))

    async def _form(self, request: Request, visit: Visit) -> dict[str, str]:
        """The form, when it came from one of our pages.

        Raises:
            Refused: it did not, or it cannot be read.
        """
        if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
            raise too_old()
        form = dict(parse_qsl(await _body(request), keep_blank_values=True))
        if not self._visits.token_fits(visit, form.pop("token", "")):
            raise too_old()
        return form

    async def _page(self, visit: Visit | None, refused: Refused) -> Response:
        return await self._pages.page(
            "refused.html", visit, status=refused.status, title=refused.title, words=refused.words
        )


async def _body(request: Request) -> str:
    """The body as text.

    Raises:
        Refused: it is too long, too slow, or no text.
    """
    body = bytearray()
    try:
        async with asyncio.timeout(FORM_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > LONGEST_FORM:
                    raise Refused(413, "Too long", "Shorten what you have written, then send it again.")
        return body.decode()
    except (TimeoutError, UnicodeDecodeError):
        raise Refused(400, "Unreadable", "The form did not arrive whole. Go back and send it again.") from None


def way_back(path: str) -> str:
    """`path` if it is one of the console's own pages, else its first one: nobody is led elsewhere after a log-in."""
    return path if OUR_PAGE.fullmatch(path) else HOME
